// What the sync has written down about the record: its runs, the newest first, each with its writes in their order.

import {$, el, keep} from './dom.js';
import {RECORD_STATES, SYSTEMS, TROUBLES} from './words.js';

const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString('de-DE');
const note = (text, className = 'note') => el('p', {className}, text);

function value(text) {
  return text ? el('b', {}, text) : el('i', {}, 'leer');
}

function write(entry) {
  const quiet = entry.operation === 'set_marker' ? ' quiet' : '';
  const same = entry.before === entry.after;
  return el('li', {className: `write${quiet}`},
    el('span', {className: `system ${entry.system}`}, SYSTEMS[entry.system] ?? entry.system),
    el('span', {className: 'what'}, entry.what),
    el('span', {className: 'change'},
      ...(same ? [value(entry.after)] : [entry.before === null ? null : value(entry.before),
        entry.before === null ? null : el('span', {className: 'arrow'}, ' → '), value(entry.after)])),
    el('span', {className: 'why'}, entry.why));
}

function runsOf(entries) {
  const runs = [];
  for (const entry of entries) {
    if (runs.at(-1)?.run !== entry.run) runs.push({run: entry.run, writes: []});
    runs.at(-1).writes.unshift(entry);
  }
  return runs;
}

function run({run: name, writes}, fresh) {
  return el('li', {className: fresh ? 'run flash' : 'run'},
    el('p', {className: 'head'}, el('time', {}, time(writes.at(-1).at)), el('span', {}, `Lauf ${name ?? ''}`)),
    el('ol', {}, ...writes.map(write)));
}

function standing({status, conflicts, held_back: held}) {
  const lines = [];
  if (status) {
    const [className, text] = RECORD_STATES[status.state] ?? ['', status.state];
    lines.push(note(`${time(status.at)}  ${text}`, `note ${className}`));
  }
  for (const one of conflicts) lines.push(note(`Konflikt: Advoware „${one.advoware}“, EspoCRM „${one.espocrm}“`, 'note warn'));
  for (const one of held) lines.push(note(`Zurückgehalten: „${one}“`, 'note warn'));
  return lines;
}

let known = null;  // key of the record whose runs are shown

export function showJournal(key, journal) {
  const place = $('journal');
  if (journal === null || journal.trouble) {
    known = null;
    place.replaceChildren(note(journal === null
      ? 'Hier steht das Journal, wenn der Abgleich läuft: »make run« startet ihn und nennt der Spielwiese sein Redis (REDIS_URL).'
      : TROUBLES[journal.trouble], journal === null ? 'note' : 'note bad'));
    return;
  }
  const again = known === key;
  known = key;
  const list = again ? place.querySelector('.runs') : el('ol', {className: 'runs'});
  keep(list, runsOf(journal.entries), ({writes}) => String(writes[0].n), (one) => run(one, again));
  const empty = journal.entries.length ? [] : [note('Noch hat der Abgleich hier nichts geschrieben.')];
  place.querySelectorAll(':scope > .note').forEach((old) => old.remove());
  if (!again) place.replaceChildren(list);
  place.prepend(...standing(journal), ...empty);
}
