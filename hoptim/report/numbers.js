// Numbers as text, for people and for programs.

const MINUS = "\u2212";

// Six significant digits.
function readable(x) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Number.isInteger(x) && Math.abs(x) < 1e15) return String(x);
  const size = Math.abs(x);
  return size < 1e-4 || size >= 1e7 ? exponent(x.toExponential(5)) : String(Number(x.toPrecision(6)));
}

function exponent(text) {
  return text.replace(/\.?0*e/, "e").replace("e+", "e");
}

// A tick's label: short, with the digits in which neighbouring ticks differ.
function tickText(x, digits) {
  const size = Math.abs(x);
  if (x === 0) return "0";
  return size < 1e-3 || size >= 1e6
    ? exponent(x.toExponential(Math.max(0, digits + Math.floor(Math.log10(size)))))
    : x.toFixed(Math.max(0, digits));
}

// The shortest text that gives back the same float, written as a float in Python and JSON.
function exactFloat(x) {
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "Infinity" : "-Infinity";
  const text = Object.is(x, -0) ? "-0" : String(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function clamped(x, low, high) {
  return Math.max(low, Math.min(x, high));
}

function grouped(n) {
  return n.toLocaleString("en-US");
}

function counted(n, noun) {
  return `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
}

function duration(seconds) {
  if (!(seconds >= 0)) return "unknown";
  if (seconds < 120) return `${Number(seconds.toPrecision(3))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} days`;
}

function moment(seconds) {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
