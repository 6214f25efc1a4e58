// The schedule of a trial's weights, in the formats of hoptim.Schedule.

const FIXED = ["age", "seed", "value", "trial", "member", "step"]; // columns to the left of the params

// True if a hyperparameter was active in a trial.
function isActive(param, i) {
  return param.column[i] !== null;
}

// The JSON text of a hyperparameter's value.
function paramJson(param, i) {
  if (!isActive(param, i)) return "null";
  if (param.choices) return param.choices[param.column[i]];
  return param.type === "Int" ? String(param.column[i]) : exactFloat(param.column[i]);
}

// A hyperparameter's value as readable text; a string as it is, and none where it was not active.
function paramText(param, i) {
  if (!isActive(param, i)) return "";
  return param.choices ? choiceText(param.choices[param.column[i]]) : readable(param.column[i]);
}

function choiceText(json) {
  return json.startsWith('"') ? JSON.parse(json) : json;
}

/** @param {Study} study */
function fixedJson(study, i) {
  const own = study.trials;
  const whole = [
    own.age[i],
    own.seed[i],
    exactFloat(study.value[i]),
    own.number[i],
    own.member[i],
    own.step[i],
  ];
  return whole.map(String);
}

/** @param {Study} study */
function scheduleJson(study, line) {
  const intervals = line.map((i) => {
    const active = study.params.filter((p) => isActive(p, i));
    const params = active.map((p) => `${JSON.stringify(p.name)}: ${paramJson(p, i)}`);
    const fixed = fixedJson(study, i).map((text, k) => `"${FIXED[k]}": ${text}`);
    return `  {${fixed.join(", ")}, "params": {${params.join(", ")}}}`;
  });
  return `{"format": 1, "space": ${study.space},\n "intervals": [\n${intervals.join(",\n")}\n]}\n`;
}

/** @param {Study} study */
function scheduleCsv(study, line) {
  const rows = line.map((i) => [...fixedJson(study, i), ...study.params.map((p) => cell(paramJson(p, i)))]);
  const names = [...FIXED, ...study.params.map((p) => p.name)];
  return [names, ...rows].map((row) => `${row.map(quoted).join(",")}\n`).join("");
}

// A JSON scalar as text; a string in quotes only if it could be taken for another scalar, or holds half a
// surrogate, which a UTF-8 file cannot.
function cell(json) {
  if (!json.startsWith('"')) return json;
  const text = JSON.parse(json);
  if (/^\s*(NaN|-?Infinity)\s*$|\p{Cs}/u.test(text)) return json;
  try {
    JSON.parse(text);
    return json;
  } catch {
    return text;
  }
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
