// Advoware's side of a pair: what people do in its own windows, also what its API can't.

import {act, breakable, call, el, icon, options, tool} from './dom.js';
import {edit} from './edit.js';
import {KINDS, MARKERS} from './words.js';

const path = (entry) => `advoware/beteiligte/${entry.betNr}/kommunikation/${entry.id}`;
const run = (entry, method, more, body) => act('Advoware', () => call(method, path(entry) + more, body));

function marker(entry) {
  if (!entry.marker) return null;
  const {kind, value, raw} = entry.marker;
  const old = value && value !== entry.tlf ? `: zuletzt ${value}` : '';
  return el('span', {className: `tag ${kind}`, title: `Marke des Abgleichs: ${raw}`}, MARKERS[kind], old);
}

export function advowareItem(entry) {
  const blank = !(entry.tlf ?? '').trim();
  const change = () => edit(`a${entry.id}`, [
    {name: 'tlf', label: 'Wert', value: entry.tlf ?? ''},
    {name: 'bemerkung', label: 'Bemerkung', value: entry.bemerkung ?? ''},
    {name: 'online', label: 'online', check: entry.online},
  ], (values) => run(entry, 'PATCH', '', values));
  return el('div', {className: 'item'},
    el('div', {className: 'kinds'},
      el('span', {className: 'kind', title: `kommKz ${entry.kommKz}`}, KINDS[entry.kommKz] ?? `kommKz ${entry.kommKz}`),
      entry.online ? el('span', {className: 'tag'}, 'online') : null, marker(entry)),
    el('div', {className: 'tools'},
      tool('edit', 'Ändern', change),
      tool('clear', 'Wert leeren, die Bemerkung bleibt', () => run(entry, 'POST', '/clear')),
      tool('copy', 'Verdoppeln, samt Bemerkung', () => run(entry, 'POST', '/duplicate')),
      tool('remove', 'Löschen', () => run(entry, 'DELETE', ''))),
    el('span', {className: blank ? 'value blank' : 'value'}, ...(blank ? ['leer'] : breakable(entry.tlf))),
    entry.text ? el('span', {className: 'remark'}, entry.text) : null);
}

export function advowareAdd(betnr) {
  const form = el('form', {className: 'add', ariaLabel: 'Neuer Eintrag in Advoware', onsubmit: async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const taken = await act('Advoware', () => call('POST', `advoware/beteiligte/${betnr}/kommunikation`, {
      kommKz: Number(data.get('kind')), tlf: data.get('value'), bemerkung: data.get('remark') || null, online: false,
    }));
    if (taken) form.reset();
  }},
  el('select', {name: 'kind', ariaLabel: 'Art'}, ...options(KINDS.map((name, kind) => [String(kind), name]).slice(1))),
  el('input', {name: 'value', placeholder: 'Neuer Wert', ariaLabel: 'Neuer Wert', required: true, autocomplete: 'off'}),
  el('input', {name: 'remark', placeholder: 'Bemerkung', ariaLabel: 'Bemerkung', autocomplete: 'off'}),
  el('button', {title: 'Hinzufügen', ariaLabel: 'Hinzufügen'}, icon('add')));
  return form;
}
