// The list of records, which one is open, and the stream that tells what has changed.

import {$, act, call, el, keep, toast} from './dom.js';
import {setUp, showFaults} from './faults.js';
import {showJournal} from './journal.js';
import {show} from './record.js';
import {STATES} from './words.js';

const PAGE_SIZE = 50;
const LIST_MS = 700;  // the list is asked for at most so often: a first sync changes thousands of rows
const wide = matchMedia('(min-width: 900px)');
const view = {offset: 0, only: 'all', q: ''};

const openKey = () => decodeURIComponent(location.hash.slice(1));

// --- The list --------------------------------------------------------------------------------------------------------

function listRow({key, name, betnr, state}) {
  const link = el('a', {href: `#${encodeURIComponent(key)}`},
    el('i', {className: `dot ${state}`, title: STATES[state]}),
    el('span', {className: 'who'}, name), el('span', {className: 'unseen'}, `, ${STATES[state]}`),
    el('small', {}, betnr === null ? 'ohne betNr' : betnr));
  return el('li', {}, link);
}

function markOpen() {
  const key = openKey();
  for (const item of $('rows').children) {
    const link = item.firstElementChild;
    if (item.dataset.key === key) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}

function showList({rows, total, counts}) {
  const focused = document.activeElement?.closest?.('#rows li')?.dataset.key;
  keep($('rows'), rows, ({key}) => key, listRow);
  if (focused !== undefined) [...$('rows').children].find((item) => item.dataset.key === focused)?.firstElementChild.focus();
  document.querySelectorAll('#filters button').forEach((button) => {
    button.querySelector('b').textContent = counts[button.dataset.only];
  });
  $('empty').hidden = rows.length > 0;
  $('empty').textContent = view.q || view.only !== 'all' ? 'Dazu gibt es nichts.' : 'Noch keine Beteiligten.';
  $('pager').hidden = total <= PAGE_SIZE;
  $('where').textContent = total ? `${view.offset + 1} bis ${Math.min(view.offset + PAGE_SIZE, total)} von ${total}` : '';
  $('back').disabled = view.offset === 0;
  $('forward').disabled = view.offset + PAGE_SIZE >= total;
  if (view.offset >= total && total > 0) move(0);
  if (!openKey() && wide.matches && rows.length) location.replace(`#${encodeURIComponent(rows[0].key)}`);
  markOpen();
}

let turn = 0;
let asked = 0;
let version = '';  // of all records, as the list shows them
let timer = null;

async function refresh() {
  const mine = ++turn;
  asked = Date.now();
  try {
    const answer = await call('GET', `records?${new URLSearchParams({...view, limit: PAGE_SIZE})}`);
    if (mine !== turn) return;  // a later question is under way and knows more
    version = answer.version;
    showList(answer);
    if (!answer.current) refreshSoon();
  } catch { /* the stream says that the connection is lost */ }
}

function refreshSoon() {
  timer ??= setTimeout(() => { timer = null; refresh(); }, Math.max(0, asked + LIST_MS - Date.now()));
}

function move(offset) { view.offset = Math.max(0, offset); refresh(); }

// --- The open record, live -------------------------------------------------------------------------------------------

let stream;

function follow() {
  const key = openKey();
  stream?.close();
  stream = new EventSource(`/_sandbox/page/live?${new URLSearchParams({record: key})}`);
  const on = (name, take) => stream.addEventListener(name, (event) => take(JSON.parse(event.data)));
  stream.onopen = () => live('on', 'live verbunden');
  stream.onerror = () => live('off', 'keine Verbindung');
  on('list', (now) => { if (now !== version) refreshSoon(); });
  on('faults', showFaults);
  on('record', show);
  on('journal', (journal) => showJournal(key, journal));
}

function live(state, text) {
  $('live').className = `live ${state}`;
  if ($('live').lastElementChild.textContent !== text) $('live').lastElementChild.textContent = text;
}

function opened() {
  document.body.classList.toggle('has-record', openKey() !== '');
  if (!openKey()) { $('shown').hidden = true; $('nothing').hidden = false; }
  markOpen();
  follow();
  scrollTo({top: 0});
}

addEventListener('hashchange', () => {
  opened();
  if (openKey()) $('record').focus({preventScroll: true});
  else if (!wide.matches) $('search').focus({preventScroll: true});
});

// --- Controls --------------------------------------------------------------------------------------------------------

let typing;
$('search').oninput = (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => { view.q = event.target.value.trim(); move(0); }, 200);
};
$('filters').onclick = (event) => {
  const button = event.target.closest('button');
  if (!button) return;
  view.only = button.dataset.only;
  document.querySelectorAll('#filters button').forEach((other) => other.setAttribute('aria-pressed', other === button));
  move(0);
};
$('rows').onkeydown = (event) => {
  const step = {ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling'}[event.key];
  const next = step && event.target.closest('li')?.[step];
  if (next) { next.firstElementChild.focus(); event.preventDefault(); }
};
$('back').onclick = () => move(view.offset - PAGE_SIZE);
$('forward').onclick = () => move(view.offset + PAGE_SIZE);
$('flush').onclick = () => act('EspoCRM', async () => {
  const {delivered} = await call('POST', 'flush');
  toast(delivered === 1 ? 'Ein Webhook zugestellt.' : `${delivered} Webhooks zugestellt.`);
});
$('new').onclick = () => $('creator').showModal();
$('creator').onclose = (event) => {
  if (event.target.returnValue !== 'create') return;
  const form = event.target.querySelector('form');
  const {first, last, place} = Object.fromEntries(new FormData(form));
  form.reset();
  act('Die Spielwiese', async () => {
    const betnr = place === 'espocrm' ? null
      : (await call('POST', 'advoware/beteiligte', {name: first ? `${last}, ${first}` : last})).betNr;
    const made = place === 'advoware' ? null
      : await call('POST', 'espocrm/CBeteiligte', {firstName: first || null, lastName: last, betnr});
    location.hash = encodeURIComponent(`${betnr}-${made?.id ?? ''}`);
  });
};

setUp();
refresh();
opened();
