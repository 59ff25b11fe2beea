// Where everything is in the picture, and what is at a place of it: a lane for each host, on a canvas
// that stands still while the page's own scroll bar moves the lanes. Drawing is viewer_picture.js's.

const AXIS = 26;  // px, the scale on top of the lanes
const OVERVIEW = 54;  // px

class Lanes {
  constructor(run, filter, view) {
    this.run = run;
    this.filter = filter;
    this.view = view;  // {from, until, selected, path, matches, needle}
    this.canvas = document.getElementById('picture');
    this.scroller = document.getElementById('scroller');
    this.spacer = document.getElementById('spacer');
    this.overview = document.getElementById('overview');
    this.lanes = [];
    this.levels = [];  // of operations in view, by host
    this.resize();
  }

  // --- places

  resize() {
    const {run} = this;
    const width = this.scroller.clientWidth;
    this.narrow = width < 640;
    const some = run.hosts.map((host) => host.index).filter((host) => this.filter.hosts[host]);
    const each = Math.floor((window.innerHeight * 0.66 - AXIS) / Math.max(1, some.length)) - 16;
    const usual = some.length > 30 ? 34 : some.length > 14 ? 46 : Math.max(62, Math.min(104, each));
    this.label = this.narrow ? 0 : Math.min(168, Math.max(120, width * 0.16));
    this.lanes = [];
    this.laneOf = new Array(run.hosts.length).fill(null);
    let y = AXIS;
    for (const host of some) {
      const strip = this.narrow ? 16 : 0;
      const rich = run.hosts[host].roles.length > 0 || run.hosts[host].levels > 1;
      const height = usual + strip + (rich && usual > 40 ? 16 : 0);
      const lane = {host, y, height, strip};
      this.lanes.push(lane);
      this.laneOf[host] = lane;
      y += height;
    }
    this.total = y + 8;
    const room = Math.max(240, Math.min(window.innerHeight * (this.narrow ? 0.6 : 0.66), 900));
    this.height = Math.min(this.total, room);
    this.scroller.style.height = `${this.height}px`;
    this.spacer.style.height = `${Math.max(0, this.total - this.height)}px`;
    this.width = width;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2.5);
    for (const [canvas, height] of [[this.canvas, this.height], [this.overview, OVERVIEW]]) {
      canvas.style.height = `${height}px`;
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
  }

  x(time) {
    return this.label + (time - this.view.from) * this.scale;
  }

  time(x) {
    return this.view.from + (x - this.label) / this.scale;
  }

  get scale() {
    return (this.width - this.label) / (this.view.until - this.view.from);
  }

  // The line on which a host lives, in the canvas.
  life(lane) {
    const inner = lane.height - lane.strip;
    return lane.y + lane.strip + Math.round(inner * 0.58) - this.scroller.scrollTop;
  }

  top(lane) {
    return lane.y - this.scroller.scrollTop;
  }

  operationBox(lane, item) {
    const {run} = this;
    const top = this.top(lane) + lane.strip + 5;
    const room = this.life(lane) - 8 - top;
    const levels = Math.max(1, this.levels[lane.host] || 1);
    const height = Math.max(2, Math.min(17, room / levels - 1));
    return {y: top + run.level[item] * (room / levels), height};
  }

  visible(lane) {
    const top = this.top(lane);
    return top + lane.height > 0 && top < this.height;
  }

  spanLanes(item) {
    const hosts = [this.run.host[item], ...(this.run.joined.get(item) || [])];
    return hosts.map((host) => this.laneOf[host]).filter((lane) => lane && this.visible(lane));
  }

  // Where a message's arrow begins and ends; null where nothing of it is seen.
  arrow(item) {
    const {run} = this;
    const from = this.laneOf[run.host[item]];
    const to = this.laneOf[run.to[item]];
    if (!from && !to) return null;
    const y0 = from ? this.life(from) : null;
    const y1 = to ? this.life(to) : null;
    let x0 = this.x(run.at[item]);
    let x1 = this.x(run.until[item]);
    // To or from a host that is not shown: a short stroke, where the other one has to do with it.
    if (!from) x0 = Math.max(x0, x1 - 8);
    if (!to) x1 = Math.min(x1, x0 + 8);
    let start = y0 === null ? y1 - 14 : y0;
    let end = y1 === null ? y0 + 14 : y1;
    if (from && from === to) end = start - 10;
    if (Math.max(start, end) < AXIS || Math.min(start, end) > this.height) return null;
    if (run.flags[item] & LOST) {  // it gets half way
      x1 = x0 + (x1 - x0) * 0.6;
      end = start + (end - start) * 0.6;
    } else if (run.flags[item] & OPEN) {  // under way when the run ended
      end = start + (end - start) * 0.4;
    }
    return {x0, y0: start, x1, y1: end, open: (run.flags[item] & OPEN) !== 0};
  }

  // --- what is there

  // The item nearest to a place of the canvas; -1 when none is near.
  hit(x, y, reach) {
    const {run} = this;
    if (x < this.label || y < AXIS || !this.layers) return -1;
    let best = -1;
    let least = reach;
    const offer = (item, distance, handicap) => {
      if (distance > reach || distance + handicap >= least) return;
      least = distance + handicap;
      best = item;
    };
    const near = (item, below) => {
      const lane = this.laneOf[run.host[item]];
      if (lane) offer(item, Math.hypot(this.x(run.at[item]) - x, this.life(lane) + below - y), -2);
    };
    for (const item of this.layers[Kind.message]) this.hitMessage(item, x, y, offer);
    for (const item of this.layers[Kind.operation]) this.hitOperation(item, x, y, offer);
    for (const item of this.layers[Kind.turn]) {
      const lane = this.laneOf[run.host[item]];
      if (!lane || Math.abs(y - this.life(lane)) > 8) continue;
      offer(item, this.outside(x, this.x(run.at[item]), this.x(run.until[item])), 1);
    }
    for (const item of this.layers[Kind.remark]) near(item, 9);
    for (const item of this.layers[Kind.log]) near(item, 13);
    for (const kind of [Kind.fault, Kind.clock, Kind.role, Kind.boot, Kind.stop, Kind.violation]) {
      for (const item of this.layers[kind]) near(item, 0);
    }
    return best >= 0 ? best : this.hitSpan(x, y);
  }

  outside(x, from, to) {
    return x < from ? from - x : x > to ? x - to : 0;
  }

  hitMessage(item, x, y, offer) {
    const line = this.arrow(item);
    if (!line) return;
    const dx = line.x1 - line.x0;
    const dy = line.y1 - line.y0;
    const along = ((x - line.x0) * dx + (y - line.y0) * dy) / Math.max(1e-9, dx * dx + dy * dy);
    const at = Math.max(0, Math.min(1, along));
    offer(item, Math.hypot(line.x0 + dx * at - x, line.y0 + dy * at - y), 0);
  }

  hitOperation(item, x, y, offer) {
    const {run} = this;
    const lane = this.laneOf[run.host[item]];
    if (!lane) return;
    const {y: top, height} = this.operationBox(lane, item);
    if (y < top - 2 || y > top + height + 1) return;
    offer(item, this.outside(x, this.x(run.at[item]), this.x(run.until[item])), -1);
  }

  hitSpan(x, y) {
    const {run} = this;
    let best = -1;
    for (const item of this.layers[Kind.span]) {
      if (this.outside(x, this.x(run.at[item]), this.x(run.until[item])) > 3) continue;
      for (const lane of this.spanLanes(item)) {
        const top = this.top(lane);
        if (y >= top && y <= top + lane.height) best = item;
      }
    }
    return best;
  }
}
