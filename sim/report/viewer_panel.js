// What stands beside the picture, as HTML: the result, the event that is selected and the path that
// led to it, the list of events, the facts of the run, the filter, the keys. Whatever a run says
// becomes text of a node, never markup.

// element('p', {class: 'x', onclick: f}, 'text', other, ...)
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child !== null) made.append(child);
  return made;
}

function facts(pairs) {
  const list = element('dl', {class: 'facts'});
  for (const [name, value] of pairs) {
    if (value !== '' && value !== null) list.append(element('dt', {}, name), element('dd', {}, value));
  }
  return list;
}

const DOTS = [
  'turn', 'message', 'operation', 'remark', 'soft', 'fault', 'fault', 'good', 'lost', 'accent',
  'offset', 'alarm',
];

class Panel {
  // `actions`: select(item), filterChanged(), goToViolation().
  constructor(run, filter, view, actions) {
    this.run = run;
    this.filter = filter;
    this.view = view;
    this.actions = actions;
    this.tab = 'event';
    this.pathShown = 30;
    for (const name of ['event', 'list', 'run']) {
      const button = document.getElementById(`tab-${name}`);
      button.addEventListener('click', () => this.show(name));
      button.addEventListener('keydown', (event) => this.onTabKey(event));
    }
    this.buildVerdict();
    this.buildRun();
    this.buildFilters();
    this.buildHelp();
    this.buildLegend();
    this.show('event');
  }

  show(name) {
    this.tab = name;
    for (const other of ['event', 'list', 'run']) {
      document.getElementById(`panel-${other}`).hidden = other !== name;
      const tab = document.getElementById(`tab-${other}`);
      tab.setAttribute('aria-selected', String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
    }
    if (name === 'list') this.fillList();
  }

  onTabKey(event) {
    const names = ['event', 'list', 'run'];
    const step = {ArrowLeft: 2, ArrowRight: 1}[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const next = names[(names.indexOf(this.tab) + step) % 3];
    this.show(next);
    document.getElementById(`tab-${next}`).focus();
  }

  // --- the result, at the top

  buildVerdict() {
    const {run} = this;
    const {data, violation} = run;
    document.getElementById('title').textContent = `${data.scenario}, seed ${data.seed}`;
    const badge = document.getElementById('badge');
    badge.textContent = violation ? 'Violation' : 'Passed';
    badge.className = `badge ${violation ? 'bad' : 'good'}`;
    const card = document.getElementById('verdict');
    card.hidden = false;
    if (!violation) {
      card.classList.add('ok');
      card.append(element('div', {class: 'verdict-head'},
          element('h2', {}, 'Every checker held'),
          element('span', {class: 'where'},
              `${(data.simulated / 1e9).toFixed(1)} s simulated, ${count(data.commands, 'command')} checked`)));
    } else {
      card.append(
          element('div', {class: 'verdict-head'},
              element('h2', {id: 'violation-name'}, `Violation of \u201c${violation.checker}\u201d`),
              element('span', {class: 'where'},
                  `at ${timeText(violation.at)}${violation.node ? ` on ${violation.node}` : ''}`),
              element('button', {type: 'button', class: 'alarm', onclick: () => this.actions.goToViolation()},
                  'Show in the picture')),
          element('div', {class: 'compare'},
              element('div', {}, element('span', {class: 'label'}, 'Expected'),
                  element('pre', {id: 'expected', tabindex: 0}, violation.expected)),
              element('div', {class: 'seen'}, element('span', {class: 'label'}, 'Seen'),
                  element('pre', {id: 'seen', tabindex: 0}, violation.seen))));
    }
    card.append(this.replayLine());
  }

  replayLine() {
    const line = this.run.data.replay;
    const button = element('button', {type: 'button', onclick: async () => {
      try {
        await navigator.clipboard.writeText(line);
        button.textContent = 'Copied';
      } catch {
        const range = document.createRange();
        range.selectNodeContents(code);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = 'Selected';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    }}, 'Copy');
    const code = element('code', {id: 'replay'}, line);
    return element('div', {class: 'replay'}, element('span', {class: 'label'}, 'Replay'), code, button);
  }

  // --- the selected event

  showEvent() {
    const {run, view} = this;
    const panel = document.getElementById('panel-event');
    const item = view.selected;
    if (item < 0) {
      panel.replaceChildren(element('p', {class: 'empty'},
          'Nothing is selected. Click something in the picture, or step with the arrow keys; the ' +
          'path that led to it is shown here.'));
      return;
    }
    this.pathShown = 30;
    const kind = run.kind[item];
    const children = [
      element('span', {class: `kind${kind === Kind.violation ? ' violation' : ''}`}, KIND_NAMES[kind]),
      element('h2', {id: 'event-title'}, this.titleOf(item)),
      this.factsOf(item),
    ];
    if (run.textOf(item)) {
      const title = {[Kind.operation]: 'Command', [Kind.message]: 'Begins with'}[kind] || 'Text';
      children.push(element('h3', {}, title),
          element('pre', {class: 'text', id: 'event-text', tabindex: 0}, run.textOf(item)));
    }
    if (kind === Kind.operation && run.replyOf(item)) {
      children.push(element('h3', {}, 'Reply'), element('pre', {class: 'text', tabindex: 0}, run.replyOf(item)));
    }
    if (kind === Kind.violation) {
      children.push(element('h3', {}, 'Expected'), element('pre', {class: 'text'}, run.violation.expected),
          element('h3', {}, 'Seen'), element('pre', {class: 'text'}, run.violation.seen));
    }
    this.chain = element('ol', {class: 'chain', id: 'path'});
    children.push(element('h3', {}, 'The path that led here'), this.chain);
    panel.replaceChildren(...children, ...this.effectsOf(item));
    this.fillPath();
    panel.scrollTop = 0;
  }

  titleOf(item) {
    const {run} = this;
    const kind = run.kind[item];
    if (kind === Kind.message) {
      return `${run.who(item)}: ${MESSAGE_NAMES[run.detail[item]]}${run.flags[item] & LOST ? ', lost' : ''}`;
    }
    if (kind === Kind.operation || kind === Kind.remark || kind === Kind.log) return run.who(item);
    return `${run.who(item)}: ${run.describe(item)}`;
  }

  factsOf(item) {
    const {run} = this;
    const kind = run.kind[item];
    const open = (run.flags[item] & OPEN) !== 0;
    const lasts = open || run.until[item] > run.at[item];
    const pairs = [[lasts ? 'From' : 'At', timeText(run.at[item])]];
    if (lasts) {
      pairs.push(['Until', open ? 'the end of the run' : timeText(run.until[item])],
          ['Lasts', spanText(run.until[item] - run.at[item])]);
    }
    if (run.violation && kind !== Kind.violation) {
      const before = run.violation.at - run.at[item];
      pairs.push(['Violation', before >= 0 ? `${spanText(before)} later` : `${spanText(-before)} before`]);
    }
    if (kind === Kind.message && run.number[item] > 0) pairs.push(['Bytes', groupDigits(run.number[item])]);
    if (kind === Kind.operation) {
      pairs.push(['Outcome', ['replied', 'no reply wanted', 'unknown', 'open at the end'][run.detail[item]]]);
    }
    if (kind === Kind.stop) pairs.push(['Status', String(run.number[item])]);
    if (kind === Kind.span || kind === Kind.fault) pairs.push(['Means', run.data.faultTexts[run.detail[item]]]);
    const host = run.host[item];
    if (run.hosts[host] && kind !== Kind.message) {
      pairs.push(['State', STATE_NAMES[run.stateAt(host, run.at[item])]], ['Role', run.roleAt(host, run.at[item])]);
      if (run.hosts[host].greatest > 0) {
        pairs.push(['Offset', groupDigits(run.offsetAt(host, run.at[item]) || 0)]);
      }
      const clock = Math.round(run.clockAt(host, run.at[item]));
      if (clock !== 0) pairs.push(['Clock', `${clock < 0 ? '' : '+'}${spanText(clock)}`]);
    }
    return facts(pairs);
  }

  row(item, extra) {
    const {run} = this;
    return element('button', {
      type: 'button', style: `--dot: var(--${DOTS[run.kind[item]]})`, 'data-item': item,
      onclick: () => this.actions.select(item), ...extra,
    }, element('span', {class: 'what'}, run.describe(item)),
    element('span', {class: 'when'}, this.when(item)),
    element('span', {class: 'who'}, `${KIND_NAMES[run.kind[item]].toLowerCase()} \u00b7 ${run.who(item)}`));
  }

  // Relative to the violation where there is one: that is what one reads.
  when(item) {
    const {run, view} = this;
    const origin = view.selected >= 0 ? run.at[view.selected] : 0;
    if (view.selected < 0) return timeText(run.at[item], 6);
    const by = run.at[item] - origin;
    return by === 0 ? 'same time' : `${by > 0 ? '+' : ''}${spanText(by)}`;
  }

  fillPath() {
    const {run, view} = this;
    const rows = [];
    const path = view.path;
    for (let n = 1; n < Math.min(path.length, this.pathShown + 1); ++n) {
      const turns = this.idleTurns(n);
      if (turns > 1) {
        rows.push(element('li', {class: 'more gap'}, `${count(turns, 'more turn')} of ${run.who(path[n])}`));
        n += turns - 1;
        continue;
      }
      const left = n === 1 && run.pathStart(path[0]) !== run.cause[path[0]] ? 0 : run.via[path[n - 1]];
      if (left > 0) rows.push(element('li', {class: 'more gap'}, `${count(left, 'step')} left out`));
      rows.push(element('li', {style: `--dot: var(--${DOTS[run.kind[path[n]]]})`}, this.row(path[n])));
    }
    if (path.length > this.pathShown + 1) {
      rows.push(element('li', {class: 'more'}, element('button', {type: 'button', onclick: () => {
        this.pathShown += 100;
        this.fillPath();
      }}, 'Show more of the path')));
    } else if (rows.length === 0) {
      rows.push(element('li', {class: 'more empty'}, 'Nothing that is recorded led to it.'));
    }
    this.chain.replaceChildren(...rows);
  }

  // How many steps from here on are turns of one host between turns of it, which say nothing new.
  idleTurns(n) {
    const {run, view: {path}} = this;
    const same = (i) => i >= 1 && i < path.length && run.kind[path[i]] === Kind.turn &&
        run.host[path[i]] === run.host[path[n]];
    let turns = 0;
    while (same(n - 1) && same(n + turns) && same(n + turns + 1)) ++turns;
    return turns;
  }

  effectsOf(item) {
    const effects = this.run.effects(item);
    if (effects.length === 0) return [];
    const list = element('ol', {class: 'chain', id: 'effects'});
    for (const effect of effects.subarray(0, 40)) {
      list.append(element('li', {style: `--dot: var(--${DOTS[this.run.kind[effect]]})`}, this.row(effect)));
    }
    if (effects.length > 40) list.append(element('li', {class: 'more gap'}, `and ${effects.length - 40} more`));
    return [element('h3', {}, 'What it led to'), list];
  }

  // --- the list of events, around the one that is selected

  fillList() {
    if (this.tab !== 'list') return;
    const {run, view, filter} = this;
    const list = filter.list;
    const here = view.selected >= 0 ? view.selected : Math.max(0, lastAtMost(run.at, view.from));
    const middle = Math.max(0, lastAtMost(list, here));
    const first = Math.max(0, middle - 60);
    const last = Math.min(list.length, middle + 61);
    const rows = [];
    const jump = (to, text) => element('li', {class: 'gap'},
        element('button', {type: 'button', class: 'plain', onclick: () => this.actions.select(list[to])}, text));
    if (first > 0) rows.push(jump(Math.max(0, first - 60), `${groupDigits(first)} before`));
    for (let n = first; n < last; ++n) {
      const item = list[n];
      const left = this.gapBetween(n > 0 ? list[n - 1] : -1, item);
      if (left > 0) rows.push(element('li', {class: 'gap'}, `${count(left, 'event')} left out`));
      const current = item === view.selected;
      rows.push(element('li', {}, this.row(item, current ? {'aria-current': 'true'} : {})));
    }
    if (last < list.length) {
      rows.push(jump(Math.min(list.length - 1, last + 60), `${groupDigits(list.length - last)} after`));
    }
    if (rows.length === 0) rows.push(element('li', {class: 'gap'}, 'The filter hides everything.'));
    const box = document.getElementById('event-list');
    box.replaceChildren(...rows);
    const current = box.querySelector('[aria-current]');
    if (current) current.scrollIntoView({block: 'center'});
  }

  gapBetween(before, item) {
    let left = 0;
    for (let i = before + 1; i <= item; ++i) left += this.run.gap[i];
    return left;
  }

  // --- the run

  buildRun() {
    const {data} = this.run;
    const panel = document.getElementById('panel-run');
    panel.append(facts([
      ['Scenario', data.scenario], ['Seed', data.seed], ['Digest', data.digest],
      ['Simulated', `${(data.simulated / 1e9).toFixed(3)} s`], ['World events', groupDigits(data.events)],
      ['Commands', groupDigits(data.commands)], ['Recorded', count(data.all, 'event')],
      ['Shown', groupDigits(data.all - data.left)],
    ]));
    panel.append(element('h3', {}, 'Faults that happened'));
    const table = element('table');
    data.fired.forEach((times, fault) => {
      if (times === 0) return;
      table.append(element('tr', {title: data.faultTexts[fault]}, element('td', {}, data.faultNames[fault]),
          element('td', {class: 'count'}, groupDigits(times))));
    });
    panel.append(table.childElementCount > 0 ? table : element('p', {class: 'empty'}, 'None.'));
    if (data.options) panel.append(element('h3', {}, 'Faults as they were set'), element('pre', {class: 'log'}, data.options));
    panel.append(element('h3', {}, 'Drawn from the seed'), element('pre', {class: 'log'}, data.drawn.split(' ').join('\n')));
    if (data.log.length > 0) panel.append(element('h3', {}, 'End of the log'), element('pre', {class: 'log'}, data.log.join('\n')));
    const notes = [];
    if (data.left > 0) {
      notes.push(`${groupDigits(data.all - data.left)} of ${groupDigits(data.all)} events are shown: all of them near ` +
          `${this.run.violation ? 'the violation' : 'the end'}, fewer and fewer before.`);
    }
    if (data.dropped > 0) notes.push(`The first ${groupDigits(data.dropped)} records were not kept.`);
    document.getElementById('left-out').textContent = notes.join(' ');
  }

  // --- the filter

  buildFilters() {
    const {filter, run} = this;
    const box = document.getElementById('filters');
    const chip = (name, pressed, change) => {
      const button = element('button', {type: 'button', class: 'chip', 'aria-pressed': String(pressed), onclick: () => {
        const now = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', String(now));
        change(now);
        this.actions.filterChanged();
      }}, name);
      return button;
    };
    const set = (list, i) => (on) => { list[i] = on; };
    box.append(element('fieldset', {}, element('legend', {}, 'Show'),
        GROUPS.map((group, i) => chip(group.name, filter.groups[i], set(filter.groups, i)))));
    box.append(element('fieldset', {}, element('legend', {}, 'Kinds of messages'),
        MESSAGE_NAMES.map((name, i) => chip(name, true, set(filter.messages, i))),
        chip('only lost ones', false, (on) => { filter.onlyLost = on; })));
    box.append(element('fieldset', {id: 'filter-hosts'}, element('legend', {}, 'Hosts'), this.hostChips(chip)));
    const text = element('input', {type: 'text', id: 'filter-text', placeholder: 'all', 'aria-label': 'Messages and operations with this text',
      spellcheck: 'false', oninput: () => {
        filter.text = text.value;
        this.actions.filterChanged();
      }});
    box.append(element('fieldset', {}, element('legend', {}, 'Messages and operations with this text'), text));
  }

  hostChips(chip) {
    const {filter, run, view} = this;
    const chips = run.hosts.map((host, i) => chip(host.name, true, (on) => { filter.hosts[i] = on; }));
    const set = (wants) => {
      chips.forEach((one, i) => {
        filter.hosts[i] = wants(i);
        one.setAttribute('aria-pressed', String(filter.hosts[i]));
      });
      this.actions.filterChanged();
    };
    // The near part of it: in the end everything hangs together.
    const onPath = (host) => view.path.slice(0, 60).some((item) => run.concerns(item, host));
    this.showHostsOnPath = () => set(onPath);
    const choose = (name, wants) =>
      element('button', {type: 'button', class: 'chip', onclick: () => set(wants)}, name);
    return [choose('all', () => true), choose('none', () => false), choose('on the path', onPath), ...chips];
  }

  // --- what explains

  buildLegend() {
    const entries = [
      ['running', 'running'], ['paused', 'paused'], ['slow', 'slow'], ['down', 'not running'], ['turn', 'turn'],
      ['operation', 'operation'], ['operation-open', 'outcome unknown'], ['fault', 'fault'], ['offset', 'stream offset', 'stroke'],
      ['message', 'message', 'stroke'], ['message-quiet', 'connection', 'stroke dashed'], ['lost', 'lost', 'stroke dashed'],
    ];
    document.getElementById('legend').append(...entries.map(([colour, name, look]) => element('span', {},
        element('i', {class: look || '', style: `${look ? 'border-color' : 'background'}: var(--${colour})`}), name)));
  }

  buildHelp() {
    const keys = [
      [['\u2190', '\u2192'], 'event before, next event'], [['Enter'], 'details of the event'],
      [['c'], 'to what led to it'], [['v'], 'to the violation'],
      [['+', '\u2212'], 'zoom in, out'], [['0'], 'the whole run'], [['z'], 'zoom to the event'],
      [['Shift \u2190', 'Shift \u2192'], 'move the picture'], [['Home', 'End'], 'first, last event'],
      [['/'], 'search'], [['n', 'N'], 'next match, match before'], [['f'], 'filter'], [['l'], 'list of events'],
      [['t'], 'light or dark'], [['Esc'], 'nothing selected'], [['?'], 'this'],
    ];
    const list = element('dl');
    for (const [names, text] of keys) {
      list.append(element('dt', {}, names.map((name, i) => [i ? ' ' : '', element('kbd', {}, name)]).flat()),
          element('dd', {}, text));
    }
    const help = document.getElementById('help');
    help.append(element('h2', {id: 'help-title'}, 'Keys'), list,
        element('p', {class: 'empty'}, 'Wheel or pinch zooms, dragging moves; over the names the wheel scrolls. ' +
            'The strip above the lanes is the whole run. The address in the browser\u2019s bar leads back to what is shown.'),
        element('button', {type: 'button', onclick: () => help.close()}, 'Close'));
  }
}
