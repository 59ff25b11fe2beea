// Draws the lanes and the overview above them, as `view` says; knows nothing of the rest of the page.

function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = [
    'page', 'surface', 'raised', 'sunken', 'ink', 'soft', 'faint', 'line', 'strong-line', 'accent',
    'accent-soft', 'alarm', 'alarm-soft', 'good', 'running', 'down', 'paused', 'slow', 'off', 'turn',
    'message', 'message-quiet', 'lost', 'operation', 'operation-soft', 'operation-open', 'remark',
    'fault', 'fault-soft', 'offset',
  ];
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

// Room for at least so many pixels between two marks of the scale: 1, 2 or 5 times a power of ten.
function scaleStep(nsPerPixel, pixels) {
  const least = nsPerPixel * pixels;
  const power = 10 ** Math.floor(Math.log10(least));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= least * 0.999);
  return Math.max(1, times * power);
}

class Picture extends Lanes {
  constructor(run, filter, view) {
    super(run, filter, view);
    this.colours = colours();
  }

  draw() {
    const g = this.canvas.getContext('2d');
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.clearRect(0, 0, this.width, this.height);
    g.fillStyle = this.colours.surface;
    g.fillRect(0, 0, this.width, this.height);
    this.g = g;
    g.save();
    g.beginPath();
    g.rect(this.label, 0, this.width - this.label, this.height);
    g.clip();
    this.drawGrid();
    for (const lane of this.lanes) if (this.visible(lane)) this.drawLane(lane);
    this.drawItems();
    this.drawViolation();
    this.drawSelection();
    g.restore();
    this.drawLabels();
    this.drawAxis();
    this.drawOverview();
  }

  drawGrid() {
    const {g, colours: c} = this;
    this.lanes.forEach((lane, i) => {
      if (!this.visible(lane)) return;
      g.fillStyle = i % 2 ? c.raised : c.surface;
      g.fillRect(this.label, this.top(lane), this.width - this.label, lane.height);
    });
    const step = scaleStep(1 / this.scale, 110);
    g.fillStyle = c.page;  // before the run and after it
    if (this.view.from < 0) g.fillRect(this.label, AXIS, this.x(0) - this.label, this.height);
    if (this.view.until > this.run.end) {
      g.fillRect(this.x(this.run.end), AXIS, this.width - this.x(this.run.end), this.height);
    }
    g.strokeStyle = c.line;
    g.lineWidth = 1;
    g.beginPath();
    for (let t = Math.ceil(this.view.from / step) * step; t <= this.view.until; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      g.moveTo(x, AXIS);
      g.lineTo(x, this.height);
    }
    g.stroke();
  }

  // How the host is, how busy, where its stream has got to.
  drawLane(lane) {
    const {g, run, colours: c, view} = this;
    const host = run.hosts[lane.host];
    const y = this.life(lane);
    const fills = [c.down, c.running, c.paused, c.slow, c.off];
    const {times, values} = host.states;
    const right = Math.min(this.width, this.x(run.end));
    g.fillStyle = c.down;
    g.fillRect(this.x(0), y - 3, right - this.x(0), 6);
    for (let i = Math.max(0, lastAtMost(times, view.from)); i < times.length && times[i] <= view.until; ++i) {
      const from = Math.max(this.label, this.x(times[i]));
      const to = Math.min(right, i + 1 < times.length ? this.x(times[i + 1]) : right);
      g.fillStyle = fills[values[i]];
      const half = values[i] === State.running || values[i] === State.slow ? 4 : 3;
      g.fillRect(from, y - half, Math.max(1, to - from), half * 2);
      if (values[i] === State.off || values[i] === State.down) this.hatch(from, y - 3, to - from, 6);
    }
    this.drawDensity(lane);
    this.drawOffsets(lane);
  }

  hatch(x, y, width, height) {
    const {g, colours: c} = this;
    if (width < 4) return;
    g.save();
    g.beginPath();
    g.rect(x, y, width, height);
    g.clip();
    g.strokeStyle = c['strong-line'];
    g.lineWidth = 1;
    g.beginPath();
    const first = Math.max(x - height, -height) - (Math.max(x - height, -height) % 6);
    for (let at = first; at < Math.min(x + width, this.width); at += 6) {
      g.moveTo(at, y + height);
      g.lineTo(at + height, y);
    }
    g.stroke();
    g.restore();
  }

  // How much happened, also of what was left out: below the line of life, while bins are narrow.
  drawDensity(lane) {
    const {g, run, colours: c, view} = this;
    const {bins, density} = run.data;
    const bin = run.end / bins;
    if (bin * this.scale > 40) return;
    let most = 1;
    for (let i = 0; i < bins; ++i) most = Math.max(most, density[lane.host * bins + i]);
    const room = (lane.height - lane.strip) * 0.2;
    g.fillStyle = c['message-quiet'];
    g.globalAlpha = 0.35;
    const first = Math.max(0, Math.floor(view.from / bin));
    const last = Math.min(bins - 1, Math.floor(view.until / bin));
    for (let i = first; i <= last; ++i) {
      const value = density[lane.host * bins + i];
      if (value === 0) continue;
      const height = 1 + room * Math.log1p(value) / Math.log1p(most);
      g.fillRect(this.x(i * bin), this.life(lane) + 6, Math.max(1, bin * this.scale - 0.5), height);
    }
    g.globalAlpha = 1;
  }

  drawOffsets(lane) {
    const {g, run, colours: c, view} = this;
    const host = run.hosts[lane.host];
    const {times, values} = host.offsets;
    if (host.greatest === 0) return;
    const bottom = this.top(lane) + lane.height - 4;
    const room = (lane.height - lane.strip) * 0.22;
    g.strokeStyle = c.offset;
    g.lineWidth = 1.5;
    g.beginPath();
    let last = -1;
    let drawn = 0;
    const first = Math.max(0, lastAtMost(times, view.from));
    for (let i = first; i < times.length && (i === first || times[i - 1] <= view.until); ++i) {
      const x = Math.max(this.label - 2, Math.min(this.width + 2, this.x(times[i])));
      const y = bottom - room * values[i] / host.greatest;
      if (drawn === 0) g.moveTo(x, y);
      else g.lineTo(x, last);
      g.lineTo(x, y);
      last = y;
      ++drawn;
    }
    if (drawn > 0) g.lineTo(Math.min(this.width + 2, this.x(run.end)), last);
    g.stroke();
  }

  // All items in view, a kind at a time, so that the small ones lie above the large ones.
  drawItems() {
    const {run, view, filter} = this;
    const layers = Array.from(KIND_NAMES, () => []);
    const list = filter.list;
    for (let n = 0; n < list.length; ++n) {
      const i = list[n];
      if (run.at[i] > view.until) break;
      if (run.until[i] >= view.from) layers[run.kind[i]].push(i);
    }
    this.layers = layers;
    // As tall as what is in view allows.
    this.levels = new Uint8Array(run.hosts.length);
    for (const i of layers[Kind.operation]) {
      const host = run.host[i];
      if (this.levels[host] <= run.level[i]) this.levels[host] = run.level[i] + 1;
    }
    this.drawSpans(layers[Kind.span]);
    this.drawMessages(layers[Kind.message]);
    this.drawOperations(layers[Kind.operation]);
    this.drawTurns(layers[Kind.turn]);
    if (this.fewMessages) this.drawMessageTexts(layers[Kind.message]);
    this.drawTicks(layers[Kind.remark], this.colours.remark, 9);
    this.drawTicks(layers[Kind.log], this.colours.soft, 13);
    this.drawDiamonds(layers[Kind.fault], this.colours.fault, 3.5);
    this.drawDiamonds(layers[Kind.clock], this.colours.accent, 4);
    this.drawDiamonds(layers[Kind.role], this.colours.offset, 4.5);
    this.drawLives(layers[Kind.boot], layers[Kind.stop]);
    this.drawMatches();
  }

  drawSpans(items) {
    const {g, run, colours: c} = this;
    g.font = `600 11px ${FONT}`;
    g.textBaseline = 'alphabetic';
    const labels = new Map();  // by lane: where the last one ends
    for (const item of items) {
      const from = Math.max(this.label, this.x(run.at[item]));
      const to = Math.min(this.width, this.x(run.until[item]));
      for (const lane of this.spanLanes(item)) {
        const top = this.top(lane);
        g.fillStyle = c['fault-soft'];
        g.fillRect(from, top, Math.max(1.5, to - from), lane.height);
        g.fillStyle = c.fault;
        g.fillRect(from, top, Math.max(1.5, to - from), 2);
        const text = run.describe(item);
        const width = g.measureText(text).width;
        if (from + 5 < (labels.get(lane) || 0) || to - from < Math.min(width + 10, 46)) continue;
        g.save();
        g.beginPath();
        g.rect(from, top, to - from, lane.height);
        g.clip();
        const busy = run.hosts[lane.host].levels > 0;  // operations are drawn at the top
        g.fillText(text, from + 5, busy ? top + lane.height - 5 : top + lane.strip + 14);
        g.restore();
        labels.set(lane, from + 5 + width + 8);
      }
    }
  }

  drawOperations(items) {
    const {g, run, colours: c} = this;
    g.font = `11px ${MONO}`;
    g.textBaseline = 'middle';
    const lastX = new Map();
    for (const item of items) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const from = Math.max(this.label - 2, this.x(run.at[item]));
      const to = Math.min(this.width + 2, this.x(run.until[item]));
      const width = Math.max(1.5, to - from);
      const key = lane.host * 8 + run.level[item];
      const pixel = Math.round(to);
      if (width < 3 && lastX.get(key) === pixel) continue;
      lastX.set(key, pixel);
      const {y, height} = this.operationBox(lane, item);
      const unknown = run.detail[item] === Outcome.unknown || run.detail[item] === Outcome.open;
      g.fillStyle = c['operation-soft'];
      g.fillRect(from, y, width, height);
      g.fillStyle = unknown ? c['operation-open'] : c.operation;
      g.fillRect(from, y, width < 6 ? width : 2, height);
      if (width > 6) g.fillRect(from, y + height - 1.5, width, 1.5);
      if (height < 11 || width < 28) continue;
      g.save();
      g.beginPath();
      g.rect(from, y, width - 2, height);
      g.clip();
      g.fillStyle = c.ink;
      g.fillText(run.describe(item), Math.max(from, this.label) + 5, y + height / 2);
      g.restore();
    }
  }

  drawTurns(items) {
    const {g, run, colours: c} = this;
    const lastX = new Map();
    g.fillStyle = c.turn;
    for (const item of items) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const from = this.x(run.at[item]);
      const width = Math.max(1, this.x(run.until[item]) - from);
      const pixel = Math.round(from);
      if (width <= 1 && lastX.get(lane.host) === pixel) continue;
      lastX.set(lane.host, pixel);
      g.fillRect(from, this.life(lane) - 4, width, 8);
    }
  }

  drawMessages(items) {
    const {g, run, colours: c} = this;
    const seen = new Map();
    const sorts = [[], [], []];  // data, the life of connections, lost
    for (const item of items) {
      const pair = run.host[item] * 65536 + run.to[item];
      const x0 = Math.round(this.x(run.at[item]));
      const x1 = Math.round(this.x(run.until[item]));
      const lost = (run.flags[item] & LOST) !== 0;
      const place = x0 * 16384 + x1 + (lost ? 0.5 : 0);
      if (seen.get(pair) === place) continue;
      seen.set(pair, place);
      const line = this.arrow(item);
      if (line) sorts[lost ? 2 : run.detail[item] === 0 ? 0 : 1].push(line);
    }
    const many = sorts[0].length + sorts[1].length;
    const crowded = many > 400;
    const faint = Math.max(0.08, Math.min(0.6, 200 / many));  // what lies below is to be seen
    const strokes = [c.message, c['message-quiet'], c.lost];
    sorts.forEach((lines, sort) => {
      g.strokeStyle = g.fillStyle = strokes[sort];
      g.globalAlpha = sort === 2 ? (lines.length > 60 ? 0.4 : 0.9) : crowded ? faint : 0.9;
      g.lineWidth = crowded ? 0.8 : 1.3;
      if (sort === 1) g.setLineDash([2, 3]);
      if (sort === 2) g.setLineDash([5, 3]);
      g.beginPath();
      for (const {x0, y0, x1, y1} of lines) {
        g.moveTo(x0, y0);
        g.lineTo(x1, y1);
      }
      g.stroke();
      g.setLineDash([]);
      if (crowded && sort < 2) return;
      for (const line of lines) sort === 2 ? this.cross(line) : this.head(line);
    });
    g.globalAlpha = 1;
    this.fewMessages = sorts[0].length + sorts[2].length <= 24;
  }

  // What the messages say, while there are few.
  drawMessageTexts(items) {
    const {g, run, colours: c} = this;
    g.font = `10.5px ${MONO}`;
    g.textBaseline = 'middle';
    const taken = [];
    for (const item of items) {
      const text = wordsOf(run.textOf(item));
      const line = text ? this.arrow(item) : null;
      if (!line) continue;
      const shown = text.length > 36 ? `${text.slice(0, 35)}\u2026` : text;
      const width = g.measureText(shown).width + 8;
      for (const share of [0.5, 0.3, 0.7, 0.15]) {
        const x = line.x0 + (line.x1 - line.x0) * share + 4;
        const y = line.y0 + (line.y1 - line.y0) * share;
        if (x < this.label || x + width > this.width || y < AXIS + 8 || y > this.height - 8) continue;
        if (taken.some((box) => x < box.right && box.left < x + width && Math.abs(y - box.y) < 15)) continue;
        taken.push({left: x, right: x + width, y});
        g.globalAlpha = 0.88;
        g.fillStyle = c.surface;
        g.fillRect(x, y - 7, width, 14);
        g.globalAlpha = 1;
        g.fillStyle = c.soft;
        g.fillText(shown, x + 4, y + 0.5);
        break;
      }
    }
  }

  head({x0, y0, x1, y1, open}) {
    const {g} = this;
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (open || length < 8 || x1 < this.label || x1 > this.width) return;
    const ux = (x1 - x0) / length;
    const uy = (y1 - y0) / length;
    g.beginPath();
    g.moveTo(x1, y1);
    g.lineTo(x1 - ux * 7 - uy * 3, y1 - uy * 7 + ux * 3);
    g.lineTo(x1 - ux * 7 + uy * 3, y1 - uy * 7 - ux * 3);
    g.fill();
  }

  cross({x1, y1}) {
    const {g} = this;
    g.lineWidth = 1.8;
    g.beginPath();
    g.moveTo(x1 - 4, y1 - 4);
    g.lineTo(x1 + 4, y1 + 4);
    g.moveTo(x1 - 4, y1 + 4);
    g.lineTo(x1 + 4, y1 - 4);
    g.stroke();
    g.lineWidth = 1.3;
  }

  drawTicks(items, colour, below) {
    const {g, run} = this;
    const lastX = new Map();
    g.fillStyle = colour;
    for (const item of items) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const x = Math.round(this.x(run.at[item]));
      if (lastX.get(lane.host) === x) continue;
      lastX.set(lane.host, x);
      g.fillRect(x - 1, this.life(lane) + below - 3, 2, 5);
    }
  }

  drawDiamonds(items, colour, size) {
    const {g, run} = this;
    g.fillStyle = colour;
    const lastX = new Map();
    for (const item of items) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const x = Math.round(this.x(run.at[item]));
      if (lastX.get(lane.host) === x) continue;
      lastX.set(lane.host, x);
      const y = this.life(lane);
      g.beginPath();
      g.moveTo(x, y - size);
      g.lineTo(x + size, y);
      g.lineTo(x, y + size);
      g.lineTo(x - size, y);
      g.fill();
    }
  }

  drawLives(boots, stops) {
    const {g, run, colours: c} = this;
    for (const item of boots) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const x = this.x(run.at[item]);
      const y = this.life(lane);
      g.fillStyle = c.good;
      g.beginPath();
      g.moveTo(x, y - 8);
      g.lineTo(x + 8, y);
      g.lineTo(x, y + 8);
      g.fill();
      if (run.number[item] < 2) continue;
      g.font = `600 10px ${FONT}`;
      g.textBaseline = 'alphabetic';
      g.fillText(`\u21bb${run.number[item]}`, x + 2, y - 10);
    }
    for (const item of stops) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      const x = this.x(run.at[item]);
      g.strokeStyle = c.lost;
      this.cross({x1: x, y1: this.life(lane)});
    }
  }

  drawMatches() {
    const {g, run, view, colours: c} = this;
    if (view.matches.length === 0) return;
    g.strokeStyle = c.accent;
    g.lineWidth = 1.5;
    let last = -10;
    for (const item of view.matches) {
      const x = this.x(run.at[item]);
      if (x < this.label || x > this.width || Math.abs(x - last) < 2) continue;
      const lane = this.laneOf[run.host[item]];
      if (!lane || !this.visible(lane)) continue;
      last = x;
      g.beginPath();
      g.arc(x, this.life(lane), 6, 0, 7);
      g.stroke();
    }
  }

  drawViolation() {
    const {g, run, colours: c} = this;
    if (!run.violation) return;
    const x = this.x(run.violation.at);
    if (x < this.label - 2 || x > this.width + 2) return;
    g.strokeStyle = g.fillStyle = c.alarm;
    g.lineWidth = 2;
    g.beginPath();
    g.moveTo(x, AXIS);
    g.lineTo(x, this.height);
    g.stroke();
    const item = run.violation.item;
    const lane = item >= 0 ? this.laneOf[run.host[item]] : null;
    if (!lane) return;
    g.lineWidth = 2.5;
    g.beginPath();
    g.arc(x, this.life(lane), 8, 0, 7);
    g.stroke();
    g.beginPath();
    g.arc(x, this.life(lane), 3, 0, 7);
    g.fill();
  }

  // The selected item, the path that led to it, and its moment.
  drawSelection() {
    const {g, view, colours: c, run} = this;
    if (view.selected < 0) return;
    g.strokeStyle = g.fillStyle = c.accent;
    // The near steps clearly, the far ones as a trace.
    for (let n = Math.min(view.path.length, 200) - 1; n >= 0; --n) {
      g.globalAlpha = n === 0 ? 1 : n < 12 ? 0.85 : Math.max(0.06, 0.85 * (1 - (n - 12) / 40));
      this.outline(view.path[n], n === 0);
    }
    g.globalAlpha = 1;
    const x = Math.round(this.x(run.at[view.selected])) + 0.5;
    g.lineWidth = 1;
    g.setLineDash([3, 3]);
    g.beginPath();
    g.moveTo(x, AXIS);
    g.lineTo(x, this.height);
    g.stroke();
    g.setLineDash([]);
  }

  outline(item, chosen) {
    const {g, run} = this;
    if (run.kind[item] === Kind.message) {
      const line = this.arrow(item);
      if (!line) return;
      g.lineWidth = chosen ? 3 : 2;
      g.beginPath();
      g.moveTo(line.x0, line.y0);
      g.lineTo(line.x1, line.y1);
      g.stroke();
      return this.head(line);
    }
    const lane = this.laneOf[run.host[item]];
    if (!lane || !this.visible(lane)) return;
    const from = this.x(run.at[item]);
    const width = Math.max(2, this.x(run.until[item]) - from);
    g.lineWidth = chosen ? 2.5 : 1.5;
    if (run.kind[item] === Kind.operation) {
      const {y, height} = this.operationBox(lane, item);
      g.strokeRect(from - 1, y - 1, width + 2, height + 2);
    } else if (run.kind[item] === Kind.turn) {
      g.strokeRect(from - 1, this.life(lane) - 6, width + 2, 12);
    } else if (run.kind[item] === Kind.span) {
      g.strokeRect(from, this.top(lane) + 1, width, lane.height - 2);
    } else {
      g.beginPath();
      g.arc(from, this.life(lane) + (run.kind[item] === Kind.remark ? 9 : 0), 6, 0, 7);
      g.stroke();
    }
  }

  // The names, and how the hosts are at the moment that is looked at.
  drawLabels() {
    const {g, run, colours: c, view} = this;
    const moment = this.moment();
    g.textBaseline = 'alphabetic';
    if (!this.narrow) {
      g.fillStyle = c.surface;
      g.fillRect(0, 0, this.label, this.height);
    }
    const dots = [c['strong-line'], c.good, c.fault, c.fault, c.lost];
    for (const lane of this.lanes) {
      if (!this.visible(lane)) continue;
      const top = this.top(lane);
      const host = run.hosts[lane.host];
      const state = run.stateAt(lane.host, moment);
      const y = top + (this.narrow ? 13 : Math.min(24, lane.height / 2 + 4));
      g.fillStyle = dots[state];
      g.beginPath();
      g.arc(12, y - 4, 4, 0, 7);
      g.fill();
      g.fillStyle = c.ink;
      g.font = `600 ${this.narrow ? 12 : 13}px ${FONT}`;
      g.fillText(host.name, 22, y, this.narrow ? 90 : this.label - 28);
      const lines = this.labelLines(lane.host, state, moment);
      g.font = `11px ${FONT}`;
      g.fillStyle = c.faint;
      if (this.narrow) {
        g.fillText(lines.join('  '), 26 + Math.min(90, g.measureText(host.name).width * 1.25), y);
      } else {
        lines.slice(0, Math.max(0, Math.floor((lane.height - 28) / 14))).forEach((line, i) => {
          g.fillText(line, 22, y + 15 + i * 14, this.label - 28);
        });
      }
      g.fillStyle = c.line;
      g.fillRect(0, top + lane.height - 1, this.width, 1);
    }
    if (this.narrow) return;
    g.fillRect(this.label - 1, 0, 1, this.height);
  }

  // What the labels speak of: the selected event when it is in view, or the middle.
  moment() {
    const {run, view} = this;
    if (view.selected >= 0) {
      const at = run.at[view.selected];
      if (at >= view.from && at <= view.until) return at;
    }
    return (view.from + view.until) / 2;
  }

  labelLines(host, state, moment) {
    const {run} = this;
    const lines = [];
    const role = run.roleAt(host, moment);
    if (state !== State.running) lines.push(STATE_NAMES[state]);
    if (role) lines.push(role);
    const offset = run.offsetAt(host, moment);
    if (offset !== null && run.hosts[host].greatest > 0) lines.push(`offset ${groupDigits(offset)}`);
    const clock = Math.round(run.clockAt(host, moment));
    if (Math.abs(clock) >= 1000) lines.push(`clock ${clock < 0 ? '' : '+'}${spanText(clock)}`);
    return lines;
  }

  drawAxis() {
    const {g, run, colours: c, view} = this;
    g.fillStyle = c.surface;
    g.fillRect(0, 0, this.width, AXIS);
    g.fillStyle = c.line;
    g.fillRect(0, AXIS - 1, this.width, 1);
    const step = scaleStep(1 / this.scale, 110);
    const digits = Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step) + 0.001)));
    g.font = `11px ${FONT}`;
    g.textBaseline = 'middle';
    g.fillStyle = c.soft;
    if (!this.narrow) g.fillText(`${spanText(Math.round(view.until - view.from))} shown`, 12, AXIS / 2);
    for (let t = Math.ceil(view.from / step) * step; t <= view.until; t += step) {
      const x = this.x(t);
      g.fillRect(Math.round(x), AXIS - 6, 1, 5);
      const text = timeText(t, digits);
      if (x + 6 + g.measureText(text).width < this.width) g.fillText(text, x + 4, AXIS / 2);
    }
    this.drawGaps();
    if (!run.violation) return;
    const x = this.x(run.violation.at);
    if (x < this.label || x > this.width) return;
    const text = `\u2691 ${run.violation.checker}`;
    g.textBaseline = 'middle';
    g.font = `600 11px ${FONT}`;
    const width = g.measureText(text).width + 12;
    const left = Math.min(Math.max(this.label, x - width / 2), this.width - width);
    g.fillStyle = c.alarm;
    g.fillRect(left, 3, width, AXIS - 7);
    g.fillStyle = c.surface;
    g.fillText(text, left + 6, AXIS / 2);
  }

  // Where items were left out, and how many, if there is room to say so.
  drawGaps() {
    const {g, run, colours: c, view} = this;
    g.font = `italic 11px ${FONT}`;
    g.fillStyle = c.faint;
    g.textBaseline = 'alphabetic';
    const first = Math.max(1, lastAtMost(run.at, view.from));
    for (let i = first; i < run.n && run.at[i - 1] <= view.until; ++i) {
      if (run.gap[i] === 0) continue;
      const from = Math.max(this.label, this.x(run.at[i - 1]));
      const to = Math.min(this.width, this.x(run.at[i]));
      if (to - from < 90) continue;
      const text = `${groupDigits(run.gap[i])} left out`;
      g.fillText(text, (from + to) / 2 - g.measureText(text).width / 2, AXIS + 12);
    }
  }

  drawOverview() {
    const {run, colours: c, view} = this;
    const g = this.overview.getContext('2d');
    const width = this.width;
    const height = OVERVIEW;
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.fillStyle = c.raised;
    g.fillRect(0, 0, width, height);
    const place = (time) => 6 + (time / run.end) * (width - 12);
    g.fillStyle = c['fault-soft'];
    for (let i = 0; i < run.n; ++i) {
      if (run.kind[i] !== Kind.span) continue;
      g.fillRect(place(run.at[i]), 4, Math.max(1, place(run.until[i]) - place(run.at[i])), height - 16);
    }
    const {bins} = run.data;
    const sums = this.sums || (this.sums = this.sumOfBins());
    const most = Math.max(1, ...sums);
    g.fillStyle = c['message-quiet'];
    for (let i = 0; i < bins; ++i) {
      if (sums[i] === 0) continue;
      const tall = 2 + (height - 20) * Math.log1p(sums[i]) / Math.log1p(most);
      g.fillRect(place(i * run.end / bins), height - 12 - tall, Math.max(1, (width - 12) / bins - 1), tall);
    }
    g.fillStyle = c.accent;
    let last = -9;
    for (const item of view.matches) {
      const x = Math.round(place(run.at[item]));
      if (x > last) g.fillRect(x, height - 16, 1.5, 6);
      last = x;
    }
    g.font = `10px ${FONT}`;
    g.textBaseline = 'alphabetic';
    g.fillStyle = c.faint;
    g.fillText('0 s', 6, height - 2);
    const text = `${(run.end / 1e9).toFixed(run.end < 1e10 ? 3 : 1)} s`;
    g.fillText(text, width - 6 - g.measureText(text).width, height - 2);
    const from = place(Math.max(0, view.from));
    const until = Math.max(from + 3, place(Math.min(run.end, view.until)));
    g.fillStyle = c.accent;
    g.globalAlpha = 0.14;
    g.fillRect(from, 0, until - from, height - 11);
    g.globalAlpha = 1;
    g.strokeStyle = c.accent;
    g.lineWidth = 1.5;
    g.strokeRect(from, 1, until - from, height - 13);
    if (view.selected >= 0) g.fillRect(place(run.at[view.selected]) - 0.5, 2, 1, height - 13);
    if (!run.violation) return;
    const x = place(run.violation.at);
    g.fillStyle = c.alarm;
    g.fillRect(x - 1, 0, 2, height - 11);
    g.beginPath();
    g.moveTo(x - 5, 0);
    g.lineTo(x + 5, 0);
    g.lineTo(x, 7);
    g.fill();
  }

  sumOfBins() {
    const {bins, density} = this.run.data;
    const sums = new Array(bins).fill(0);
    density.forEach((value, i) => { sums[i % bins] += value; });
    return sums;
  }
}
