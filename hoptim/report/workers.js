// Who trains what, and what deserves a look.

const WORKERS = ["Worker", "Heartbeat", "Trial", "Held for", "Step", "Member", "Attempt"];

function workerCells(held) {
  const { number, step, member, attempt, seconds, silent, lost, pid, host } = held;
  const sign = silent === null ? "none" : `${duration(Math.round(silent))} ago`;
  const worker = `${pid} on ${host}`;
  const heldFor = duration(Math.round(seconds));
  return [worker, lost ? `lost, ${sign}` : sign, number, heldFor, step, member, attempt].map(String);
}

// A table for anything that is no trial of the page; its rows are lists of texts.
function plainTable(caption, columns, rows) {
  const cells = (tag, texts) => texts.map((text) => html(tag, tag === "th" ? { scope: "col" } : {}, text));
  return html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    html(
      "table",
      {},
      html("thead", {}, html("tr", {}, ...cells("th", columns))),
      html("tbody", {}, ...rows.map((row) => html("tr", {}, ...cells("td", row)))),
    ),
  );
}

function fillWorkers({ running, warnings }) {
  const workers = new Set(running.map((held) => held.worker));
  const lost = new Set(running.filter((held) => held.lost).map((held) => held.worker));
  const alive = `${grouped(workers.size - lost.size)} at work`;
  const some = lost.size ? `${alive}, ${grouped(lost.size)} lost.` : `${alive}.`;
  const none = warnings.length ? "" : "No worker has a trial."; // a warning says as much, and what to do
  setChildren("workers-note", workers.size ? some : none);
  document.getElementById("warnings").hidden = warnings.length === 0;
  setChildren("warnings", ...warnings.map((text) => html("li", {}, text)));
  setChildren("workers", ...(running.length ? [plainTable("Workers", WORKERS, running.map(workerCells))] : []));
}
