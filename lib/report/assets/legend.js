/** The legend beside the map. Of labels: click one to see it alone. Of numbers: a scale, and two handles that narrow it. */
import { missingCode, numberOf } from './cells.js'
import { element } from './elements.js'
import { measurement, percentage, wholeNumber } from './numbers.js'
import { scaleColours } from './palette.js'

/**
 * @param place the element to fill
 * @param colouring one of the page's colourings
 * @param options {chosen: Set of codes, choose(code, add), clear(), cells}
 * @returns a function that brings its buttons in line with what is chosen
 */
export function showCategories(place, colouring, { chosen, choose, clear, cells }) {
  const entries = colouring.categories
    .map((category, code) => ({ ...category, code }))
    .sort((a, b) => b.cells - a.cells || a.code - b.code)
  if (colouring.missing > 0)
    entries.push({ name: '(no value)', cells: colouring.missing, code: missingCode(colouring) })
  const list = element('ul', { className: 'legend-list', children: entries.map(entryOf) })
  const search = element('input', {
    className: 'legend-search',
    attributes: { type: 'search', placeholder: 'Find in the legend', 'aria-label': 'Find in the legend' },
  })
  search.addEventListener('input', () => {
    const wanted = search.value.toLowerCase()
    for (const item of list.children) item.hidden = !item.textContent.toLowerCase().includes(wanted)
  })
  const all = element('button', { className: 'legend-all', text: 'Show all', attributes: { type: 'button' } })
  all.addEventListener('click', clear)
  const top = element('div', { className: 'legend-top', children: [title(colouring), all] })
  place.replaceChildren(top, ...(entries.length > 12 ? [search] : []), list)
  return mark

  function entryOf({ name, colour, cells: count, code }) {
    const swatch = element('span', { className: 'swatch' })
    if (colour === undefined) swatch.classList.add('swatch-missing')
    else swatch.style.background = colour
    const button = element('button', {
      className: 'legend-entry',
      attributes: { type: 'button', title: name, 'data-code': String(code) },
      children: [
        swatch,
        element('bdi', { className: 'legend-name', text: name }),
        element('span', { className: 'legend-count', text: wholeNumber(count) }),
        element('span', { className: 'legend-share', text: percentage(count / cells) }),
      ],
    })
    button.addEventListener('click', (event) => choose(code, event.shiftKey))
    return element('li', { children: [button] })
  }

  function mark() {
    all.hidden = chosen.size === 0
    for (const button of list.querySelectorAll('button')) {
      const isChosen = chosen.has(Number(button.dataset.code))
      button.setAttribute('aria-pressed', String(isChosen))
      button.classList.toggle('legend-faded', chosen.size > 0 && !isChosen)
    }
  }
}

/**
 * @param options {ramp, narrow(from, to): quantised values, countOf(from, to), drawn}
 * @returns a function that colours the scale for a theme
 */
export function showNumbers(place, colouring, { ramp, narrow, countOf, drawn }) {
  const bar = element('canvas', {
    className: 'scale-bar',
    attributes: { width: '256', height: '1', 'aria-hidden': 'true' },
  })
  const context = bar.getContext('2d')
  const [low, high] = colouring.endTexts
  const words = [colouring.low, colouring.high]
  const ends = [low, high].map((text, i) =>
    element('span', { text: words[i] === '' ? text : `${text} ${words[i]}` }),
  )
  const handles = ['from', 'to'].map((which) => handle(which))
  const told = element('p', { className: 'scale-told', attributes: { 'aria-live': 'polite' } })
  place.replaceChildren(
    element('div', { className: 'legend-top', children: [title(colouring)] }),
    bar,
    element('div', { className: 'scale-ends', children: ends }),
    element('div', { className: 'scale-handles', children: handles.map(({ label }) => label) }),
    told,
  )
  if (colouring.missing > 0)
    place.append(
      element('p', {
        className: 'scale-missing',
        children: [
          element('span', { className: 'swatch swatch-missing' }),
          `no value: ${wholeNumber(colouring.missing)} cells`,
        ],
      }),
    )
  tell()
  return function colourScale({ isDark }) {
    const image = context.createImageData(256, 1)
    new Uint32Array(image.data.buffer).set(scaleColours(ramp, isDark))
    context.putImageData(image, 0, 0)
  }

  function handle(which) {
    const input = element('input', {
      attributes: { type: 'range', min: '0', max: '1000', step: '1', value: which === 'from' ? '0' : '1000' },
    })
    const value = element('output')
    input.addEventListener('input', () => {
      const [from, to] = handles.map((each) => Number(each.input.value))
      if (from > to) for (const each of handles) each.input.value = input.value
      tell()
      narrow(...range())
    })
    const label = element('label', { children: [which === 'from' ? 'From ' : 'To ', input, value] })
    return { input, value, label }
  }

  function range() {
    return handles.map((each) => Math.round((Number(each.input.value) / 1000) * 65534))
  }

  function tell() {
    const [from, to] = range()
    for (const [i, code] of [from, to].entries()) {
      const text = measurement(numberOf(colouring, code))
      handles[i].value.textContent = text
      handles[i].input.setAttribute('aria-valuetext', text)
    }
    const count = countOf(from, to)
    told.textContent = `${wholeNumber(count)} of ${wholeNumber(drawn)} drawn cells lie in this range (${percentage(drawn === 0 ? 0 : count / drawn)})`
  }
}

function title(colouring) {
  return element('h3', { className: 'legend-title', children: [element('bdi', { text: colouring.name })] })
}
