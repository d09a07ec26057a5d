// Live updates. The stream tells that something is new (counts and a version only); the page itself is fetched again then,
// and its parts marked `data-fresh` take the place of the old ones. Without script everything else works.

/** While much happens, the page is not fetched more often than this. */
const PAUSE_MS = 1500
const RETRY_MS = 3000

const live = document.body.dataset.live
const news = document.getElementById('neu')
const away = document.getElementById('weg')
let shown = document.body.dataset.version
let wanted = shown
let busy = false
let again // what was asked for meanwhile

// Nothing moves under a hand: neither while somebody is at a control nor while the pointer rests on a button.
function inUse(part) {
  return part.contains(document.activeElement) || part.querySelector('button:hover') !== null
}

async function refresh(force) {
  if (wanted === shown || document.hidden) return
  if (busy) {
    again = force ? 'force' : (again ?? 'wait')
    return
  }
  busy = true
  const aim = wanted
  try {
    const answer = await fetch(location.href, { headers: { 'X-Komm-Live': '1' }, cache: 'no-store' })
    if (answer.status === 403) return location.reload()
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), 'text/html'), aim, force)
    await new Promise((later) => setTimeout(later, PAUSE_MS))
  } catch {
    // The stream connects again by itself, and tells anew what stands.
  } finally {
    busy = false
    const forced = again === 'force'
    if (again || wanted !== aim) {
      again = undefined
      refresh(forced)
    }
  }
}

function take(fresh, aim, force) {
  const parts = [...document.querySelectorAll('[data-fresh]')]
  if (!force && parts.some(inUse)) {
    news.hidden = false
    return
  }
  for (const part of parts) {
    const other = fresh.getElementById(part.id)
    if (!other) continue
    const open = new Set([...part.querySelectorAll('details[open] > summary')].map((one) => one.textContent))
    part.replaceWith(document.adoptNode(other))
    for (const summary of other.querySelectorAll('summary')) {
      if (open.has(summary.textContent)) summary.parentElement.open = true
    }
  }
  news.hidden = true
  shown = fresh.body.dataset.version ?? aim
}

let stream

function listen() {
  stream = new EventSource(live)
  stream.addEventListener('stand', (event) => {
    away.hidden = true
    wanted = JSON.parse(event.data).version
    refresh(false)
  })
  stream.addEventListener('stoerung', () => (away.hidden = false))
  stream.addEventListener('ende', () => {
    stream.close()
    location.reload()
  })
  stream.addEventListener('error', () => {
    away.hidden = false
    // A browser connects again by itself, but not after an answer that is no stream: the page's process may be starting anew.
    if (stream.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS)
  })
}

async function reconnect() {
  if (document.hidden || stream.readyState !== EventSource.CLOSED) return
  try {
    const answer = await fetch(location.href, { method: 'HEAD', headers: { 'X-Komm-Live': '1' }, cache: 'no-store' })
    if (answer.status === 403) return location.reload()
    if (answer.ok) return listen()
  } catch {
    // Still away.
  }
  setTimeout(reconnect, RETRY_MS)
}

if (live) {
  // A browser has six connections to one place: pages nobody looks at leave theirs to others.
  const seen = () => (document.hidden ? stream?.close() : listen())
  seen()
  document.addEventListener('visibilitychange', seen)
  document.addEventListener('focusout', () => setTimeout(() => refresh(false)))
  news.querySelector('button').addEventListener('click', () => refresh(true))
}

// One click is one action.
document.addEventListener('submit', (event) => {
  for (const button of event.target.querySelectorAll('button')) setTimeout(() => (button.disabled = true))
})
addEventListener('pageshow', () => {
  for (const button of document.querySelectorAll('button:disabled')) button.disabled = false
})
