// Shows both systems side by side and lets people edit them. Polls; a row being edited is left alone.

const PAGE_SIZE = 25;
const POLL_MS = 1500;
const KINDS = ['', 'TelGesch', 'FaxGesch', 'Mobil', 'MailGesch', 'Internet', 'TelPrivat', 'FaxPrivat', 'MailPrivat',
  'AutoTelefon', 'Sonstige', 'EPost', 'Bea'];
const PHONE_TYPES = ['Office', 'Mobile', 'Home', 'Fax', 'Other'];
const STATES = {equal: 'gleich', advoware: 'nur in Advoware', espocrm: 'nur in EspoCRM'};
const PLACES = {both: 'auf beiden Seiten', here: 'nur hier', none: 'wird nicht abgeglichen'};
const ICONS = {
  edit: 'M11.5 2.5l2 2L5 13l-3 1 1-3zM10 4l2 2',
  clear: 'M6 13h7M2.5 9.500l5.500-6 4.500 4.500-5 5H5.500z',
  copy: 'M6 6h7.500v7.500H6zM3.500 10H2.500V2.500H10V3.500',
  remove: 'M3 4.500h10M6.500 4.500v-2h3v2M4.500 4.500l.5 9h6l.5-9',
  add: 'M8 3v10M3 8h10',
  star: 'M8 2l1.800 3.900 4.200.5-3.100 2.900.8 4.200L8 11.400l-3.700 2.100.8-4.200L2 6.400l4.200-.5z',
};

const view = {offset: 0, only: 'all', q: '', version: '', rows: new Map()};
const $ = (id) => document.getElementById(id);

// --- Small helpers ---------------------------------------------------------------------------------------------------

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

// An address too long for its line breaks before the @ if it can.
function breakable(value) {
  return value.split(/(?=@)/).flatMap((part, i) => (i ? [el('wbr'), part] : [part]));
}

function tool(name, label, action, className = '') {
  return el('button', {type: 'button', title: label, ariaLabel: label, className, onclick: action}, icon(name));
}

function options(pairs, selected) {
  return pairs.map(([value, label]) => el('option', {value, selected: value === selected}, label));
}

function toast(text, bad = false) {
  const node = el('div', {className: bad ? 'toast bad' : 'toast'}, text);
  $('toasts').append(node);
  setTimeout(() => node.remove(), bad ? 9000 : 3500);
}

// --- Talking to the server -------------------------------------------------------------------------------------------

async function call(method, path, body) {
  const answer = await fetch(`/_sandbox/page/${path}`, {
    method, headers: {'Content-Type': 'application/json'}, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const text = await answer.text();
  let reason = answer.headers.get('X-Status-Reason') ?? '';
  try { reason ||= JSON.parse(text).message ?? ''; } catch { /* an empty body says nothing more */ }
  throw new Error(`${answer.status} ${reason || 'ohne Begründung'}`);
}

async function act(system, card, work) {
  try {
    await work();
    card?.removeAttribute('data-json');
    card?.querySelectorAll('.edit').forEach((form) => form.remove());
    card?.querySelectorAll('.add').forEach((form) => form.reset());
    if (card?.contains(document.activeElement)) document.activeElement.blur();
  } catch (error) {
    toast(`${system} lehnt ab: ${error.message}`, true);
  }
  view.version = '';
  await poll();
}

// --- Advoware's side -------------------------------------------------------------------------------------------------

function splitRemark(bemerkung) {
  const text = bemerkung ?? '';
  const match = /\[ESPOCRM(-SLOT)?:([^\]]*)\] ?/.exec(text);
  if (!match) return {tag: null, rest: text};
  const title = `Marke des Abgleichs: ${match[0].trim()}`;
  const tag = el('span', {className: 'tag', title}, match[1] ? 'freier Platz' : 'verknüpft');
  return {tag, rest: text.slice(0, match.index) + text.slice(match.index + match[0].length)};
}

function advowareItem(row, entry, card) {
  const base = `advoware/beteiligte/${row.betnr}/kommunikation/${entry.id}`;
  const run = (method, path, body) => act('Advoware', card, () => call(method, base + path, body));
  const {tag, rest} = splitRemark(entry.bemerkung);
  const blank = !(entry.tlf ?? '').trim();
  const item = el('div', {className: 'item'},
    el('i', {className: `dot ${entry.place}`, title: PLACES[entry.place]}),
    el('span', {className: 'kind', title: `kommKz ${entry.kommKz}`}, KINDS[entry.kommKz]),
    el('div', {className: 'body'},
      el('span', {className: blank ? 'value blank' : 'value'}, ...(blank ? ['leer'] : breakable(entry.tlf))),
      tag, rest ? el('span', {className: 'remark'}, rest) : null),
    el('div', {className: 'tools'},
      tool('edit', 'Ändern', () => edit(item, [
        {name: 'tlf', label: 'Wert', value: entry.tlf ?? ''},
        {name: 'bemerkung', label: 'Bemerkung', value: entry.bemerkung ?? ''},
      ], (values) => run('PATCH', '', values))),
      tool('clear', 'Wert leeren, die Bemerkung bleibt', () => run('POST', '/clear')),
      tool('copy', 'Verdoppeln, samt Bemerkung', () => run('POST', '/duplicate')),
      tool('remove', 'Löschen', () => run('DELETE', ''))));
  return item;
}

function advowareAdd(row, card) {
  const form = el('form', {className: 'add', onsubmit: (event) => {
    event.preventDefault();
    const data = new FormData(form);
    act('Advoware', card, () => call('POST', `advoware/beteiligte/${row.betnr}/kommunikation`, {
      kommKz: Number(data.get('kind')), tlf: data.get('value'), bemerkung: data.get('remark') || null, online: false,
    }));
  }},
  el('select', {name: 'kind', ariaLabel: 'Art'}, ...options(KINDS.map((name, kind) => [String(kind), name]).slice(1))),
  el('input', {name: 'value', placeholder: 'Neuer Wert', ariaLabel: 'Neuer Wert', required: true, autocomplete: 'off'}),
  el('input', {name: 'remark', placeholder: 'Bemerkung', ariaLabel: 'Bemerkung', autocomplete: 'off'}),
  el('button', {title: 'Hinzufügen', ariaLabel: 'Hinzufügen'}, icon('add')));
  return form;
}

// --- EspoCRM's side --------------------------------------------------------------------------------------------------

const EMAIL = {member: 'emailAddressData', value: 'emailAddress', list: 'emails'};
const PHONE = {member: 'phoneNumberData', value: 'phoneNumber', list: 'phones'};

function putArray(row, card, art, items) {
  const body = {[art.member]: items.map(({place, lower, ...item}) => item)};
  return act('EspoCRM', card, () => call('PUT', `espocrm/CBeteiligte/${row.espocrm.id}`, body));
}

function espocrmItem(row, art, item, index, card) {
  const items = row.espocrm[art.list];
  const put = (change) => putArray(row, card, art, items.map((other, i) => (i === index ? {...other, ...change} : other)));
  const primary = () => putArray(row, card, art, items.map((other, i) => ({...other, primary: i === index})));
  const kind = art === PHONE
    ? el('select', {className: 'kind', ariaLabel: 'Typ', onchange: (event) => put({type: event.target.value})},
      ...options(PHONE_TYPES.map((type) => [type, type]), item.type))
    : el('span', {className: 'kind'}, 'E-Mail');
  const node = el('div', {className: 'item'},
    el('i', {className: `dot ${item.place}`, title: PLACES[item.place]}), kind,
    el('div', {className: 'body'},
      el('span', {className: 'value'}, ...breakable(item[art.value])),
      item.optOut ? el('span', {className: 'tag on', title: 'optOut'}, 'abgemeldet') : null,
      item.invalid ? el('span', {className: 'tag on', title: 'invalid'}, 'ungültig') : null),
    el('div', {className: 'tools'},
      tool('star', item.primary ? 'Hauptwert' : 'Zum Hauptwert machen', primary, item.primary ? 'on' : ''),
      tool('edit', 'Ändern', () => edit(node, [
        {name: art.value, label: 'Wert', value: item[art.value]},
        {name: 'optOut', label: 'abgemeldet', check: item.optOut},
        {name: 'invalid', label: 'ungültig', check: item.invalid},
      ], put)),
      tool('remove', 'Löschen', () => putArray(row, card, art, items.filter((_, i) => i !== index)))));
  return node;
}

function espocrmAdd(row, card) {
  const form = el('form', {className: 'add', onsubmit: (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const type = data.get('type');
    const art = type ? PHONE : EMAIL;
    const items = row.espocrm[art.list];
    const fresh = {[art.value]: data.get('value'), primary: items.length === 0, optOut: false, invalid: false};
    putArray(row, card, art, [...items, type ? {...fresh, type} : fresh]);
  }},
  el('select', {name: 'type', ariaLabel: 'Art'}, ...options([['', 'E-Mail'], ...PHONE_TYPES.map((type) => [type, type])])),
  el('input', {name: 'value', placeholder: 'Neuer Wert (Nummern als +49 …)', ariaLabel: 'Neuer Wert', required: true, autocomplete: 'off'}),
  el('button', {title: 'Hinzufügen', ariaLabel: 'Hinzufügen'}, icon('add')));
  return form;
}

// --- Cards -----------------------------------------------------------------------------------------------------------

function edit(item, fields, save) {
  item.parentElement.querySelectorAll('.edit').forEach((form) => form.remove());
  const form = el('form', {className: 'edit', onsubmit: (event) => {
    event.preventDefault();
    save(Object.fromEntries(inputs.map(({name, type, checked, value}) => [name, type === 'checkbox' ? checked : value])));
  }, onkeydown: (event) => { if (event.key === 'Escape') form.remove(); }});
  const inputs = fields.map(({name, label, value, check}) => (check === undefined
    ? el('input', {name, value, ariaLabel: label, placeholder: label, autocomplete: 'off'})
    : el('input', {name, type: 'checkbox', checked: check})));
  form.append(...inputs.map((input, i) => (input.type === 'checkbox' ? el('label', {}, input, ` ${fields[i].label}`) : input)),
    el('button', {className: 'primary'}, 'Speichern'),
    el('button', {type: 'button', onclick: () => form.remove()}, 'Abbrechen'));
  item.append(form);
  inputs[0].focus();
  inputs[0].select();
}

function side(title, number, children, add) {
  return el('section', {className: 'side', ariaLabel: title},
    el('h3', {}, title, el('span', {}, number)),
    ...(children.length ? children : [el('p', {className: 'none'}, add ? 'Keine Einträge' : 'Gibt es hier nicht')]), add);
}

function signatures(row) {
  const all = new Map();
  for (const entry of row.advoware ?? []) all.set(`a${entry.id}`, `${entry.tlf}|${entry.bemerkung}`);
  for (const item of [...row.espocrm?.emails ?? [], ...row.espocrm?.phones ?? []]) {
    all.set(`e${item.emailAddress ?? item.phoneNumber}`, `${item.type}|${item.primary}|${item.optOut}|${item.invalid}`);
  }
  return all;
}

function open(row) {
  const items = [...row.advoware, ...row.espocrm.emails, ...row.espocrm.phones];
  return items.filter((item) => item.place === 'here').length;
}

function fill(card, row, before) {
  const emails = row.espocrm?.emails.map((item, i) => espocrmItem(row, EMAIL, item, i, card)) ?? [];
  const phones = row.espocrm?.phones.map((item, i) => espocrmItem(row, PHONE, item, i, card)) ?? [];
  const left = row.advoware?.map((entry) => advowareItem(row, entry, card)) ?? [];
  const now = signatures(row);
  if (before) {
    const nodes = [...left, ...emails, ...phones];
    [...now.keys()].forEach((key, i) => nodes[i]?.classList.toggle('flash', before.get(key) !== now.get(key)));
  }
  const badge = {equal: 'equal', different: ''}[row.state] ?? 'alone';
  card.replaceChildren(
    el('h2', {}, row.name,
      row.betnr === null ? el('small', {}, 'ohne betNr') : el('small', {}, `betNr ${row.betnr}`),
      el('span', {className: `badge ${badge}`}, row.state === 'different' ? `${open(row)} nur einseitig` : STATES[row.state])),
    el('div', {className: 'sides'},
      side('Advoware', row.advoware ? `${row.advoware.length} Einträge` : '', left, row.advoware ? advowareAdd(row, card) : null),
      side('EspoCRM', row.espocrm ? `${emails.length + phones.length} Einträge` : '', [...emails, ...phones],
        row.espocrm ? espocrmAdd(row, card) : null)));
  card.signatures = now;
}

function busy(card) {
  return card.querySelector('.edit') !== null || card.querySelector('.sides')?.contains(document.activeElement)
    || [...card.querySelectorAll('.add input')].some((input) => input.value !== '');
}

function render({rows, total, counts}) {
  const cards = $('cards');
  const keep = new Map([...cards.children].map((card) => [card.dataset.key, card]));
  const wanted = rows.map((row) => {
    const card = keep.get(row.key) ?? el('article', {className: 'card'});
    card.dataset.key = row.key;
    const json = JSON.stringify(row);
    if (card.dataset.json !== json && !busy(card)) {
      fill(card, row, card.signatures);
      card.dataset.json = json;
    }
    return card;
  });
  if (wanted.length !== cards.children.length || wanted.some((card, i) => cards.children[i] !== card)) {
    cards.replaceChildren(...wanted);
  }
  document.querySelectorAll('#filters button').forEach((button) => {
    button.querySelector('b').textContent = counts[button.dataset.only];
  });
  $('empty').hidden = rows.length > 0;
  $('empty').textContent = view.q || view.only !== 'all' ? 'Dazu gibt es nichts.' : 'Noch keine Beteiligten.';
  $('where').textContent = total ? `${view.offset + 1} bis ${Math.min(view.offset + PAGE_SIZE, total)} von ${total}` : '';
  $('back').disabled = view.offset === 0;
  $('forward').disabled = view.offset + PAGE_SIZE >= total;
  if (view.offset >= total && total > 0) move(0);
}

// --- Polling and controls --------------------------------------------------------------------------------------------

let turn = 0;

async function poll() {
  const mine = ++turn;
  const query = new URLSearchParams({q: view.q, only: view.only, offset: view.offset, limit: PAGE_SIZE, version: view.version});
  try {
    const answer = await call('GET', `records?${query}`);
    if (mine !== turn) return;  // a later poll is under way and knows more
    $('live').className = 'live on';
    $('live').lastElementChild.textContent = 'aktualisiert sich selbst';
    if (answer.unchanged && ![...$('cards').children].some((card) => !card.dataset.json)) return;
    if (!answer.unchanged) { render(answer); view.version = deferred() ? '' : answer.version; }
  } catch {
    $('live').className = 'live off';
    $('live').lastElementChild.textContent = 'keine Verbindung';
  }
}

function deferred() { return [...$('cards').children].some(busy); }

function move(offset) { view.offset = Math.max(0, offset); view.version = ''; poll(); scrollTo({top: 0}); }

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
$('back').onclick = () => move(view.offset - PAGE_SIZE);
$('forward').onclick = () => move(view.offset + PAGE_SIZE);
$('flush').onclick = () => act('EspoCRM', null, async () => {
  const {delivered} = await call('POST', 'flush');
  toast(delivered === 1 ? 'Ein Webhook zugestellt.' : `${delivered} Webhooks zugestellt.`);
});
$('new').onclick = () => $('creator').showModal();
$('creator').onclose = (event) => {
  if (event.target.returnValue !== 'create') return;
  const form = event.target.querySelector('form');
  const {first, last, place} = Object.fromEntries(new FormData(form));
  form.reset();
  act('Die Spielwiese', null, async () => {
    const betnr = place === 'espocrm' ? null
      : (await call('POST', 'advoware/beteiligte', {name: first ? `${last}, ${first}` : last})).betNr;
    if (place !== 'advoware') {
      await call('POST', 'espocrm/CBeteiligte', {firstName: first || null, lastName: last, betnr});
    }
    $('search').value = view.q = last;
    view.offset = 0;
  });
};

await poll();
setInterval(() => { if (!document.hidden) poll(); }, POLL_MS);
