// Loading the page again, while its file is written again and again, with what its reader has chosen. A
// browser itself keeps the place to which the page is scrolled.

// The latest changes of controls, and the pinned trial, stay in the state of the tab's history.
function loadAgain(state) {
  history.replaceState(state, "");
  location.reload();
}

// Repeat what was chosen before the page was loaded again; returns what tells what is chosen now.
function keepChoices(selection) {
  const { study } = selection;
  const { choices, pinned } = history.state ?? { choices: new Map(), pinned: null };
  if (history.state) history.replaceState(null, ""); // whoever loads the page by hand begins anew
  for (const [id, [checked, value]] of choices) {
    const control = document.getElementById(id);
    if (control.closest("[hidden]")) continue; // a logarithm of values that are no longer all positive
    Object.assign(control, { checked, value }).dispatchEvent(new Event("change"));
  }
  if (study.index.has(pinned)) selection.pin(study.index.get(pinned));
  document.addEventListener("change", ({ target: { id, checked, value } }) => {
    if (id === "member") return; // kept as the pinned trial
    choices.delete(id); // so that the latest is the last
    choices.set(id, [checked, value]);
  });
  return () => ({ choices, pinned: study.number[selection.pinned] ?? null });
}
