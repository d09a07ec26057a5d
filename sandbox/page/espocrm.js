// EspoCRM's side of a pair. Its arrays are written whole, as its own user interface does.

import {act, breakable, call, el, icon, options, tool} from './dom.js';
import {edit} from './edit.js';
import {PHONE_TYPES} from './words.js';

const ARTS = {
  emails: {member: 'emailAddressData', name: 'emailAddress'},
  phones: {member: 'phoneNumberData', name: 'phoneNumber'},
};

let espoId = null;

export function know(record) { espoId = record.espocrm; }

// An array is read, changed and written, one edit after the other: what is on the page may be a moment old, or the form
// of an edit was opened long ago.
let turn = Promise.resolve();

function change(art, changed) {
  const {member} = ARTS[art];
  const id = espoId;
  turn = turn.then(() => act('EspoCRM', async () => {
    const now = await call('GET', `espocrm/CBeteiligte/${id}`);
    await call('PUT', `espocrm/CBeteiligte/${id}`, {[member]: changed(now[member])});
  }));
  return turn;
}

function changeOne(item, changed) {
  const is = (one) => one[ARTS[item.art].name] === item.value;
  return change(item.art, (items) => {
    if (!items.some(is)) throw new Error('diesen Wert gibt es nicht mehr');
    return changed(items, is);
  });
}

function set(item, {value = item.value, ...flags}) {
  const values = {...flags, [ARTS[item.art].name]: value};
  return changeOne(item, (items, is) => items.map((one) => (is(one) ? {...one, ...values} : one)));
}

function kindOf(item) {
  if (item.art === 'emails') return el('span', {className: 'kind'}, 'E-Mail');
  return el('select', {className: 'kind', ariaLabel: 'Typ', onchange: (event) => set(item, {type: event.target.value})},
    ...options(PHONE_TYPES.map((type) => [type, type]), item.type));
}

export function espocrmItem(item) {
  const makePrimary = () => changeOne(item, (items, is) => items.map((one) => ({...one, primary: is(one)})));
  return el('div', {className: 'item'},
    el('div', {className: 'kinds'}, kindOf(item),
      item.primary ? el('span', {className: 'tag'}, 'Hauptwert') : null,
      item.optOut ? el('span', {className: 'tag on', title: 'optOut'}, 'abgemeldet') : null,
      item.invalid ? el('span', {className: 'tag on', title: 'invalid'}, 'ungültig') : null),
    el('div', {className: 'tools'},
      tool('star', item.primary ? 'Ist der Hauptwert' : 'Zum Hauptwert machen', makePrimary, item.primary ? 'on' : ''),
      tool('edit', 'Ändern', () => edit(`e${item.art}${item.value}`, [
        {name: 'value', label: 'Wert', value: item.value},
        {name: 'optOut', label: 'abgemeldet', check: item.optOut},
        {name: 'invalid', label: 'ungültig', check: item.invalid},
      ], (values) => set(item, values))),
      tool('remove', 'Löschen', () => changeOne(item, (items, is) => items.filter((one) => !is(one))))),
    el('span', {className: 'value'}, ...breakable(item.value)));
}

export function espocrmAdd() {
  const form = el('form', {className: 'add', ariaLabel: 'Neuer Wert in EspoCRM', onsubmit: async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const type = data.get('type');
    const art = type ? 'phones' : 'emails';
    const fresh = {[ARTS[art].name]: data.get('value'), ...(type ? {type} : {}), optOut: false, invalid: false};
    if (await change(art, (items) => [...items, {...fresh, primary: items.length === 0}])) form.reset();
  }},
  el('select', {name: 'type', ariaLabel: 'Art'}, ...options([['', 'E-Mail'], ...PHONE_TYPES.map((type) => [type, type])])),
  el('input', {name: 'value', placeholder: 'Neuer Wert, +49 …', ariaLabel: 'Neuer Wert', required: true, autocomplete: 'off'}),
  el('button', {title: 'Hinzufügen', ariaLabel: 'Hinzufügen'}, icon('add')));
  return form;
}
