// The plots of the page, and how each draws its background of all trials.

// Grey that is paler the more lines there are and the denser they lie, so that the plot stays readable.
function lineColour(many, spacing) {
  const shade = (2 / Math.sqrt(many + 1)) * clamped(spacing / 2, 0.4, 1);
  return `rgba(${GREY}, ${clamped(shade, 0.08, 0.75)})`;
}

/** @this {Plot} */
function drawMemberLines(pen) {
  const { members, size } = this.study;
  pen.strokeStyle = lineColour(size, this.inner.width / this.steps);
  pen.lineWidth = 1.25;
  pen.lineJoin = "bevel"; // many round ones take seconds
  for (const own of members) {
    pen.beginPath();
    this.trace(this.points(own), pen);
    pen.stroke();
  }
  this.drawFailed(pen);
}

// Crosses on the lower edge for failed trials.
/** @this {Plot} */
function drawFailed(pen) {
  if (!this.failed) return;
  pen.strokeStyle = FAILED;
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let i = 0; i < this.study.count; i++) {
    if (!this.study.hasFailed(i)) continue;
    const [x, y] = this.place(i);
    pen.moveTo(x - 3, y - 3);
    pen.lineTo(x + 3, y + 3);
    pen.moveTo(x + 3, y - 3);
    pen.lineTo(x - 3, y + 3);
  }
  pen.stroke();
}

// A dash for each trial in its row; a line between rows would have no meaning.
/** @this {Plot} */
function drawDashes(pen) {
  const width = Math.max(1, (this.inner.width / this.steps) * 0.9);
  const height = Math.max(
    0.75,
    Math.min(4, (0.5 * this.inner.height) / this.axis.names.length / this.study.size),
  );
  pen.fillStyle = `rgba(${GREY}, 0.6)`;
  for (let i = 0; i < this.study.count; i++) {
    if (!Number.isFinite(this.y(i))) continue; // it was not active
    const [x, y] = this.place(i);
    pen.fillRect(x - width / 2, y - height / 2, width, height);
  }
}

// Lines from parent to child: pale for lineages that died out, dark for those that survive.
/** @this {Plot} */
function drawBranches(pen) {
  const { study } = this;
  const alive = study.survivors();
  const dense = Math.max(0.3, Math.min(1, this.inner.width / this.steps / 12));
  const kinds = [
    { of: (i) => !alive[i] && study.isExploit(i), shade: 0.35 * dense, width: 0.75 },
    { of: (i) => !alive[i] && !study.isExploit(i), shade: 0.6 * dense, width: 1.25 },
    { of: (i) => alive[i], shade: 1, width: 2 },
  ];
  const children = study.number.map((_, i) => i).filter((i) => study.parent[i] >= 0);
  for (const { of, shade, width } of kinds) {
    pen.strokeStyle = `rgba(${GREY}, ${shade})`;
    pen.lineWidth = width;
    pen.beginPath();
    for (const i of children.filter(of)) {
      pen.moveTo(this.x(study.parent[i]), this.y(study.parent[i]));
      pen.lineTo(this.x(i), this.y(i));
    }
    pen.stroke();
  }
}

/** @param {Study} study */
function valuePlot(study, log) {
  const finite = study.value.filter(Number.isFinite);
  const [low, high] = extremes(finite);
  const failed = study.number.filter((_, i) => study.hasFailed(i)).length;
  const better = study.mode === "min" ? "lower is better" : "higher is better";
  const crosses = `; \u00d7 on the lower edge: ${grouped(failed)} without a finite value`;
  return new Plot(study, {
    title: "Value",
    note: better + (log ? ", log scale" : "") + (failed ? crosses : ""),
    label: "value",
    axis: padded(low, high, log),
    column: study.value,
    height: 340,
    background: drawMemberLines,
    drawFailed,
    failed,
    wide: true,
  });
}

function extremes(values) {
  let [low, high] = values.length ? [Infinity, -Infinity] : [0, 1];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

function padded(low, high, log) {
  if (log) {
    const factor = (high / low) ** 0.04 * (low === high ? 2 : 1);
    return numberAxis(low / factor, high * factor, true);
  }
  const room = (high / 2 - low / 2) * 0.08;
  return numberAxis(low - room, high + room, false);
}

/** @param {Study} study */
function mayBeLog(study) {
  const finite = study.value.filter(Number.isFinite);
  return finite.length > 0 && finite.every((value) => value > 0);
}

/** @param {Study} study */
function paramPlot(study, param) {
  const column = decoded(param.column);
  const shared = { title: param.name, label: shortened(param.name, 24), column, height: 230 };
  const inherited = param.inherit ? ", goes with the weights" : "";
  if (param.choices) {
    const names = param.choices.map(choiceText);
    const axis = new RowAxis(names, param.type === "Ordinal");
    const note = `${param.type} of ${names.length}${inherited}; a row for each member`;
    return new Plot(study, { ...shared, note, axis, spread: true, background: drawDashes });
  }
  const whole = param.type === "Int";
  const range = `${readable(param.low)} to ${readable(param.high)}`;
  const note = `${param.type}, ${range}${param.log ? ", log scale" : ""}${inherited}`;
  const axis = numberAxis(param.low, param.high, param.log, whole);
  return new Plot(study, { ...shared, note, axis, background: drawMemberLines, drawFailed });
}

/** @param {Study} study */
function numberPlot(study, title, note, column, wantsLog) {
  const [low, high] = extremes(column.filter(Number.isFinite));
  const log = wantsLog && low > 0;
  const axis = padded(low, high, log);
  return new Plot(study, {
    title,
    note: note + (log ? ", log scale" : ""),
    label: shortened(title, 24),
    axis,
    column,
    height: 230,
    background: drawMemberLines,
    drawFailed,
  });
}

// Rows in order of descent show families; rows by member show exploits.
/** @param {Study} study */
function treePlot(study, byMember) {
  const names = Array.from({ length: study.size }, (_, member) => String(member));
  const treeAxis = Object.assign(new LinearAxis(1, 0), { ticks: () => [] });
  const rows = byMember
    ? "a row for each member, slanted lines are exploits"
    : "the children of a trial lie side by side, so that no lines cross";
  return new Plot(study, {
    title: "Family tree",
    note: `${rows}; strong lines lead to some member's latest trial, pale ones died out`,
    label: byMember ? "member" : "in order of descent",
    axis: byMember ? new RowAxis(names, false) : treeAxis,
    column: byMember ? study.member : study.treePlaces(),
    height: Math.max(220, Math.min(560, 80 + 10 * study.size)),
    background: drawBranches,
    wide: true,
  });
}

/** @param {Study} study */
function plotsOf(study) {
  const metrics = study.metrics.map((metric) =>
    numberPlot(study, metric.name, "metric", decoded(metric.column), metric.log),
  );
  const { sigma } = study.trials;
  const steps = sigma
    ? [numberPlot(study, "Step size", "ROMUL's sigma, in units of each range", decoded(sigma), true)]
    : [];
  return [...study.params.map((param) => paramPlot(study, param)), ...steps, ...metrics];
}
