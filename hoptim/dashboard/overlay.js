// The best values so far of several studies in one plot.

const COLOURS = 4;

// The look of a study's line, by its place in the list: colours first, then dashes.
function lineClass(place) {
  return `series colour-${place % COLOURS} dash-${Math.floor(place / COLOURS) % 4}`;
}

class Overlay extends Plot {
  // rows: studies of one mode, each with a curve and a place; log: true for a logarithmic axis of values;
  // pointed: called with what `under` returns; redrawn: called when the lines are new
  constructor(rows, log, pointed, redrawn) {
    const [low, high] = extremes(rows.flatMap((row) => row.curve.map(([, value]) => value)));
    const last = Math.max(...rows.map((row) => row.curve.at(-1)[0]));
    super(
      { latest: [0], step: [last] },
      {
        title: "Best value so far",
        note: rows[0].mode === "min" ? "a lower value is better" : "a higher value is better",
        label: "best so far",
        axis: padded(low, high, log),
        height: 300,
        background: () => {},
        wide: true,
      },
    );
    this.rows = rows;
    this.box.removeAttribute("tabindex");
    this.box.setAttribute("role", "img");
    const point = (event) => {
      const { left, top } = this.box.getBoundingClientRect();
      pointed(...this.under(event.clientX - left, event.clientY - top));
    };
    this.box.addEventListener("pointermove", point);
    this.box.addEventListener("pointerdown", point); // a finger does not move before
    this.box.addEventListener("pointerleave", () => pointed(null));
    this.watch = new ResizeObserver(() => {
      this.draw();
      redrawn();
    });
    this.watch.observe(this.box);
  }

  spoken() {
    return `${this.title} by step, ${this.note}. The table below has the values.`;
  }

  drawWinner() {
    const lines = this.rows.flatMap(({ name, place, curve }) => {
      const [step, value] = curve.at(-1);
      const own = { class: lineClass(place), "data-study": name };
      return [
        svg("path", { ...own, d: this.stepped(curve) }),
        svg("circle", { ...own, cx: this.atStep(step), cy: this.at(value), r: 3.5 }),
      ];
    });
    this.layers.winner.replaceChildren(...lines);
  }

  stepped(curve) {
    const points = curve.map(([step, value]) => [this.atStep(step).toFixed(1), this.at(value).toFixed(1)]);
    return points.map(([x, y], k) => (k ? `H${x}V${y}` : `M${x} ${y}`)).join("");
  }

  // The study whose line is nearest to a point in pixels, with the step and the value there; null if none is near.
  under(px, py) {
    const step = Math.round(((px - this.left) / this.inner.width) * this.steps - 0.5);
    let [found, least] = [[null], 40];
    for (const row of this.rows) {
      const at = row.curve.findLast((point) => point[0] <= step);
      if (!at || step > row.curve.at(-1)[0]) continue;
      const distance = Math.abs(this.at(at[1]) - py);
      if (distance < least) [found, least] = [[row.name, step, at[1]], distance];
    }
    return found;
  }
}
