// The header: results and facts about the study.

function percent(part, whole) {
  return `${Math.floor((100 * part) / whole)} %`;
}

function trialLabel(study, i) {
  return `member ${study.member[i]}, step ${study.step[i]}, trial ${study.number[i]}`;
}

// The most important results: name, value, and a note below it.
/** @param {Study} study */
function headline(study) {
  const ever = study.best_ever === null ? -1 : study.index.get(study.best_ever);
  const best = (i) => (i < 0 ? ["none yet", ""] : [readable(study.value[i]), trialLabel(study, i)]);
  const all = study.size * study.steps;
  const exploits = study.winnerLine.filter((i) => study.isExploit(i)).length;
  return [
    ["Best value now", ...best(study.winner)],
    ["Best ever", ...best(ever)],
    ["Population", `${grouped(study.size)} \u00d7 ${grouped(study.steps)}`, "members \u00d7 steps"],
    [
      "Done",
      percent(study.finished, all),
      `${grouped(study.finished)} of ${grouped(all)} trials` +
        (study.complete ? "" : ", not complete when written"),
    ],
    ["Exploits", grouped(study.copied), `${grouped(exploits)} in the winner's weights`],
    ["Failures", grouped(study.failed), "trials without a finite value"],
  ];
}

/** @param {Study} study */
function details(study) {
  const { name, ...settings } = study.optimizer;
  const set = Object.entries(settings).map(([key, value]) => `${key} ${setting(value)}`);
  const last = study.trials.asked.map((asked, i) => asked + study.trials.took[i]);
  const ran =
    study.began === null
      ? []
      : [
          ["Began", moment(study.began)],
          ["Took", duration(extremes(last)[1] / 1000)],
        ];
  return [
    ["Written", moment(study.written)],
    ...(study.reload === null ? [] : [["Loads itself again", `every ${duration(study.reload)}`]]),
    ...ran,
    ["Mode", `${study.mode}, a ${study.mode === "min" ? "lower" : "higher"} value is better`],
    ["Seed", String(study.seed)],
    ["Optimizer", set.length ? `${name}: ${set.join(", ")}` : name],
  ];
}

function setting(value) {
  if (Array.isArray(value)) return value.map(setting).join(" to ");
  return typeof value === "number"
    ? readable(value)
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}

/** @param {Study} study */
function fillHeader(study) {
  const big = (/** @type {string[]} */ [name, value, note]) =>
    html("div", {}, ...facts([[name, value]]), html("dd", { class: "note" }, note));
  setChildren("headline", ...headline(study).map(big));
  setChildren("details", ...details(study).map((pair) => html("div", {}, ...facts([pair]))));
}
