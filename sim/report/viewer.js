// Puts the parts together: what is selected and in view, the keys, the pointer, the search, the
// address. The parts: viewer_model.js, viewer_lanes.js, viewer_picture.js, viewer_panel.js.

const kCrowd = 24;  // so many lanes are more than one can look at

class Viewer {
  constructor(run) {
    this.run = run;
    this.view = {from: 0, until: run.end, selected: -1, path: [], matches: []};
    this.filter = new Filter(run);
    this.picture = new Picture(run, this.filter, this.view);
    this.panel = new Panel(run, this.filter, this.view, {
      select: (item) => this.select(item, {show: true}),
      filterChanged: () => this.filterChanged(),
      goToViolation: () => this.goToViolation(),
    });
    this.pointers = new Map();
    this.bindButtons();
    this.bindSearch();
    this.bindPointer();
    this.bindOverview();
    document.addEventListener('keydown', (event) => this.onKey(event));
    this.picture.scroller.addEventListener('scroll', () => this.changed());
    new ResizeObserver(() => this.resized()).observe(this.picture.scroller);
    window.addEventListener('hashchange', () => this.readAddress() && this.changed());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.setTheme(null));
    if (!this.readAddress()) this.begin();
    this.panel.showEvent();
    this.changed();
  }

  begin() {
    const {run} = this;
    const item = run.violation ? run.violation.item : -1;
    if (item < 0) {
      this.panel.show('run');
      return this.fit();
    }
    this.zoomTo(item);
    this.select(item, {show: true});
    // Of a crowd, those who have to do with it.
    if (run.hosts.length > kCrowd) this.panel.showHostsOnPath();
    return undefined;
  }

  // --- what is in view

  // Draws when the browser does next; many changes are one picture.
  changed() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.picture.draw();
      this.tellState();
    });
  }

  // For those who do not see the picture, and the address.
  tellState() {
    const {view, run} = this;
    const {canvas, overview} = this.picture;
    Object.assign(canvas.dataset, {from: view.from, until: view.until, selected: view.selected, shown: this.filter.list.length});
    overview.setAttribute('aria-valuemax', String(Math.round(run.end / 1e6)));
    overview.setAttribute('aria-valuenow', String(Math.round((view.from + view.until) / 2e6)));
    overview.setAttribute('aria-valuetext', `${timeText(view.from, 6)} to ${timeText(view.until, 6)}`);
    document.getElementById('zoom-out').disabled = view.until - view.from >= this.widest;
    document.getElementById('to-cause').disabled = view.selected < 0 || run.pathStart(view.selected) < 0;
    document.getElementById('to-violation').hidden = !run.violation;
    clearTimeout(this.addressTimer);
    this.addressTimer = setTimeout(() => this.writeAddress(), 120);
  }

  get widest() {
    return this.run.end * 1.04;
  }

  setView(from, until) {
    const least = 200;  // ns
    const width = Math.max(least, Math.min(this.widest, until - from));
    const margin = this.run.end * 0.02 + width * 0.45;
    const middle = (from + until) / 2;
    const start = Math.max(-margin, Math.min(this.run.end + margin - width, middle - width / 2));
    this.view.from = start;
    this.view.until = start + width;
    this.changed();
  }

  fit() {
    this.setView(-this.run.end * 0.01, this.run.end * 1.01);
  }

  zoom(factor, around) {
    const {view} = this;
    const fixed = around === undefined ? this.centre() : around;
    this.setView(fixed - (fixed - view.from) * factor, fixed + (view.until - fixed) * factor);
  }

  // Zooming keeps the selected event where it is, if it is in view.
  centre() {
    const {view, run} = this;
    const at = view.selected >= 0 ? run.at[view.selected] : -1;
    return at >= view.from && at <= view.until ? at : (view.from + view.until) / 2;
  }

  pan(share) {
    const {view} = this;
    const by = (view.until - view.from) * share;
    this.setView(view.from + by, view.until + by);
  }

  // A stretch in which one can tell this event from its neighbours.
  zoomTo(item) {
    const {run} = this;
    const list = this.filter.list;
    const place = Math.max(0, lastAtMost(list, item));
    const moment = (by, moments) => {  // so many different times away
      let at = run.at[list[place] ?? item];
      for (let n = place; n >= 0 && n < list.length && moments > 0; n += by) {
        if (run.at[list[n]] === at || run.kind[list[n]] === Kind.turn) continue;
        at = run.at[list[n]];
        --moments;
      }
      return at;
    };
    const asked = this.askedAt(item);
    const near = moment(-1, 12);
    // Of the violation, whoever asked is in the picture, however long ago that was.
    const from = run.kind[item] === Kind.violation && asked > 0 ? asked : Math.max(near, asked);
    const until = moment(1, 4);
    const width = Math.max(until - from, (run.until[item] - run.at[item]) * 1.5, 20_000);
    const right = Math.max(run.at[item], until);
    this.setView(right - width * 1.05, right + width * 0.2);
  }

  // When the message departed that led to the item; the beginning if none did.
  askedAt(item) {
    const {run} = this;
    const path = run.path(item, 50);
    const message = path.find((step, n) => n > 0 && run.kind[step] === Kind.message);
    if (message === undefined) return 0;
    const asked = run.cause[message] >= 0 ? run.cause[message] : message;
    return run.at[asked] - (run.at[item] - run.at[asked]) * 0.15;
  }

  // Time and lane of the event come into view.
  reveal(item) {
    const {run, view, picture} = this;
    const width = view.until - view.from;
    const at = run.at[item];
    if (at < view.from + width * 0.02 || at > view.until - width * 0.02) this.setView(at - width * 0.6, at + width * 0.4);
    const lane = picture.laneOf[run.host[item]];
    if (!lane) return;
    const {scroller} = picture;
    if (lane.y - AXIS < scroller.scrollTop) scroller.scrollTop = lane.y - AXIS;
    const bottom = lane.y + lane.height - picture.height;
    if (bottom > scroller.scrollTop) scroller.scrollTop = bottom;
  }

  select(item, {show = false} = {}) {
    const {view, run} = this;
    view.selected = item;
    view.path = item < 0 ? [] : run.path(item, 2000);
    if (show && item >= 0) this.reveal(item);
    this.panel.showEvent();
    this.panel.fillList();
    this.tellMatch();
    if (item >= 0) {
      document.getElementById('live').textContent =
          `${KIND_NAMES[run.kind[item]]}, ${run.who(item)}, ${timeText(run.at[item])}: ${run.describe(item)}`;
    }
    this.changed();
  }

  // To the next event of the filter, or the one before.
  step(by) {
    const {view, run} = this;
    const list = this.filter.list;
    if (list.length === 0) return;
    let place;
    if (view.selected < 0) {
      const inView = list.findIndex((item) => run.at[item] >= view.from);
      place = inView < 0 ? list.length - 1 : inView;
    } else {
      const at = lastAtMost(list, view.selected);
      const itself = at >= 0 && list[at] === view.selected;
      place = by > 0 ? at + 1 : itself ? at - 1 : at;
    }
    this.select(list[Math.max(0, Math.min(list.length - 1, place))], {show: true});
  }

  toEdge(last) {
    const list = this.filter.list;
    if (list.length > 0) this.select(list[last ? list.length - 1 : 0], {show: true});
  }

  toCause() {
    const {run, view} = this;
    const cause = view.selected >= 0 ? run.pathStart(view.selected) : -1;
    if (cause >= 0) this.select(cause, {show: true});
  }

  goToViolation() {
    const item = this.run.violation ? this.run.violation.item : -1;
    if (item < 0) return;
    this.zoomTo(item);
    this.select(item, {show: true});
    this.picture.overview.scrollIntoView({block: 'nearest'});
  }

  filterChanged() {
    this.filter.apply();
    this.picture.resize();
    this.panel.fillList();
    const shown = this.picture.lanes.length;
    const all = this.run.hosts.length;
    document.getElementById('filter-open').textContent = !this.filter.narrowed ? 'Filter' :
        shown < all ? `Filter \u2022 ${shown} of ${all}${this.picture.narrow ? '' : ' hosts'}` : 'Filter \u2022';
    this.runSearch(this.view.needle || '', false);
    this.changed();
  }

  resized() {
    if (this.picture.scroller.clientWidth === this.picture.width && this.seenHeight === window.innerHeight) return;
    this.seenHeight = window.innerHeight;
    this.picture.resize();
    this.changed();
  }

  // --- search

  bindSearch() {
    const box = document.getElementById('search');
    box.addEventListener('input', () => this.runSearch(box.value, true));
    box.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        this.nextMatch(event.shiftKey ? -1 : 1);
      } else if (event.key === 'Escape') {
        box.blur();
        this.picture.canvas.focus({preventScroll: true});
      }
      event.stopPropagation();
    });
  }

  runSearch(needle, go) {
    const {view, run, filter} = this;
    view.needle = needle;
    view.matches = run.search(needle).filter((item) => filter.shown[item]);
    // The nearest to what is looked at, and no jump while that is a match itself.
    if (go && view.matches.length > 0 && !view.matches.includes(view.selected)) {
      const middle = this.centre();
      const nearest = view.matches.reduce((best, item) =>
        (Math.abs(run.at[item] - middle) < Math.abs(run.at[best] - middle) ? item : best));
      this.select(nearest, {show: true});
    }
    this.tellMatch();
    this.changed();
  }

  tellMatch() {
    const {view} = this;
    const place = view.matches.indexOf(view.selected);
    const total = view.matches.length;
    document.getElementById('search-count').textContent =
        !view.needle ? '' : total === 0 ? 'none' : place < 0 ? `${total}` : `${place + 1}/${total}`;
  }

  nextMatch(by) {
    const {matches, selected} = this.view;
    if (matches.length === 0) return;
    const at = lastAtMost(matches, selected);
    const itself = at >= 0 && matches[at] === selected;
    const next = by > 0 ? at + 1 : itself ? at - 1 : at;
    this.select(matches[(next + matches.length) % matches.length], {show: true});
  }

  // --- buttons and keys

  bindButtons() {
    const actions = {
      'step-back': () => this.step(-1), 'step-on': () => this.step(1), 'to-cause': () => this.toCause(),
      'to-violation': () => this.goToViolation(), 'zoom-in': () => this.zoom(0.5), 'zoom-out': () => this.zoom(2),
      'zoom-fit': () => this.fit(), 'search-back': () => this.nextMatch(-1), 'search-on': () => this.nextMatch(1),
      'filter-open': () => this.toggleFilter(), theme: () => this.toggleTheme(),
      'help-open': () => document.getElementById('help').showModal(),
    };
    for (const [id, action] of Object.entries(actions)) document.getElementById(id).addEventListener('click', action);
  }

  toggleFilter() {
    const box = document.getElementById('filters');
    box.hidden = !box.hidden;
    document.getElementById('filter-open').setAttribute('aria-expanded', String(!box.hidden));
  }

  toggleTheme() {
    this.setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
  }

  setTheme(name) {
    applyTheme(name);
    this.picture.colours = colours();
    this.changed();
  }

  openDetails() {
    this.panel.show('event');
    const panel = document.getElementById('panel-event');
    panel.focus({preventScroll: true});
    panel.scrollIntoView({block: 'nearest'});
  }

  onKey(event) {
    const typing = event.target instanceof HTMLInputElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.getElementById('help').open) return;
    const onButton = event.target instanceof HTMLButtonElement;
    const key = event.shiftKey && event.key.startsWith('Arrow') ? `Shift${event.key}` : event.key;
    if (onButton && (key === 'Enter' || key === ' ')) return;
    const action = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      ShiftArrowLeft: () => this.pan(-0.25), ShiftArrowRight: () => this.pan(0.25),
      '+': () => this.zoom(0.5), '=': () => this.zoom(0.5), '-': () => this.zoom(2), _: () => this.zoom(2),
      0: () => this.fit(), z: () => this.view.selected >= 0 && this.zoomTo(this.view.selected),
      Home: () => this.toEdge(false), End: () => this.toEdge(true),
      '/': () => document.getElementById('search').focus(), n: () => this.nextMatch(1), N: () => this.nextMatch(-1),
      '?': () => document.getElementById('help').showModal(), v: () => this.goToViolation(), c: () => this.toCause(),
      t: () => this.toggleTheme(), f: () => this.toggleFilter(), l: () => this.panel.show('list'),
      Enter: () => this.openDetails(), Escape: () => this.select(-1),
    }[key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  // --- the pointer

  bindPointer() {
    const {canvas} = this.picture;
    canvas.addEventListener('pointerdown', (event) => this.pointerDown(event));
    canvas.addEventListener('pointermove', (event) => this.pointerMove(event));
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, (event) => this.pointerUp(event));
    canvas.addEventListener('pointerleave', () => this.hideTip());
    canvas.addEventListener('wheel', (event) => this.onWheel(event), {passive: false});
    canvas.addEventListener('dblclick', (event) => this.zoom(0.4, this.picture.time(event.offsetX)));
  }

  pointerDown(event) {
    this.hideTip();
    this.picture.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, {x: event.offsetX, y: event.offsetY});
    this.grip = {
      x: event.offsetX, y: event.offsetY, moved: false, scroll: this.picture.scroller.scrollTop,
      from: this.view.from, until: this.view.until,
    };
    if (this.pointers.size === 2) this.pinch = this.pinchNow();
  }

  pinchNow() {
    const [a, b] = [...this.pointers.values()];
    return {
      distance: Math.max(20, Math.abs(a.x - b.x)), time: this.picture.time((a.x + b.x) / 2),
      width: this.view.until - this.view.from,
    };
  }

  pointerMove(event) {
    const known = this.pointers.get(event.pointerId);
    if (!known) return this.showTip(event);
    known.x = event.offsetX;
    known.y = event.offsetY;
    const {picture, grip} = this;
    if (this.pointers.size === 2) {
      const now = this.pinchNow();
      const [a, b] = [...this.pointers.values()];
      grip.moved = true;
      const width = this.pinch.width * this.pinch.distance / now.distance;
      const share = ((a.x + b.x) / 2 - picture.label) / (picture.width - picture.label);
      return this.setView(this.pinch.time - width * share, this.pinch.time + width * (1 - share));
    }
    const dx = event.offsetX - grip.x;
    const dy = event.offsetY - grip.y;
    if (!grip.moved && Math.hypot(dx, dy) < 5) return undefined;
    grip.moved = true;
    const by = dx / (picture.width - picture.label) * (grip.until - grip.from);
    this.setView(grip.from - by, grip.until - by);
    if (event.pointerType === 'mouse') picture.scroller.scrollTop = grip.scroll - dy;
    return undefined;
  }

  pointerUp(event) {
    const was = this.pointers.delete(event.pointerId);
    if (this.pointers.size === 1) {  // one finger goes on
      const [{x, y}] = [...this.pointers.values()];
      this.grip = {...this.grip, x, y, from: this.view.from, until: this.view.until};
      return;
    }
    if (!was || event.type === 'pointercancel' || this.grip.moved) return;
    const item = this.picture.hit(event.offsetX, event.offsetY, event.pointerType === 'mouse' ? 8 : 18);
    this.select(item);
    if (item >= 0) this.panel.show('event');
  }

  onWheel(event) {
    const {picture, view} = this;
    if (event.offsetX < picture.label && !event.ctrlKey) return;  // the lanes scroll
    event.preventDefault();
    this.hideTip();
    const unit = event.deltaMode === 1 ? 20 : 1;
    const across = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (Math.abs(across) > Math.abs(event.deltaY) || event.shiftKey) {
      const by = across * unit / (picture.width - picture.label) * (view.until - view.from);
      this.setView(view.from + by, view.until + by);
      return;
    }
    const turn = Math.max(-120, Math.min(120, event.deltaY * unit));
    this.zoom(1.0035 ** turn, picture.time(event.offsetX));
  }

  showTip(event) {
    if (event.pointerType !== 'mouse') return;
    const item = this.picture.hit(event.offsetX, event.offsetY, 6);
    if (item < 0) return this.hideTip();
    const {run} = this;
    const tip = document.getElementById('tip');
    const text = run.describe(item);
    tip.textContent = `${run.who(item)}: ${text.length > 160 ? `${text.slice(0, 160)}\u2026` : text}`;
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
    tip.style.top = `${event.clientY + 18}px`;
    return undefined;
  }

  hideTip() {
    document.getElementById('tip').hidden = true;
  }

  // The whole run: dragging scrubs.
  bindOverview() {
    const {overview} = this.picture;
    const scrub = (event) => {
      const at = (event.offsetX - 6) / (this.picture.width - 12) * this.run.end;
      const half = (this.view.until - this.view.from) / 2;
      this.setView(at - half, at + half);
    };
    overview.addEventListener('pointerdown', (event) => {
      overview.setPointerCapture(event.pointerId);
      scrub(event);
    });
    overview.addEventListener('pointermove', (event) => {
      if (overview.hasPointerCapture(event.pointerId)) scrub(event);
    });
    overview.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoom(1.0035 ** Math.max(-120, Math.min(120, event.deltaY)));
    }, {passive: false});
    overview.addEventListener('keydown', (event) => {
      const share = {ArrowLeft: -0.25, ArrowRight: 0.25, PageUp: -1, PageDown: 1}[event.key];
      if (!share) return;
      event.preventDefault();
      event.stopPropagation();
      this.pan(share);
    });
  }

  // --- the address: #v=from-until&e=item&q=text

  writeAddress() {
    const {view} = this;
    const parts = [`v=${Math.round(view.from)}:${Math.round(view.until)}`];
    if (view.selected >= 0) parts.push(`e=${view.selected}`);
    if (view.needle) parts.push(`q=${encodeURIComponent(view.needle)}`);
    const hash = `#${parts.join('&')}`;
    if (hash === location.hash) return;
    try {
      history.replaceState(null, '', hash);
    } catch {
      // Some places that show files forbid it; the picture is the same.
    }
  }

  // False when the address says nothing.
  readAddress() {
    const parts = new URLSearchParams(location.hash.slice(1));
    const range = /^(-?\d+):(-?\d+)$/.exec(parts.get('v') || '');
    const item = /^\d+$/.test(parts.get('e') || '') ? Number(parts.get('e')) : -1;
    if (!range && item < 0) return false;
    if (parts.get('q')) {
      document.getElementById('search').value = parts.get('q');
      this.runSearch(parts.get('q'), false);
    }
    if (range && Number(range[2]) > Number(range[1])) this.setView(Number(range[1]), Number(range[2]));
    else if (item >= 0 && item < this.run.n) this.zoomTo(item);
    this.select(item < this.run.n ? item : -1, {show: !range});
    return true;
  }
}

// What the reader has chosen, or what the system says.
function applyTheme(chosen) {
  if (chosen) applyTheme.chosen = chosen;
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = applyTheme.chosen || (dark ? 'dark' : 'light');
}

applyTheme(null);
const viewer = new Viewer(new Run(JSON.parse(document.getElementById('data').textContent)));
