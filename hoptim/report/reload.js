// Loading the page again, while its file is written again and again, as its reader left it.

// The state stays with the tab.
function loadAgain(state) {
  history.replaceState(state, "");
  location.reload();
}

// Repeat what was chosen before the page was loaded again; returns what tells that at any time.
/** @param {TrialSelection} selection */
function keepChoices(selection) {
  const { study } = selection;
  const { choices = new Map(), pinned, place } = history.state ?? {};
  if (history.state) history.replaceState(null, ""); // whoever loads the page by hand begins anew
  for (const [id, [checked, value]] of choices) {
    const control = document.getElementById(id);
    if (control.closest("[hidden]")) continue; // a logarithm of values that are no longer all positive
    Object.assign(control, { checked, value }).dispatchEvent(new Event("change"));
  }
  if (study.index.has(pinned)) selection.pin(study.index.get(pinned));
  if (place) scrollTo(0, place);
  document.addEventListener("change", ({ target }) => {
    const { id, checked, value } = /** @type {HTMLInputElement} */ (target);
    if (id === "member") return; // kept as the pinned trial
    choices.delete(id); // so that the latest is the last
    choices.set(id, [checked, value]);
  });
  return () => ({ choices, pinned: study.number[selection.pinned], place: scrollY });
}
