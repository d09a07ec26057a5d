// Small helpers: making elements, keeping lists of them, talking to the server. Text is only ever set as text.

const ICONS = {
  edit: 'M11.5 2.5l2 2L5 13l-3 1 1-3zM10 4l2 2',
  clear: 'M6 13h7M2.5 9.500l5.500-6 4.500 4.500-5 5H5.500z',
  copy: 'M6 6h7.500v7.500H6zM3.500 10H2.500V2.500H10V3.500',
  remove: 'M3 4.500h10M6.500 4.500v-2h3v2M4.500 4.500l.5 9h6l.5-9',
  add: 'M8 3v10M3 8h10',
  star: 'M8 2l1.800 3.900 4.200.5-3.100 2.900.8 4.200L8 11.400l-3.700 2.100.8-4.200L2 6.400l4.200-.5z',
};
const SVG = 'http://www.w3.org/2000/svg';

export const $ = (id) => document.getElementById(id);

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// `paths`: class and data of each.
export function drawing(paths, viewBox = '0 0 16 16') {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', viewBox);
  svg.setAttribute('aria-hidden', 'true');
  for (const [className, data] of paths) {
    const line = document.createElementNS(SVG, 'path');
    line.setAttribute('class', className);
    line.setAttribute('d', data);
    svg.append(line);
  }
  return svg;
}

export const icon = (name) => drawing([['', ICONS[name]]]);

// An address too long for its line breaks before the @ if it can.
export function breakable(value) {
  return value.split(/(?=@)/).flatMap((part, i) => (i ? [el('wbr'), part] : [part]));
}

export function tool(name, label, action, className = '') {
  return el('button', {type: 'button', title: label, ariaLabel: label, className, onclick: action}, icon(name));
}

export function options(pairs, selected) {
  return pairs.map(([value, label]) => el('option', {value, selected: value === selected}, label));
}

export function toast(text, bad = false) {
  const node = el('div', {className: bad ? 'toast bad' : 'toast'}, text);
  $('toasts').append(node);
  setTimeout(() => node.remove(), bad ? 9000 : 3500);
}

// Puts the children for these items into `parent`; a child whose item is unchanged stays the very same element, so that
// focus, an open menu and a running highlight survive what happens elsewhere.
export function keep(parent, items, keyOf, make) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const json = JSON.stringify(item);
    let child = old.get(keyOf(item));
    old.delete(keyOf(item));
    if (child?.json !== json) {
      const before = child;
      child = Object.assign(make(item), {json});
      child.dataset.key = keyOf(item);
      if (before) {
        if (place === before) place = child;
        before.replaceWith(child);
      }
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
}

export async function call(method, path, body) {
  const answer = await fetch(`/_sandbox/page/${path}`, {
    method, headers: {'Content-Type': 'application/json'}, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const text = await answer.text();
  let reason = answer.headers.get('X-Status-Reason') ?? '';
  try { reason ||= JSON.parse(text).message ?? ''; } catch { /* an empty body says nothing more */ }
  throw new Error(`${answer.status} ${reason || 'ohne Begründung'}`);
}

// Does what a person asked for; true if the system took it.
export async function act(system, work) {
  try {
    await work();
    return true;
  } catch (error) {
    toast(`${system} lehnt ab: ${error.message}`, true);
    return false;
  }
}
