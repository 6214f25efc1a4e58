// Elements. Text is added as text nodes only, so no name or failure message is ever parsed as HTML.

// Read from the page, because the namespace's name looks like an address, and the page contains none.
const SVG = document.querySelector("svg").namespaceURI;

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function setChildren(id, ...nodes) {
  document.getElementById(id).replaceChildren(...nodes);
}

// A control by its id: an input, a select or a button.
/** @returns {any} */
function field(id) {
  return document.getElementById(id);
}

// True while the page has the width that it is printed in.
function isPrinting() {
  return document.documentElement.classList.contains("paper");
}

function shortened(text, limit) {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}\u2026`;
}

function facts(pairs) {
  return pairs.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]);
}
