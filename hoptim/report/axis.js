// Axes: from a value to a place between 0 and 1, and labelled ticks.

class LinearAxis {
  constructor(low, high, whole = false) {
    if (low === high)
      [low, high] = whole
        ? [low - 1, high + 1]
        : [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
    this.low = low;
    this.high = high;
    this.whole = whole;
  }

  place(value) {
    const range = this.high - this.low;
    return value / range - this.low / range; // value - low may be beyond floats
  }

  ticks(maxTicks) {
    return this.roundTicks(this.low, this.high, maxTicks);
  }

  roundTicks(low, high, maxTicks) {
    const rough = high / maxTicks - low / maxTicks;
    const decade = 10 ** Math.floor(Math.log10(rough));
    let step = decade * [1, 2, 5, 10].find((f) => f * decade >= rough * (1 - 1e-9));
    if (this.whole) step = Math.max(1, Math.round(step));
    const digits = -Math.floor(Math.log10(step) + 1e-9);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9 && found.length < 50; k++) {
      found.push({ value: k * step, text: tickText(k * step, digits) });
    }
    return found;
  }
}

class LogAxis extends LinearAxis {
  place(value) {
    return (Math.log(value) - Math.log(this.low)) / (Math.log(this.high) - Math.log(this.low));
  }

  ticks(maxTicks) {
    const first = Math.floor(Math.log10(this.low));
    const last = Math.ceil(Math.log10(this.high));
    const decades = Math.log10(this.high) - Math.log10(this.low);
    if (decades < 1) return this.roundTicks(this.low, this.high, maxTicks).filter((tick) => tick.value > 0);
    const every = Math.max(1, Math.ceil(decades / maxTicks));
    const factors = decades < maxTicks / 3 ? [1, 2, 5] : decades < maxTicks / 2 ? [1, 3] : [1];
    const found = [];
    for (let power = first; power <= last; power += every) {
      for (const factor of factors) {
        const value = Number(`${factor}e${power}`);
        if (value >= this.low * 0.999 && value <= this.high * 1.001)
          found.push({ value, text: tickText(value, -power) });
      }
    }
    return this.whole ? found.filter((tick) => Number.isInteger(tick.value)) : found;
  }
}

// A row for each name, from top to bottom or upwards; trials share a row.
class RowAxis {
  constructor(names, upwards) {
    this.names = names;
    this.upwards = upwards;
  }

  place(row) {
    const place = (row + 0.5) / this.names.length;
    return this.upwards ? place : 1 - place;
  }

  ticks(maxTicks) {
    const every = Math.ceil(this.names.length / Math.max(maxTicks * 2.5, 1));
    const round = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n >= every) ?? every;
    return this.names.map((text, value) => ({ value, text })).filter((tick) => tick.value % round === 0);
  }
}

function numberAxis(low, high, log, whole = false) {
  return new (log ? LogAxis : LinearAxis)(low, high, whole);
}
