// The study: columns by index of a trial, and the trials' descent.

const NUMBERS = { nan: NaN, inf: Infinity, "-inf": -Infinity };

function decoded(column) {
  return Float64Array.from(column, (value) => (value === null ? NaN : (NUMBERS[value] ?? value)));
}

class Study {
  // What data.py writes, with the columns in `trials`; the dashboard adds `only`.
  name; optimizer; mode; size; steps; seed; reload; written; began; complete; every; finished; failed; copied;
  best; best_ever; log; space; params; metrics; given; failures; trials; running; warnings; only;

  constructor(data) {
    Object.assign(this, data);
    this.sign = data.mode === "min" ? 1 : -1;
    this.count = data.trials.number.length;
    const { number, member, step, parent } = data.trials;
    this.number = number;
    this.member = member;
    this.step = step;
    this.value = decoded(data.trials.value);
    this.valued = data.trials.value.map((value) => value !== null); // others were trained and not valued
    this.index = new Map(number.map((n, i) => [n, i]));
    this.parent = Int32Array.from(parent, (n) => this.index.get(n) ?? -1);
    this.members = Array.from({ length: data.size }, () => []);
    this.byStep = Array.from({ length: data.steps }, () => []);
    this.nth = new Int32Array(this.count); // place among those of its member
    for (let i = 0; i < this.count; i++) {
      this.nth[i] = this.members[member[i]].push(i) - 1; // a member's trials have rising numbers
      this.byStep[step[i]].push(i);
    }
    this.latest = this.members.filter((own) => own.length).map((own) => own.at(-1));
    this.winner = data.best === null ? -1 : this.index.get(data.best);
    this.winnerLine = this.winner < 0 ? [] : this.ancestors(this.winner);
    this.exploits = this.number.map((_, i) => i).filter((i) => this.isExploit(i));
  }

  // A trial and its ancestors, the one with fresh weights first.
  ancestors(i) {
    const line = [];
    for (let at = i; at >= 0; at = this.parent[at]) line.push(at);
    return line.reverse();
  }

  // True if a trial stands for weights that start= gave, and was not trained.
  isGiven(i) {
    return this.given.includes(this.number[i]);
  }

  // The member's trial before, among those shown; -1 for its first.
  previous(i) {
    return this.nth[i] === 0 ? -1 : this.members[this.member[i]][this.nth[i] - 1];
  }

  // The member's last trial up to a step, -1 without any.
  upTo(member, step) {
    const own = this.members[member];
    let [low, high] = [0, own.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.step[own[middle]] <= step) low = middle + 1;
      else high = middle;
    }
    return low ? own[low - 1] : -1;
  }

  // True if the trials of all members are shown.
  isWhole(step) {
    return step % this.every === 0;
  }

  isExploit(i) {
    const donor = this.parent[i];
    return donor >= 0 && this.step[i] > 0 && this.member[donor] !== this.member[i];
  }

  // A mask of the members' latest trials and all their ancestors.
  survivors() {
    const alive = new Uint8Array(this.count);
    for (const i of this.latest) alive[i] = 1;
    for (let i = this.count - 1; i >= 0; i--)
      if (alive[i] && this.parent[i] >= 0) alive[this.parent[i]] = 1;
    return alive;
  }

  // A place between 0 and 1 for each trial, such that no line to a parent crosses another: within a step,
  // the children of one parent lie side by side, in the order of the parents.
  treePlaces() {
    const place = new Float64Array(this.count);
    for (const level of this.byStep) {
      const from = (i) =>
        this.parent[i] >= 0 ? place[this.parent[i]] : this.previous(i) >= 0 ? place[this.previous(i)] : 0;
      if (level.length && !this.isWhole(this.step[level[0]])) {
        for (const i of level) place[i] = from(i);
        continue;
      }
      const order = level
        .map((i) => [from(i), this.isExploit(i), i])
        .sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      order.forEach(([, , i], k) => (place[i] = (k + 0.5) / order.length));
    }
    return place;
  }

  hasFailed(i) {
    return this.valued[i] && !Number.isFinite(this.value[i]);
  }

  // The rank among all trials of the same step, 1 for the best; NaN if it failed or not all are shown.
  rank(i) {
    const own = this.sign * this.value[i];
    if (!Number.isFinite(own) || !this.isWhole(this.step[i])) return NaN;
    return 1 + this.byStep[this.step[i]].filter((j) => this.sign * this.value[j] < own).length;
  }
}
