// One plot over steps: axes and highlighted lines in SVG, all trials on a canvas behind them, for speed.

const ROOM = { top: 10, right: 14, bottom: 36 };
const GREY = "128, 128, 128"; // a grey that shows on white and on black, so that a canvas fits both
const FAILED = "#d55e00"; // and so does this one; colours mean the same as in hoptim.plot

class Plot {
  /** @type {Study} */ study;
  /** @type {{ width: number, height: number }} */ inner; // without the room for axes
  // Label of the vertical axis, column (the ordinate of each trial), height in pixels, background (draws all
  // trials), spread (members share a row side by side); the page adds remark and watch.
  title; note; label; axis; column; height; background; drawFailed; failed; spread; wide; remark; watch;

  constructor(study, spec) {
    Object.assign(this, { study, ...spec });
    const reached = Math.max(0, ...study.latest.map((i) => study.step[i]));
    this.across = new LinearAxis(-0.5, reached + 0.5, true);
    this.steps = reached + 1;
    this.canvas = html("canvas");
    this.layers = Object.fromEntries(
      ["axes", "winner", "mark"].map((name) => [name, svg("g", { class: name })]),
    );
    this.svg = svg(
      "svg",
      { "aria-hidden": "true", preserveAspectRatio: "none" },
      ...Object.values(this.layers),
    );
    this.box = html(
      "div",
      { class: "plot", tabindex: "0", role: "application", "aria-label": this.spoken() },
      this.canvas,
      this.svg,
    );
    this.box.style.height = `${this.height}px`;
    this.root = html(
      "figure",
      { class: this.wide ? "wide" : "" },
      html(
        "figcaption",
        {},
        ...(this.wide ? [] : [this.heading()]),
        html("span", { class: "note" }, this.note),
      ),
      this.box,
    );
  }

  heading() {
    return html("h3", { title: this.title }, shortened(this.title, 60));
  }

  spoken() {
    const keys = "Arrow keys move along steps and members, Enter pins, Escape unpins.";
    return `${this.title} by step, ${this.note}. ${keys}`;
  }

  draw() {
    const { width, height } = this.box.getBoundingClientRect();
    this.width = width;
    const most = Math.max(2, Math.floor((height - ROOM.top - ROOM.bottom) / 34));
    const ticks = this.axis.ticks(most);
    const longest = Math.max(...ticks.map((tick) => shortened(tick.text, 16).length), 2);
    this.left = Math.min(34 + 6.6 * longest, width * 0.4);
    this.inner = {
      width: Math.max(1, width - this.left - ROOM.right),
      height: height - ROOM.top - ROOM.bottom,
    };
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawAxes(ticks);
    this.drawBackground(width, height);
    this.drawWinner();
  }

  x(i) {
    return this.atStep(this.study.step[i]);
  }

  atStep(step) {
    return this.left + this.across.place(step) * this.inner.width;
  }

  at(value) {
    return ROOM.top + (1 - this.axis.place(value)) * this.inner.height;
  }

  y(i) {
    return this.at(this.column[i]);
  }

  // The point of a trial: in its member's part of a shared row, on the lower edge if it failed.
  place(i) {
    const y = this.y(i);
    if (!Number.isFinite(y)) return [this.x(i), ROOM.top + this.inner.height];
    const part = this.spread ? (this.study.member[i] + 0.5) / this.study.size - 0.5 : 0;
    return [this.x(i), y + (part * 0.8 * this.inner.height) / (this.axis.names?.length ?? 1)];
  }

  drawAxes(ticks) {
    const right = this.left + this.inner.width;
    const bottom = ROOM.top + this.inner.height;
    const nodes = [];
    for (const tick of ticks) {
      const y = this.at(tick.value).toFixed(1);
      nodes.push(svg("line", { x1: this.left, x2: right, y1: y, y2: y }));
      nodes.push(
        svg(
          "text",
          { x: this.left - 6, y, dy: "0.32em", "text-anchor": "end" },
          svg("title", {}, tick.text),
          shortened(tick.text, 16),
        ),
      );
    }
    for (const tick of this.across.ticks(Math.max(2, this.inner.width / 48))) {
      const x = this.atStep(tick.value).toFixed(1);
      nodes.push(svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "edge" }));
      nodes.push(svg("text", { x, y: bottom + 16, "text-anchor": "middle" }, tick.text));
    }
    nodes.push(svg("line", { x1: this.left, x2: right, y1: bottom, y2: bottom, class: "edge" }));
    nodes.push(
      svg("text", { x: (this.left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, "step"),
    );
    const middle = ROOM.top + this.inner.height / 2;
    nodes.push(
      svg(
        "text",
        { transform: `translate(12 ${middle}) rotate(-90)`, "text-anchor": "middle" },
        this.label,
      ),
    );
    this.layers.axes.replaceChildren(...nodes);
  }

  drawBackground(width, height) {
    // Chromium prints a canvas as vectors, and puts one that is scaled in the wrong place.
    const sharp = isPrinting() ? 1 : window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * sharp);
    this.canvas.height = Math.round(height * sharp);
    const pen = this.canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.beginPath();
    pen.rect(this.left, 0, this.inner.width, height);
    pen.clip();
    this.background(pen);
  }

  // Lines along points; if there are more than pixels, only each pixel's first, lowest, highest and last.
  trace(points, pen) {
    const dash = ([x, y]) => (pen.moveTo(x - 1.5, y), pen.lineTo(x + 1.5, y)); // a point without neighbours
    let [run, last] = [0, null];
    for (const point of points.length > 3 * this.inner.width ? thinned(points) : points) {
      const there = Number.isFinite(point[1]);
      if (there && run) pen.lineTo(...point);
      else if (there) pen.moveTo(...point);
      else if (run === 1) dash(last);
      [run, last] = [there ? run + 1 : 0, point];
    }
    if (run === 1) dash(last);
  }

  path(line) {
    const pen = new Pen();
    this.trace(this.points(line), pen);
    return pen.text;
  }

  // The points of a line, which leads past trials that were not valued where they have none.
  points(line) {
    const there = line.filter((i) => this.study.valued[i] || Number.isFinite(this.y(i)));
    return there.map((i) => [this.x(i), this.y(i)]);
  }

  drawWinner() {
    const line = this.study.winnerLine;
    const d = this.path(line);
    const seen = line.filter((i) => Number.isFinite(this.y(i))); // a metric may be missing
    const exploits = this.inner.width / this.steps < 7 ? [] : seen.filter((i) => this.study.isExploit(i));
    const dots = exploits.map((i) => svg("circle", { cx: this.x(i), cy: this.y(i), r: 3 }));
    const ends = seen.filter((i) => i === this.study.winner);
    const last = ends.map((i) => svg("circle", { cx: this.x(i), cy: this.y(i), r: 5, class: "end" }));
    this.layers.winner.replaceChildren(
      svg("path", { d, class: "halo" }),
      svg("path", { d, class: "line" }),
      ...dots,
      ...last,
    );
  }

  // Highlight a line, and one trial on it.
  mark(line, cursor) {
    if (!this.inner) return; // not drawn yet, which will mark it
    if (cursor < 0) return this.layers.mark.replaceChildren();
    const d = this.path(line);
    const [cx, lowest] = this.place(cursor);
    const cy = Number.isFinite(this.y(cursor)) ? this.y(cursor) : lowest;
    const tag = { "data-member": this.study.member[cursor], "data-trial": this.study.number[cursor] };
    this.layers.mark.replaceChildren(
      svg("path", { d, class: "halo" }),
      svg("path", { d, class: "line", ...tag }),
      svg("circle", { cx, cy, r: 5 }),
    );
  }

  // The trial nearest to a point in pixels, -1 if none is near; with a line, the nearest of its trials.
  nearest(px, py, line = null) {
    const spacing = this.inner.width / this.steps;
    const reach = Math.max(40, spacing * 0.75);
    const middle = Math.round(((px - this.left) / this.inner.width) * this.steps - 0.5);
    const span = Math.ceil(Math.min(reach, 40) / spacing);
    let [best, least] = [-1, line ? Infinity : reach * reach];
    const look = (i) => {
      const [x, y] = this.place(i);
      const distance = (x - px) ** 2 + (line ? 0 : (y - py) ** 2);
      if (distance < least) [best, least] = [i, distance];
    };
    if (line) line.forEach(look);
    else
      for (let step = middle - span; step <= middle + span; step++) this.study.byStep[step]?.forEach(look);
    return best;
  }
}

// A canvas's pen that writes the text of an SVG path.
class Pen {
  text = "";

  moveTo(x, y) {
    this.text += `M${x.toFixed(1)} ${y.toFixed(1)}`;
  }

  lineTo(x, y) {
    this.text += `L${x.toFixed(1)} ${y.toFixed(1)}`;
  }
}

function thinned(points) {
  const found = [];
  for (let start = 0, end; start < points.length; start = end) {
    const pixel = Math.round(points[start][0]);
    for (end = start + 1; end < points.length && Math.round(points[end][0]) === pixel;) end++;
    let [low, high] = [start, start];
    for (let k = start; k < end; k++) {
      if (points[k][1] < points[low][1]) low = k;
      if (points[k][1] > points[high][1]) high = k;
    }
    const kept = [...new Set([start, low, high, end - 1])].sort((a, b) => a - b);
    found.push(...kept.map((k) => points[k]));
  }
  return found;
}
