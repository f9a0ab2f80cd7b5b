/** Brings the page to life: the map with its legend and its list of colourings, and tables that sort. Without it all text is there. */
import { unpackCells } from './cells.js'
import { createChooser } from './chooser.js'
import { showCategories, showNumbers } from './legend.js'
import { createMapView } from './map-view.js'
import { currentTheme, makePalettes } from './palette.js'
import { makeSortable } from './sortable-table.js'
import { createTip } from './tip.js'

const byId = (id) => document.getElementById(id)

export function startPage() {
  openForPrint([...document.querySelectorAll('details')])
  for (const table of document.querySelectorAll('table[data-sortable]')) makeSortable(table)
  const data = byId('map-data')
  if (data !== null) startMap(unpackCells(JSON.parse(data.textContent)))
}

/** On paper nothing can be unfolded. */
function openForPrint(folded) {
  let opened = []
  window.addEventListener('beforeprint', () => {
    opened = folded.filter((each) => !each.open)
    for (const each of opened) each.open = true
  })
  window.addEventListener('afterprint', () => {
    for (const each of opened) each.open = false
  })
}

function startMap(cells) {
  const darkScreen = window.matchMedia('(prefers-color-scheme: dark)')
  const chosen = new Set()
  let colouring = cells.colourings[0]
  let range = null
  let updateLegend = () => {}
  let isPrinting = false

  const hint = byId('map-hint')
  let hintTimer = 0
  const canvas = byId('map-canvas')
  const { showTip, hideTip } = createTip(byId('map-tip'), { canvas, cells })
  const view = createMapView(canvas, cells, {
    point: (cell, at) => showTip(cell, { at, first: colouring }),
    leave: hideTip,
    wheelWithoutFocus: () => {
      hint.hidden = false
      clearTimeout(hintTimer)
      hintTimer = setTimeout(() => {
        hint.hidden = true
      }, 1500)
    },
  })
  byId('map-controls').hidden = false

  function isShown(code) {
    if (range !== null) return code >= range[0] && code <= range[1]
    return chosen.size === 0 || chosen.has(code)
  }

  function paint() {
    const theme = currentTheme({ isDark: darkScreen.matches, isPrinting })
    view.show({
      codes: cells.codes(colouring),
      palettes: makePalettes(colouring, {
        theme,
        ramp: cells.ramp,
        isShown,
        isAlone: (code) => chosen.has(code),
      }),
      background: theme.background,
    })
    updateLegend(theme)
  }

  function showColouring(index) {
    colouring = cells.colourings[index]
    chosen.clear()
    range = null
    showLegend()
    tell(`Coloured by ${colouring.name}`)
    paint()
  }

  function showLegend() {
    const legend = byId('map-legend')
    if (colouring.kind === 'categorical') {
      updateLegend = showCategories(legend, colouring, { chosen, choose, clear, cells: cells.cells })
      return
    }
    updateLegend = showNumbers(legend, colouring, {
      ramp: cells.ramp,
      drawn: cells.drawn,
      narrow(from, to) {
        range = from === 0 && to === 65534 ? null : [from, to]
        paint()
      },
      countOf(from, to) {
        const codes = cells.codes(colouring)
        return codes.reduce((count, code) => count + Number(code >= from && code <= to), 0)
      },
    })
  }

  function choose(code, add) {
    const wasAlone = chosen.has(code) && (add || chosen.size === 1)
    if (!add) chosen.clear()
    if (wasAlone) chosen.delete(code)
    else chosen.add(code)
    const names = [...chosen].map((each) => colouring.categories[each]?.name ?? 'no value')
    tell(names.length === 0 ? 'All labels shown' : `Shown alone: ${names.join(', ')}`)
    paint()
  }

  function clear() {
    chosen.clear()
    tell('All labels shown')
    paint()
  }

  function tell(text) {
    byId('map-status').textContent = text
  }

  const chooser = createChooser(
    { input: byId('colour-by'), list: byId('colour-by-list') },
    { names: cells.colourings.map(({ name }) => name), choose: showColouring },
  )
  byId('zoom-in').addEventListener('click', () => view.zoomBy(1.5))
  byId('zoom-out').addEventListener('click', () => view.zoomBy(1 / 1.5))
  byId('zoom-reset').addEventListener('click', () => view.reset())
  byId('point-size').addEventListener('input', ({ target }) => view.show({ size: 2 ** Number(target.value) }))
  for (const button of document.querySelectorAll('button[data-show]'))
    button.addEventListener('click', () => {
      chooser.choose(Number(button.dataset.colouring))
      choose(Number(button.dataset.show), false)
      canvas.focus()
      byId('map').scrollIntoView()
    })
  darkScreen.addEventListener('change', paint)
  for (const [event, printing] of Object.entries({ beforeprint: true, afterprint: false }))
    window.addEventListener(event, () => {
      isPrinting = printing
      paint()
      view.drawNow()
    })
  showColouring(0)
}
