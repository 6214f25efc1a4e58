// Tables that show their rows page by page, so that thousands cost nothing.

const ROWS = 50;

class Table {
  // columns: names; cells(i): texts of a trial's row; empty: text for no rows; textual: columns of text
  constructor(selection, { caption, columns, cells, empty, textual = [] }) {
    this.selection = selection;
    this.cells = cells;
    this.textual = textual;
    this.first = 0;
    this.rows = [];
    this.body = html("tbody");
    const head = html(
      "tr",
      {},
      ...columns.map((name, k) =>
        html("th", { scope: "col", class: textual.includes(k) ? "text" : "" }, name),
      ),
    );
    this.range = html("span", { role: "status" });
    this.previous = html("button", { type: "button", onclick: () => this.turn(-ROWS) }, "Previous");
    this.next = html("button", { type: "button", onclick: () => this.turn(ROWS) }, "Next");
    this.pager = html("p", { class: "pager" }, this.previous, this.next, this.range);
    this.scroll = html(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      html("table", {}, html("thead", {}, head), this.body),
    );
    this.none = html("p", { class: "none" }, empty);
    this.root = html("div", {}, this.none, this.scroll, this.pager);
  }

  show(rows) {
    this.rows = rows;
    this.first = 0;
    this.fill();
  }

  turn(by) {
    this.first += by;
    this.fill();
  }

  fill() {
    const until = Math.min(this.first + ROWS, this.rows.length);
    this.body.replaceChildren(...this.rows.slice(this.first, until).map((i) => this.row(i)));
    this.none.hidden = this.rows.length > 0;
    this.scroll.hidden = this.rows.length === 0;
    this.pager.hidden = this.rows.length <= ROWS;
    this.previous.disabled = this.first === 0;
    this.next.disabled = until === this.rows.length;
    const [from, to, all] = [this.first + 1, until, this.rows.length].map(grouped);
    this.range.textContent = `Rows ${from} to ${to} of ${all}`;
  }

  // The first cell is a button, so that a keyboard can do what a pointer does on the row.
  row(i) {
    const { selection } = this;
    const [first, ...rest] = this.cells(i);
    const button = html(
      "button",
      {
        type: "button",
        class: "link",
        title: "Pin this trial",
        onfocus: () => selection.hover(i),
        onblur: () => selection.leave(),
      },
      first,
    );
    return html(
      "tr",
      {
        onpointerenter: () => selection.hover(i),
        onpointerleave: () => selection.leave(),
        onclick: () => selection.pin(i),
        "data-trial": selection.study.number[i],
      },
      html("td", {}, button),
      ...rest.map((text, k) => html("td", { class: this.textual.includes(k + 1) ? "text" : "" }, text)),
    );
  }
}

/** @param {TrialSelection} selection */
function exploitTable(selection) {
  const { study } = selection;
  return new Table(selection, {
    caption: "Exploits",
    columns: ["Trial", "Step", "Member", "Value before", "Copied from", "Donor's value", "Value after"],
    empty: "No member has continued from another member's weights yet.",
    cells: (i) => {
      const [own, donor] = [study.previous(i), study.parent[i]];
      return [
        study.number[i],
        study.step[i],
        study.member[i],
        readable(study.value[own]),
        `member ${study.member[donor]}`,
        readable(study.value[donor]),
        readable(study.value[i]),
      ].map(String);
    },
  });
}

/** @param {TrialSelection} selection */
function failureTable(selection, why) {
  const { study } = selection;
  return new Table(selection, {
    caption: "Failures",
    columns: ["Trial", "Step", "Member", "Attempts", "Why"],
    textual: [4],
    empty: "No trial has failed for good.",
    cells: (i) => [
      ...[study.number[i], study.step[i], study.member[i], study.trials.attempt[i]].map(String),
      why.get(study.number[i]) ?? `told the value ${readable(study.value[i])}`,
    ],
  });
}

/** @param {TrialSelection} selection */
function scheduleTable(selection) {
  const { study } = selection;
  return new Table(selection, {
    caption: "The winner's schedule",
    columns: ["Trial", "Age", "Step", "Member", ...study.params.map((param) => param.name), "Value"],
    empty: "No member's latest trial has a finite value yet.",
    cells: (i) => [
      ...[study.number[i], study.trials.age[i], study.step[i]].map(String),
      `${study.member[i]}${study.isExploit(i) ? ` (from ${study.member[study.parent[i]]})` : ""}`,
      ...study.params.map((param) => paramText(param, i)),
      readable(study.value[i]),
    ],
  });
}
