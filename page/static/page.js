// Live updates. The stream tells that something is new (counts and a version only); the page itself is fetched again then,
// and its parts marked `data-fresh` take the place of the old ones. Without script everything else works.

const live = document.body.dataset.live
const news = document.getElementById('neu')
let shown = document.body.dataset.version
let wanted = shown
let busy = false

// Nothing moves under a hand: neither while somebody is at a control nor while the pointer rests on a button.
function inUse(part) {
  return part.contains(document.activeElement) || part.querySelector('button:hover') !== null
}

async function refresh(force) {
  if (busy || wanted === shown) return
  busy = true
  const aim = wanted
  try {
    const answer = await fetch(location.href, { headers: { 'X-Komm-Live': '1' }, cache: 'no-store' })
    if (answer.status === 403) return location.reload()
    if (!answer.ok) return
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html')
    for (const part of document.querySelectorAll('[data-fresh]')) {
      const other = fresh.getElementById(part.id)
      if (!other) continue
      if (!force && inUse(part)) {
        news.hidden = false
        return
      }
      const open = new Set([...part.querySelectorAll('details[open] > summary')].map((one) => one.textContent))
      part.replaceWith(document.adoptNode(other))
      for (const summary of other.querySelectorAll('summary')) {
        if (open.has(summary.textContent)) summary.parentElement.open = true
      }
    }
    news.hidden = true
    shown = fresh.body.dataset.version ?? aim
  } finally {
    busy = false
    if (wanted !== aim) refresh(false)
  }
}

if (live) {
  const stream = new EventSource(live)
  stream.addEventListener('stand', (event) => {
    wanted = JSON.parse(event.data).version
    refresh(false)
  })
  stream.addEventListener('ende', () => {
    stream.close()
    location.reload()
  })
  news.querySelector('button').addEventListener('click', () => refresh(true))
  document.addEventListener('visibilitychange', () => refresh(false))
  document.addEventListener('focusout', () => setTimeout(() => refresh(false)))
}

// One click is one action.
document.addEventListener('submit', (event) => {
  for (const button of event.target.querySelectorAll('button')) setTimeout(() => (button.disabled = true))
})
addEventListener('pageshow', () => {
  for (const button of document.querySelectorAll('button:disabled')) button.disabled = false
})
