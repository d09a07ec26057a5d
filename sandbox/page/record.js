// One pair of records: what belongs together stands in one row, with a line between that says how it stands.

import {advowareAdd, advowareItem} from './advoware.js';
import {$, drawing, el, keep} from './dom.js';
import {attach, close, focused} from './edit.js';
import {espocrmAdd, espocrmItem, know} from './espocrm.js';
import {LINKS, STATES} from './words.js';

const LINES = {
  equal: [['', 'M2 8h60']],
  to_espocrm: [['shaft', 'M2 8h54'], ['', 'M54 2l7 6-7 6']],
  to_advoware: [['shaft', 'M62 8H8'], ['', 'M10 2L3 8l7 6']],
};

const FLASH_MS = 6000; // record.css

let shown = null;
let arrived = new Map(); // item -> when it came to look as it does

const sideKey = (side, item) => (side === 'left' ? `a${item.id}` : `e${item.art}${item.value}`);
const rowKey = ({left, right}) => (left ? sideKey('left', left) : sideKey('right', right));

// A marker alone is bookkeeping: it highlights nothing.
const LOOKS = {
  left: ({tlf, text, online}) => [tlf, text, online].join('|'),
  right: ({value, type, primary, optOut, invalid}) => [value, type, primary, optOut, invalid].join('|'),
};

// What each value looked like before, to see what has just arrived.
function looksOf(record) {
  const looks = new Map();
  for (const row of record.rows) {
    for (const side of ['left', 'right']) {
      if (row[side]) looks.set(sideKey(side, row[side]), LOOKS[side](row[side]));
    }
  }
  return looks;
}

function cell(side, item, before) {
  const title = side === 'left' ? 'Advoware' : 'EspoCRM';
  if (!item) return el('div', {className: `cell ${side} void`});
  const node = el('div', {className: `cell ${side}`, role: 'group', ariaLabel: title},
    side === 'left' ? advowareItem(item) : espocrmItem(item));
  node.dataset.item = sideKey(side, item);
  if (before && before.get(node.dataset.item) !== LOOKS[side](item)) arrived.set(node.dataset.item, performance.now());
  const ago = performance.now() - (arrived.get(node.dataset.item) ?? -FLASH_MS);
  if (ago < FLASH_MS) { // a row that is drawn anew meanwhile, for its marker say, goes on where it was
    node.classList.add('flash');
    node.style.animationDelay = `-${ago}ms`;
  }
  return node;
}

function link(name) {
  const node = el('div', {className: `link ${name}`, role: 'img', ariaLabel: LINKS[name], title: LINKS[name]});
  if (LINES[name]) node.append(drawing(LINES[name], '0 0 64 16'));
  else if (name === 'twin') node.append('doppelt');
  return node;
}

function head({name, betnr, state, rows}) {
  const open = rows.filter((row) => row.link.startsWith('to_')).length;
  const badge = state === 'different' || open ? `${open} nicht gleich` : STATES[state];
  return [name, el('small', {}, betnr === null ? 'ohne betNr' : `betNr ${betnr}`),
    el('span', {className: `badge ${open ? '' : state}`}, badge)];
}

const count = (rows, side) => {
  const number = rows.filter((row) => row[side]).length;
  return number === 1 ? '1 Eintrag' : `${number} Einträge`;
};

function adds(record) {
  const none = (text) => el('p', {className: 'none'}, text);
  return [record.advoware ? advowareAdd(record.betnr) : none('Gibt es in Advoware nicht.'),
    record.espocrm ? espocrmAdd() : none('Gibt es in EspoCRM nicht.')];
}

// Shows a record as it is now; null: it is gone.
export function show(record) {
  $('nothing').hidden = record !== null;
  $('shown').hidden = record === null;
  if (record === null) {
    $('nothing').textContent = 'Diesen Datensatz gibt es nicht (mehr) oder er ist anders verknüpft.';
    shown = null;
    return;
  }
  const same = shown?.key === record.key;
  const before = same ? looksOf(shown) : null;
  const resume = focused();
  if (!same) {
    close();
    arrived = new Map();
  }
  know(record);
  $('name').replaceChildren(...head(record));
  $('left-count').textContent = record.advoware ? count(record.rows, 'left') : '';
  $('right-count').textContent = record.espocrm ? count(record.rows, 'right') : '';
  if (!same) $('pair-rows').replaceChildren();
  keep($('pair-rows'), record.rows, rowKey, (row) => el('li', {className: 'pair-row'},
    cell('left', row.left, before), link(row.link), cell('right', row.right, before)));
  if (!same || shown.advoware !== record.advoware || shown.espocrm !== record.espocrm) {
    $('adds').replaceChildren(...adds(record));
  }
  if (same) $('said').textContent = said(before, record);
  shown = record;
  attach();
  resume();
}

function said(before, record) {
  const changed = ['left', 'right'].filter((side) => record.rows.some((row) => (
    row[side] && before.get(sideKey(side, row[side])) !== LOOKS[side](row[side]))));
  return changed.map((side) => (side === 'left' ? 'Advoware hat sich geändert.' : 'EspoCRM hat sich geändert.')).join(' ');
}
