// The report in the dashboard: who is at work now, and the page anew when trials have ended.

const IDLE = 3000; // milliseconds without a touch of the reader's, before the page is loaded again

let touched = -IDLE;
for (const kind of ["pointermove", "pointerdown", "keydown", "scroll"])
  addEventListener(kind, () => (touched = performance.now()), { capture: true, passive: true });

document.querySelector("header").prepend(
  html(
    "p",
    { class: "live" },
    ...(study.only ? [] : [html("a", { href: "/" }, "All studies")]),
    html("span", { id: "live", role: "status" }),
  ),
);

poll(`/news/${encodeURIComponent(study.name)}`, (news) => {
  if (news.error) return fillWorkers({ running: [], warnings: [news.error] });
  fillWorkers(news);
  if (news.finished !== study.finished && performance.now() - touched > IDLE) loadAgain(kept());
});
