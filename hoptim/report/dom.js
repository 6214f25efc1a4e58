// Elements. Text goes in as text alone, so no name or failure is ever taken for HTML.

// Its name looks like an address, and no page of ours holds any.
const SVG = document.querySelector("svg").namespaceURI;

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function html(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

// Whether the page has the width that it is printed in.
function onPaper() {
  return document.documentElement.classList.contains("paper");
}

function shortened(text, most) {
  const marks = [...text];
  return marks.length <= most ? text : `${marks.slice(0, most - 1).join("")}\u2026`;
}

function facts(pairs) {
  return pairs.flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]);
}
