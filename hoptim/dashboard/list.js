// The list of studies: a row each, and a plot of their best values for each mode.

const COLUMNS = {
  State: (row) => row.state ?? "cannot be read",
  Done: (row) => (row.error ? "" : `${grouped(row.finished)} of ${grouped(row.trials)}`),
  Best: (row) => (row.error ? "" : row.best === null ? "none yet" : readable(row.best)),
  Workers: (row) => (row.error ? "" : `${grouped(row.workers)}${row.lost ? `, ${grouped(row.lost)} lost` : ""}`),
  Failed: (row) =>
    row.error ? "" : `${grouped(row.failed)}${row.attempts ? ` (${grouped(row.attempts)} attempts)` : ""}`,
  "Time left": (row) => (row.remaining ? duration(Math.round(row.remaining)) : ""),
};

const data = JSON.parse(document.getElementById("data").textContent);
const rows = new Map(); // elements of each study's row, by name
let plots = [];
let drawn = "";
let pointed = [null]; // name of a study, with a step and a value where it is its line

function newRow(name, place) {
  const key = svg("svg", { width: 26, height: 12, "aria-hidden": "true" });
  key.append(svg("path", { d: "M0 6H26", class: lineClass(place) }));
  const link = html("a", { href: `/study/${encodeURIComponent(name)}` }, name);
  const cells = Object.keys(COLUMNS).map((label) => html("td", { "data-label": label }));
  const root = html(
    "tr",
    { "data-study": name, onpointerenter: () => highlight(name), onpointerleave: () => highlight(null) },
    html("th", { scope: "row" }, key, link),
    ...cells,
  );
  return { root, cells, place };
}

function fillRow({ cells }, row) {
  Object.values(COLUMNS).forEach((text, k) => {
    if (cells[k].textContent !== text(row)) cells[k].textContent = text(row);
  });
}

function highlight(...what) {
  pointed = what;
  const [name, step, value] = what;
  document.body.classList.toggle("pointing", name !== null);
  for (const element of document.querySelectorAll("[data-study]"))
    element.classList.toggle("pointed", element.getAttribute("data-study") === name);
  const text = name === null || step === undefined ? "" : `${name}: ${readable(value)} at step ${step}`;
  setChildren("pointed", text || "\u00a0");
}

function fillHeadline(all) {
  const sum = (key) => grouped(all.reduce((total, row) => total + (row[key] ?? 0), 0));
  const training = all.filter((row) => row.state === "training").length;
  const sums = [
    ["Studies", grouped(all.length), `${grouped(training)} training`],
    ["Workers", sum("workers"), `${sum("lost")} lost`],
    ["Trials", sum("finished"), `of ${sum("trials")}`],
    ["Failed", sum("failed"), "trials without a finite value"],
  ];
  const fact = (/** @type {string[]} */ [name, value, note]) =>
    html("div", {}, html("dt", {}, name), html("dd", {}, value), html("dd", { class: "note" }, note));
  setChildren("headline", ...sums.map(fact));
}

function fillWarnings({ rows: all, wrong }) {
  const said = [
    ...wrong.map((text) => ["places", text]),
    ...all.flatMap((row) => [row.error, ...(row.warnings ?? [])].filter(Boolean).map((text) => [row.name, text])),
  ];
  document.getElementById("attention").hidden = said.length === 0;
  setChildren("warnings", ...facts(said));
}

function fillPlots({ rows: all, log }) {
  const reached = all.filter((row) => row.curve?.length);
  const now = JSON.stringify(reached.map((row) => [row.name, row.curve]));
  if (now === drawn) return;
  drawn = now;
  plots.forEach((plot) => plot.watch.disconnect());
  const lines = reached.map((row) => ({ ...row, place: rows.get(row.name).place }));
  const modes = ["min", "max"].map((mode) => lines.filter((row) => row.mode === mode));
  const again = () => highlight(...pointed);
  plots = modes
    .filter((some) => some.length)
    .map((some) => new Overlay(some, log[some[0].mode], highlight, again));
  document.getElementById("comparison").hidden = plots.length === 0;
  setChildren("plots", ...plots.map((plot) => plot.root));
}

function fill(news) {
  for (const row of news.rows) {
    if (!rows.has(row.name)) rows.set(row.name, newRow(row.name, rows.size));
    fillRow(rows.get(row.name), row);
  }
  const body = document.querySelector("#studies tbody");
  const order = news.rows.map((row) => rows.get(row.name).root);
  if (order.length !== body.children.length || order.some((root, k) => root !== body.children[k]))
    body.replaceChildren(...order);
  document.getElementById("none").hidden = news.rows.length > 0;
  document.querySelector(".all").toggleAttribute("hidden", news.rows.length === 0);
  fillHeadline(news.rows);
  fillWarnings(news);
  fillPlots(news);
}

const names = ["Study", ...Object.keys(COLUMNS)];
setChildren(
  "studies",
  html("thead", {}, html("tr", {}, ...names.map((name) => html("th", { scope: "col" }, name)))),
  html("tbody"),
);
fill(data);
poll("/news", fill);
