// The one edit that may be open. It outlives changes of its record: what was typed stays until it is saved or given up.

import {el, toast} from './dom.js';

let open = null;  // {key, form}

export function close() {
  open?.form.remove();
  open = null;
}

// Opens a form below the item with this key. `save` gets {name: value} and says whether the system took it.
export function edit(key, fields, save) {
  close();
  const inputs = fields.map(({name, label, value, check}) => (check === undefined
    ? el('input', {name, value, ariaLabel: label, placeholder: label, autocomplete: 'off'})
    : el('input', {name, type: 'checkbox', checked: check})));
  const form = el('form', {className: 'edit', ariaLabel: 'Ändern', onsubmit: async (event) => {
    event.preventDefault();
    const values = inputs.map(({name, type, checked, value}) => [name, type === 'checkbox' ? checked : value]);
    if (await save(Object.fromEntries(values))) giveUp();
  }, onkeydown: (event) => { if (event.key === 'Escape') giveUp(); }},
  ...inputs.map((input, i) => (input.type === 'checkbox' ? el('label', {}, input, ` ${fields[i].label}`) : input)),
  el('button', {className: 'primary'}, 'Speichern'),
  el('button', {type: 'button', onclick: () => giveUp()}, 'Abbrechen'));
  open = {key, form};
  attach();
  inputs[0].focus();
  inputs[0].select();

  function giveUp() {
    const cell = form.closest('.cell');
    close();
    cell?.querySelector('button')?.focus();
  }
}

// To be called when rows were made anew: puts the form back where it belongs.
export function attach() {
  if (!open) return;
  const cell = document.querySelector(`.cell[data-item="${CSS.escape(open.key)}"]`);
  if (!cell) {
    toast('Was gerade geändert wurde, gibt es nicht mehr.', true);
    close();
  } else if (!cell.contains(open.form)) {
    cell.querySelector('.item').append(open.form);
  }
}

// Remembers what has the focus; the function it gives puts it back there after rows were made anew.
export function focused() {
  const active = document.activeElement;
  const cell = active?.closest('.cell');
  if (!cell) return () => {};
  const {selectionStart, selectionEnd} = active;
  const place = [...cell.querySelectorAll('button, select, input')].indexOf(active);
  return () => {
    if (document.activeElement === active) return;
    const now = document.querySelector(`.cell[data-item="${CSS.escape(cell.dataset.item)}"]`);
    const target = active.isConnected ? active : now?.querySelectorAll('button, select, input')[place];
    target?.focus();
    if (target === active && typeof selectionStart === 'number') active.setSelectionRange(selectionStart, selectionEnd);
  };
}
