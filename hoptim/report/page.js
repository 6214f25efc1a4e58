// Put header, controls, plots and tables together.

function download(text, kind, name) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  html("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = html("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy"); // for browsers that deny the clipboard to a page from a file
    area.remove();
  }
}

/** @param {Study} study */
function scheduleButtons(study) {
  const status = html("span", { role: "status" });
  const file = `${study.name.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-schedule`;
  const button = (text, act) =>
    html("button", { type: "button", disabled: study.winner < 0, onclick: act }, text);
  const copied = (text) => async () => {
    await copy(text());
    status.textContent = "Copied.";
  };
  const trained = study.winnerLine.filter((i) => !study.isGiven(i));
  const csv = () => scheduleCsv(study, trained);
  const json = () => scheduleJson(study, trained);
  return [
    button("Copy CSV", copied(csv)),
    button("Copy JSON", copied(json)),
    button("Download CSV", () => download(csv(), "text/csv", `${file}.csv`)),
    button("Download JSON", () => download(json(), "application/json", `${file}.json`)),
    status,
  ];
}

/** @param {Study} study */
function exploitRows(study, selection, which) {
  if (which === "winner") return study.winnerLine.filter((i) => study.isExploit(i));
  const member = selection.pinned < 0 ? -1 : study.member[selection.pinned];
  if (which === "member")
    return study.exploits.filter(
      (i) => study.member[i] === member || study.member[study.parent[i]] === member,
    );
  return study.exploits;
}

/** @param {Study} study */
function failureNote(study) {
  const { attempt, interruptions } = study.trials;
  const again = attempt.filter((n, i) => n > 1 && Number.isFinite(study.value[i])).length;
  const cut = interruptions.reduce((sum, n) => sum + n, 0);
  const some = [];
  if (again) some.push(`${counted(again, "other trial")} succeeded after failed attempts.`);
  if (cut)
    some.push(
      `${counted(cut, "time")} a trial was handed out again because its worker was lost or released it.`,
    );
  return some.join(" ");
}

/** @param {Study} study */
function thinningNote(study) {
  return (
    `The page shows ${grouped(study.count)} of ${grouped(study.finished)} trials: those of every ` +
    `${grouped(study.every)} steps, the members' latest, the best, and all that trained the winner's ` +
    "weights. Lines and tables lead from one of them to the next, as if there were none between. " +
    "The numbers above count all trials."
  );
}

/** @param {Study} study */
function fillTables(study, selection) {
  const why = new Map(study.failures.map((failure) => [failure.trial, failure.why]));
  const schedule = scheduleTable(selection);
  const exploits = exploitTable(selection);
  const failures = failureTable(selection, why);
  const which = field("exploits-of");
  const refill = () => exploits.show(exploitRows(study, selection, which.value));
  which.addEventListener("change", refill);
  let pinned = -1;
  selection.watchers.push(() => {
    if (which.value === "member" && selection.pinned !== pinned) refill();
    pinned = selection.pinned;
  });
  schedule.show(study.winnerLine);
  refill();
  failures.show(study.number.map((_, i) => i).filter((i) => study.hasFailed(i)));
  setChildren("schedule", schedule.root);
  setChildren("schedule-buttons", ...scheduleButtons(study));
  setChildren("exploits", exploits.root);
  setChildren("failures", failures.root);
  setChildren("failure-note", failureNote(study));
}

/** @param {TrialSelection} selection */
function control(selection, tooltip) {
  const { study } = selection;
  const status = document.getElementById("pinned");
  const member = field("member");
  const button = field("unpin");
  member.max = study.size - 1;
  for (const radio of ["follow-member", "follow-weights"].map(field)) {
    if (radio.checked) selection.follow = radio.value; // a browser may have kept it
    radio.addEventListener("change", () => selection.followBy(radio.value));
  }
  member.addEventListener("change", () => {
    const own = member.value === "" ? [] : (study.members[Number(member.value)] ?? []);
    selection.unpin();
    if (own.length) selection.pin(own.at(-1));
  });
  const unpin = () => {
    tooltip.hide();
    selection.unpin();
  };
  button.addEventListener("click", unpin);
  document.addEventListener("keydown", (event) => event.key === "Escape" && unpin());
  selection.watchers.push(() => {
    const pinned = selection.pinned;
    button.disabled = pinned < 0;
    member.value = pinned < 0 ? "" : study.member[pinned];
    status.textContent =
      pinned < 0 ? "" : `Pinned: member ${study.member[pinned]}, trial ${study.number[pinned]}.`;
  });
}

function drawOnResize(plots, plot) {
  plots.add(plot);
  plot.watch = new ResizeObserver(() => {
    plot.draw();
    plot.remark();
  });
  plot.watch.observe(plot.box);
}

/** @param {Study} study */
function show(study) {
  const selection = new TrialSelection(study);
  const tooltip = new Tooltip(selection);
  const plots = new Set();
  const add = (plot, id) => {
    plot.remark = () => plot.mark(selection.line, selection.cursor);
    listen(plot, selection, tooltip);
    document.getElementById(id).append(plot.root);
    drawOnResize(plots, plot);
    return plot;
  };
  const addWithSwitch = (id, make) => {
    const box = field(id);
    let plot = add(make(box.checked), `${id}-plot`);
    box.addEventListener("change", () => {
      plots.delete(plot);
      plot.watch.disconnect();
      plot.root.remove();
      plot = add(make(box.checked), `${id}-plot`);
    });
  };
  const log = field("value");
  log.checked = study.log;
  log.parentElement.hidden = !mayBeLog(study);
  addWithSwitch("value", (checked) => valuePlot(study, checked));
  plotsOf(study).forEach((plot) => add(plot, "params"));
  addWithSwitch("tree", (checked) => treePlot(study, checked));
  const redraw = (paper) => () => {
    document.documentElement.classList.toggle("paper", paper);
    for (const plot of plots) {
      plot.draw();
      plot.remark();
    }
  };
  window.addEventListener("beforeprint", redraw(true));
  window.addEventListener("afterprint", redraw(false));
  selection.watchers.push(() => plots.forEach((plot) => plot.remark()));
  control(selection, tooltip);
  fillTables(study, selection);
  document.body.append(tooltip.root);
  return selection;
}

const study = new Study(JSON.parse(document.getElementById("data").textContent));
fillHeader(study);
fillWorkers(study);
document.getElementById("none").hidden = study.count > 0;
document.getElementById("thinned").hidden = study.every === 1;
setChildren("thinned", thinningNote(study));
for (const part of document.querySelectorAll(".results")) part.toggleAttribute("hidden", study.count === 0);
const kept = study.count ? keepChoices(show(study)) : () => null;
if (study.reload !== null) setTimeout(() => loadAgain(kept()), 1000 * study.reload);
