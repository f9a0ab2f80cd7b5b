/** What is known of the cell under the pointer: the colouring on show first, then a few others. */
import { missingCode, numberOf } from './cells.js'
import { element } from './elements.js'
import { measurement } from './numbers.js'

const othersAtMost = 5

/** @param tip the element to fill, which stands over the canvas */
export function createTip(tip, { canvas, cells }) {
  const hideTip = () => {
    tip.hidden = true
  }

  /** @param options {at: {left, top} on the canvas, first: the colouring on show} */
  function showTip(cell, { at, first }) {
    const others = cells.colourings.filter((each) => each !== first).slice(0, othersAtMost)
    tip.replaceChildren(...[first, ...others].map((each) => line(each, cells.codes(each)[cell])))
    tip.hidden = false
    const isLeft = at.left + tip.offsetWidth + 20 > canvas.clientWidth
    const left = isLeft ? at.left - tip.offsetWidth - 12 : at.left + 14
    tip.style.left = `${Math.max(0, left)}px`
    tip.style.top = `${Math.max(0, Math.min(at.top + 10, canvas.clientHeight - tip.offsetHeight))}px`
  }
  return { showTip, hideTip }
}

function line(colouring, code) {
  const parts = { dt: colouring.name, dd: valueText(colouring, code) }
  const children = Object.entries(parts).map(([name, text]) =>
    element(name, { children: [element('bdi', { text })] }),
  )
  return element('div', { children })
}

function valueText(colouring, code) {
  if (code === missingCode(colouring)) return 'no value'
  if (colouring.kind === 'number') return measurement(numberOf(colouring, code))
  return colouring.categories[code].name
}
