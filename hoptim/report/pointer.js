// The highlighted trial, and how pointers and keys move it.

class TrialSelection {
  follow = "member";
  pinned = -1;
  cursor = -1;
  watchers = [];

  /** @param {Study} study */
  constructor(study) {
    this.study = study;
  }

  // The highlighted line: all trials of a member, or the ancestors of a trial.
  get line() {
    const of = this.pinned >= 0 ? this.pinned : this.cursor;
    if (of < 0) return [];
    return this.follow === "member" ? this.study.members[this.study.member[of]] : this.study.ancestors(of);
  }

  hover(i) {
    if (i === this.cursor || (this.pinned >= 0 && !this.line.includes(i))) return;
    this.cursor = i;
    this.notify();
  }

  leave() {
    this.cursor = this.pinned;
    this.notify();
  }

  pin(i) {
    this.pinned = i === this.pinned ? -1 : i;
    this.cursor = i;
    this.notify();
  }

  unpin() {
    this.pinned = this.cursor = -1;
    this.notify();
  }

  followBy(what) {
    this.follow = what;
    this.notify();
  }

  notify() {
    for (const watcher of this.watchers) watcher();
  }
}

class Tooltip {
  constructor(selection) {
    this.selection = selection;
    this.root = html("div", { class: "tooltip", role: "tooltip", "aria-live": "polite", hidden: true });
  }

  hide() {
    this.root.hidden = true;
  }

  // Beside the pointer, or off the plot if that is a finger.
  show(i, x, y, plot) {
    this.root.replaceChildren(...tooltipOf(this.selection.study, i));
    this.root.hidden = false;
    const { width, height } = this.root.getBoundingClientRect();
    const [right, bottom] = [document.documentElement.clientWidth, window.innerHeight];
    if (matchMedia("(pointer: coarse)").matches) return this.showOff(plot.getBoundingClientRect(), height);
    const left = x + 16 + width > right ? x - 16 - width : x + 16;
    this.root.style.left = `${Math.max(4, Math.min(left, right - width - 4))}px`;
    this.root.style.top = `${Math.max(4, Math.min(y + 16, bottom - height - 4))}px`;
  }

  // Below a plot, or above it where only there is room in the window; it scrolls with the page.
  showOff({ top, bottom }, height) {
    const above = bottom + height + 8 > window.innerHeight && top > height + 8;
    this.root.style.top = `${scrollY + (above ? top - height - 4 : bottom + 4)}px`;
  }
}

// The text of a trial's tooltip.
/** @param {Study} study */
function tooltipOf(study, i) {
  const rank = study.rank(i);
  const place = Number.isNaN(rank) ? "" : ` (rank ${rank} of ${study.byStep[study.step[i]].length})`;
  const pairs = [["value", readable(study.value[i]) + place]];
  const active = study.params.filter((param) => isActive(param, i));
  pairs.push(...active.map((param) => [param.name, paramText(param, i)]));
  if (study.trials.sigma) pairs.push(["step size", readable(study.trials.sigma[i] ?? NaN)]);
  for (const metric of study.metrics) {
    if (metric.column[i] !== null)
      pairs.push([metric.name, readable(NUMBERS[metric.column[i]] ?? metric.column[i])]);
  }
  pairs.push(["weights", originOf(study, i)], ["took", duration(study.trials.took[i] / 1000)]);
  const title = `Member ${study.member[i]}, step ${study.step[i]}`;
  return [
    html("strong", {}, title),
    html("span", { class: "note" }, ` trial ${study.number[i]}`),
    html("dl", {}, ...facts(pairs)),
  ];
}

/** @param {Study} study */
function originOf(study, i) {
  const donor = study.parent[i];
  if (donor < 0) return study.isGiven(i) ? "given" : "fresh";
  return study.isExploit(i)
    ? `copied from member ${study.member[donor]}, step ${study.step[donor]}`
    : "its own";
}

// Connect pointer and keys on one plot to the selection.
function listen(plot, selection, tooltip) {
  const { box, study } = plot;
  const found = (event) => {
    const { left, top } = box.getBoundingClientRect();
    const pinned = selection.pinned >= 0 ? selection.line : null;
    return [
      plot.nearest(event.clientX - left, event.clientY - top, event.type === "click" ? null : pinned),
      event.clientX,
      event.clientY,
    ];
  };
  const point = (event) => {
    const [i, x, y] = found(event);
    if (i < 0) return leave(event);
    selection.hover(i);
    tooltip.show(selection.cursor, x, y, box);
  };
  const leave = (event) => {
    if (event.pointerType === "touch") return; // a finger leaves when it is lifted
    tooltip.hide();
    selection.leave();
  };
  box.addEventListener("pointermove", point);
  box.addEventListener("pointerleave", leave);
  box.addEventListener("click", (event) => {
    const [i, x, y] = found(event);
    if (i < 0) return selection.unpin();
    selection.pin(i);
    tooltip.show(i, x, y, box);
  });
  box.addEventListener("blur", () => {
    tooltip.hide();
    selection.leave();
  });
  box.addEventListener("keydown", (event) => {
    const i = reachedBy(study, selection, event.key);
    if (i === null) return;
    event.preventDefault();
    if (event.key === "Enter" || event.key === " ") selection.pin(i);
    else selection.hover(i);
    const [x, y] = plot.place(selection.cursor);
    const { left, top } = box.getBoundingClientRect();
    tooltip.show(selection.cursor, left + x, top + y, box);
  });
}

// The trial that a key leads to from the highlighted one, null for other keys.
/** @param {Study} study */
function reachedBy(study, selection, key) {
  const at = selection.cursor >= 0 ? selection.cursor : study.winner >= 0 ? study.winner : study.count - 1;
  if (at < 0) return null;
  if (key === "Enter" || key === " ") return at;
  const along = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[key];
  const across = { ArrowUp: -1, ArrowDown: 1 }[key];
  if (along === undefined && across === undefined) return null;
  if (selection.cursor < 0) return at;
  if (along !== undefined) {
    const line = selection.line;
    const k = Math.max(0, Math.min(line.length - 1, line.indexOf(at) + along));
    return line[k];
  }
  if (selection.pinned >= 0) return at;
  for (let member = study.member[at] + across; member >= 0 && member < study.size; member += across) {
    const found = study.upTo(member, study.step[at]);
    if (found >= 0) return found;
  }
  return at;
}
