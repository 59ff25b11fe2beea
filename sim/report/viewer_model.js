// The run that a page shows: its columns (sim/report/data.cc) as arrays, and what can be asked of
// them. Times are nanoseconds since the run began; an item is known by its place in the arrays.
'use strict';

const Kind = {
  turn: 0, message: 1, operation: 2, remark: 3, log: 4, fault: 5, span: 6, boot: 7, stop: 8,
  clock: 9, role: 10, violation: 11,
};
const KIND_NAMES = [
  'Turn', 'Message', 'Operation', 'Seen', 'Log', 'Fault', 'Fault', 'Start', 'Stop', 'Clock',
  'Role', 'Violation',
];
const MESSAGE_NAMES = ['data', 'connect', 'accept', 'refuse', 'close', 'reset'];
const STOP_NAMES = ['ends by itself', 'is killed', 'loses power'];
const State = {down: 0, running: 1, paused: 2, slow: 3, off: 4};
const STATE_NAMES = ['not running', 'running', 'paused', 'slow', 'without power'];
const Outcome = {replied: 0, silent: 1, unknown: 2, open: 3};
const LOST = 1;
const OPEN = 2;

// What can be shown or not: names for people, and the kinds of items.
const GROUPS = [
  {name: 'Messages', kinds: [Kind.message], on: true},
  {name: 'Operations', kinds: [Kind.operation], on: true},
  {name: 'Commands seen', kinds: [Kind.remark], on: true},
  {name: 'Turns', kinds: [Kind.turn], on: true},
  {name: 'Faults', kinds: [Kind.span], on: true},
  {name: 'Small faults', kinds: [Kind.fault], on: false},
  {name: 'Lives and roles', kinds: [Kind.boot, Kind.stop, Kind.clock, Kind.role], on: true},
  {name: 'Logs', kinds: [Kind.log], on: true},
];

function groupDigits(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, '\u2009');
}

function count(number, what) {
  return `${groupDigits(number)} ${what}${number === 1 ? '' : 's'}`;
}

function timeText(ns, digits = 9) {
  return `${(Math.floor(ns) / 1e9).toFixed(digits)} s`;
}

function spanText(ns) {
  const sign = ns < 0 ? '\u2212' : '';
  const size = Math.abs(ns);
  if (size < 1e3) return `${sign}${size} ns`;
  const [unit, name] = size < 1e6 ? [1e3, '\u00b5s'] : size < 1e9 ? [1e6, 'ms'] : [1e9, 's'];
  return `${sign}${Number((size / unit).toPrecision(4))} ${name}`;
}

// The last place of `list` (numbers that grow) whose number is at most `value`; -1 for none.
function lastAtMost(list, value) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

// Bytes on the wire as words: without the counts and sizes of RESP.
function wordsOf(text) {
  return text.replace(/(^|\\r\\n)[*$]\d+(?=\\r\\n)/g, '$1').replace(/(\\r\\n)+/g, ' ').trim() || text;
}

// What a checker has seen: the command first, then whose it was.
function seenText(text) {
  return text.replace(/^session (\d+) at \d+: (.*)$/, '$2 \u00b7 session $1');
}

// A column of which only values other than 0 are written: pairs of distance and value.
function sparse(pairs, into) {
  let at = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    at += pairs[i];
    into[at] = pairs[i + 1];
  }
  return into;
}

class Run {
  constructor(data) {
    this.data = data;
    this.texts = data.texts;
    this.violation = data.violation;
    this.end = Math.max(data.end, 1);
    const n = this.n = data.kind.length;
    this.kind = new Uint8Array(n);
    this.host = Int32Array.from(data.host);
    this.at = new Float64Array(n);
    this.until = new Float64Array(n);
    this.cause = new Int32Array(n).fill(-1);
    this.text = Uint32Array.from(data.text);
    let at = 0;
    const lasts = sparse(data.lasts, new Float64Array(n));
    for (let i = 0; i < n; ++i) {
      this.kind[i] = data.kind.charCodeAt(i) - 97;
      at += data.at[i];
      this.at[i] = at;
      this.until[i] = at + lasts[i];
      if (data.cause[i] > 0) this.cause[i] = i - data.cause[i];
    }
    this.detail = sparse(data.detail, new Uint8Array(n));
    this.to = sparse(data.to, new Int32Array(n)).map((host) => host - 1);
    this.number = sparse(data.number, new Float64Array(n));
    this.drift = sparse(data.drift, new Int32Array(n));
    this.flags = sparse(data.flags, new Uint8Array(n));
    this.reply = sparse(data.reply, new Uint32Array(n));
    this.result = sparse(data.result, new Int32Array(n)).map((item) => item - 1);
    this.via = sparse(data.via, new Uint32Array(n));
    this.gap = sparse(data.gap, new Uint32Array(n));
    this.readHosts();
    this.linkEffects();
    this.stackOperations();
  }

  readHosts() {
    const pairs = (list) => {
      const times = [];
      const values = [];
      for (let i = 0; i < list.length; i += 2) {
        times.push(list[i]);
        values.push(list[i + 1]);
      }
      return {times, values};
    };
    this.hosts = this.data.hosts.map((host, index) => ({
      index, name: host.name, boots: host.boots, states: pairs(host.states),
      offsets: pairs(host.offsets), roles: [], clocks: [], levels: 0,
      greatest: host.offsets.reduce((most, value, i) => (i % 2 ? Math.max(most, value) : most), 0),
    }));
    for (let i = 0; i < this.n; ++i) {
      const host = this.hosts[this.host[i]];
      if (!host) continue;
      if (this.kind[i] === Kind.role) host.roles.push(i);
      if (this.kind[i] === Kind.clock) host.clocks.push(i);
    }
    this.joined = new Map();  // a span's other hosts
    for (let i = 0; i < this.data.joined.length; i += 2) {
      const span = this.data.joined[i];
      if (!this.joined.has(span)) this.joined.set(span, []);
      this.joined.get(span).push(this.data.joined[i + 1]);
    }
  }

  // The items that each item led to, as slices of one list.
  linkEffects() {
    this.effectsStart = new Uint32Array(this.n + 1);
    for (let i = 0; i < this.n; ++i) if (this.cause[i] >= 0) ++this.effectsStart[this.cause[i] + 1];
    for (let i = 0; i < this.n; ++i) this.effectsStart[i + 1] += this.effectsStart[i];
    const next = this.effectsStart.slice();
    this.effectsList = new Uint32Array(this.effectsStart[this.n]);
    for (let i = 0; i < this.n; ++i) {
      if (this.cause[i] >= 0) this.effectsList[next[this.cause[i]]++] = i;
    }
  }

  effects(item) {
    return this.effectsList.subarray(this.effectsStart[item], this.effectsStart[item + 1]);
  }

  // Operations of a client that overlap lie above one another, on a few levels.
  stackOperations() {
    const most = 6;
    this.level = new Uint8Array(this.n);
    const busy = this.hosts.map(() => []);
    for (let i = 0; i < this.n; ++i) {
      if (this.kind[i] !== Kind.operation || !this.hosts[this.host[i]]) continue;
      const levels = busy[this.host[i]];
      let level = levels.findIndex((until) => until <= this.at[i]);
      if (level < 0) level = levels.length < most ? levels.length : i % most;
      levels[level] = Math.max(levels[level] || 0, this.until[i]);
      this.level[i] = level;
      const host = this.hosts[this.host[i]];
      host.levels = Math.max(host.levels, level + 1);
    }
  }

  hostName(host) {
    return this.hosts[host] ? this.hosts[host].name : 'nowhere';
  }

  faultName(item) {
    return this.data.faultNames[this.detail[item]] || 'fault';
  }

  stateAt(host, time) {
    const place = lastAtMost(this.hosts[host].states.times, time);
    return place < 0 ? State.down : this.hosts[host].states.values[place];
  }

  offsetAt(host, time) {
    const place = lastAtMost(this.hosts[host].offsets.times, time);
    return place < 0 ? null : this.hosts[host].offsets.values[place];
  }

  lastOf(items, time) {
    let found = -1;
    for (const item of items) if (this.at[item] <= time) found = item;
    return found;
  }

  // "primary, epoch 3"; empty when nobody has said.
  roleAt(host, time) {
    const item = this.lastOf(this.hosts[host].roles, time);
    if (item < 0) return '';
    return `${this.texts[this.text[item]]} \u00b7 epoch ${this.number[item]}`;
  }

  // How far the wall clock is off, in ns.
  clockAt(host, time) {
    const item = this.lastOf(this.hosts[host].clocks, time);
    if (item < 0) return 0;
    return this.number[item] * 1e3 + (time - this.at[item]) * this.drift[item] / 1e6;
  }

  textOf(item) {
    return this.texts[this.text[item]];
  }

  replyOf(item) {
    return this.texts[this.reply[item]];
  }

  // A line about the item, without its host and time.
  describe(item) {
    const text = this.textOf(item);
    switch (this.kind[item]) {
      case Kind.turn: return `works ${spanText(this.until[item] - this.at[item])}`;
      case Kind.message: {
        const kind = this.detail[item] === 0 ? wordsOf(text) : MESSAGE_NAMES[this.detail[item]];
        return `${this.flags[item] & LOST ? '(lost) ' : ''}${kind || 'data'}`;
      }
      case Kind.operation:
        switch (this.detail[item]) {
          case Outcome.replied: return `${text} \u2192 ${wordsOf(this.replyOf(item))}`;
          case Outcome.silent: return `${text} (no reply wanted)`;
          case Outcome.unknown: return `${text} \u2192 unknown: the connection ended`;
          default: return `${text} \u2192 not answered yet`;
        }
      case Kind.remark: return seenText(text);
      case Kind.fault: return this.faultName(item);
      case Kind.span: return this.faultName(item) + (text ? `: ${text}` : '');
      case Kind.boot: return this.number[item] > 1 ? `starts again (${this.number[item]})` : 'starts';
      case Kind.stop: return STOP_NAMES[this.detail[item]] || 'stops';
      case Kind.clock:
        return `clock ${this.number[item] < 0 ? '' : '+'}${spanText(this.number[item] * 1e3)}` +
            (this.drift[item] ? `, drift ${this.drift[item]} ppm` : '');
      case Kind.role: return `${text}, epoch ${this.number[item]}`;
      case Kind.violation: return this.violation ? `violation of ${this.violation.checker}` : 'violation';
      default: return text;
    }
  }

  // Who it concerns: "client1 -> node".
  who(item) {
    if (this.kind[item] === Kind.message) {
      return `${this.hostName(this.host[item])} \u2192 ${this.hostName(this.to[item])}`;
    }
    if (this.kind[item] === Kind.violation && this.violation.node) return this.violation.node;
    const others = this.joined.get(item);
    const name = this.host[item] < 0 ? 'world' : this.hostName(this.host[item]);
    return others ? [name, ...others.map((host) => this.hostName(host))].join(', ') : name;
  }

  concerns(item, host) {
    return this.host[item] === host || this.to[item] === host ||
        (this.joined.has(item) && this.joined.get(item).includes(host));
  }

  // From where the path to an item is followed: of an operation, from its reply.
  pathStart(item) {
    return this.result[item] >= 0 && this.result[item] !== item ? this.result[item] : this.cause[item];
  }

  // The item and what led to it, the nearest first, no more than `most`.
  path(item, most) {
    const path = [item];
    for (let at = this.pathStart(item); at >= 0 && path.length < most; at = this.cause[at]) path.push(at);
    return path;
  }

  has(item, needle) {
    return this.texts[this.text[item]].toLowerCase().includes(needle) ||
        this.texts[this.reply[item]].toLowerCase().includes(needle);
  }

  search(needle) {
    const wanted = needle.trim().toLowerCase();
    if (!wanted) return [];
    const known = this.texts.map((text) => text.toLowerCase().includes(wanted));
    const found = [];
    for (let i = 0; i < this.n; ++i) {
      if (known[this.text[i]] || known[this.reply[i]] ||
          ((this.kind[i] === Kind.span || this.kind[i] === Kind.fault) &&
           this.faultName(i).includes(wanted))) {
        found.push(i);
      }
    }
    return found;
  }
}

// What is shown, of all that there is.
class Filter {
  constructor(run) {
    this.run = run;
    this.groups = GROUPS.map((group) => group.on);
    this.messages = MESSAGE_NAMES.map(() => true);
    this.onlyLost = false;
    this.hosts = run.hosts.map(() => true);
    this.text = '';
    this.apply();
  }

  apply() {
    const {run} = this;
    const kinds = new Array(KIND_NAMES.length).fill(true);
    GROUPS.forEach((group, i) => group.kinds.forEach((kind) => { kinds[kind] = this.groups[i]; }));
    const needle = this.text.trim().toLowerCase();
    this.shown = new Uint8Array(run.n);
    this.list = [];
    for (let i = 0; i < run.n; ++i) {
      if (!this.shows(i, kinds, needle)) continue;
      this.shown[i] = 1;
      this.list.push(i);
    }
  }

  shows(item, kinds, needle) {
    const {run} = this;
    const kind = run.kind[item];
    if (kind === Kind.violation) return true;
    if (!kinds[kind]) return false;
    if (kind === Kind.message) {
      if (!this.messages[run.detail[item]]) return false;
      if (this.onlyLost && !(run.flags[item] & LOST)) return false;
      if (!this.hosts[run.host[item]] && !this.hosts[run.to[item]]) return false;
    } else if (run.host[item] >= 0 && !this.hosts[run.host[item]]) {
      const others = run.joined.get(item);
      if (!others || !others.some((host) => this.hosts[host])) return false;
    }
    const spoken = kind === Kind.message || kind === Kind.operation || kind === Kind.remark;
    return !needle || !spoken || run.has(item, needle);
  }

  get narrowed() {
    return this.groups.some((on, i) => on !== GROUPS[i].on) || this.messages.includes(false) ||
        this.hosts.includes(false) || this.onlyLost || this.text !== '';
  }
}
