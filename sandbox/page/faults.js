// Faults by click: what goes wrong between the sync and either system. Edits on this page are not struck.

import {$, act, call, el, keep} from './dom.js';
import {SYSTEMS} from './words.js';

const change = (body) => act('Die Spielwiese', () => call('POST', 'faults', body));

function button({name, label, active, hit}) {
  const node = el('button', {type: 'button', ariaPressed: String(active)}, label,
    active && hit ? el('b', {}, ` ${hit} ×`) : null);
  node.onclick = () => change(active ? {end: name} : {start: name, record: decodeURIComponent(location.hash.slice(1))});
  return node;
}

export function setUp() {
  const groups = Object.entries(SYSTEMS).map(([system, title]) => el('div', {className: 'group', role: 'group', ariaLabel: title},
    el('h3', {}, title), el('div', {className: 'choices', id: `faults-${system}`})));
  $('faults').append(
    el('div', {className: 'intro'}, el('h2', {id: 'faults-title'}, 'Störungen'),
      el('p', {}, 'Sie treffen die Aufrufe des Abgleichs, nicht die Änderungen auf dieser Seite.'),
      el('p', {id: 'faults-others', className: 'quiet'}),
      el('button', {id: 'faults-end', className: 'primary', type: 'button', onclick: () => change({end: 'all'})}, 'Alle beenden')),
    ...groups);
  $('faults-toggle').onclick = () => {
    $('faults').hidden = !$('faults').hidden;
    $('faults-toggle').setAttribute('aria-expanded', String(!$('faults').hidden));
  };
}

export function showFaults({offered, others}) {
  for (const system of Object.keys(SYSTEMS)) {
    keep($(`faults-${system}`), offered.filter((one) => one.system === system), ({name}) => name, button);
  }
  const number = offered.filter(({active}) => active).length + others;
  $('faults-others').textContent = others ? `Außerdem ${others} Regel(n) von anderswo.` : '';
  $('faults-end').disabled = number === 0;
  $('faults-toggle').classList.toggle('alarm', number > 0);
  $('faults-toggle').querySelector('b').textContent = number ? `${number} aktiv` : '';
}
