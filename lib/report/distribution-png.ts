/**
 * How many cells have each label, and of which source or batch they are: level bars, the most frequent label on top, each bar's parts in the
 * order of the sources. What scPDAC's `plot_label_distribution` shows, with the parts that tell whether a label is of one source alone.
 */
import { displayColours } from './colours.ts'
import { shownText } from './html.ts'
import { counted, wholeNumber } from './numbers.ts'
import {
  type Box,
  drawTitle,
  encodePicture,
  fillSharp,
  missingFill,
  openPicture,
  renderMessage,
  rim,
  strokeFrame,
  titleHeight,
} from './picture.ts'
import { drawAxisBelow } from './picture-axes.ts'
import { drawText, faint, measuringContext, shortNames, textWidth } from './picture-text.ts'

const barWidth = 460
const barHeight = 18
const barApart = 5
const mostLabels = 60
/** of the longest bar, for the number behind it */
const room = 1.14
const mostParts = 20
const legendLine = 18

export interface DistributionPicture {
  title: string
  /** code of each cell, -1 for none: such cells are counted in the note and not drawn */
  labels: { codes: ArrayLike<number>; categories: readonly string[] }
  /** what bars are cut into; whole bars when absent */
  parts?: { name: string; codes: ArrayLike<number>; categories: readonly string[] }
  pixelRatio?: number
}

interface Bar {
  name: string
  /** cells by part, those of no part or of a rare one last */
  cells: number[]
  total: number
}

/** @returns the PNG; a picture that says why where no cell has a label */
export async function renderDistribution(options: DistributionPicture): Promise<Uint8Array> {
  const { pixelRatio = 2 } = options
  const title = shownText(options.title)
  const { bars, parts, without } = countBars(options)
  if (bars.length === 0) return renderMessage(title, { message: 'No cell has a label.', pixelRatio })
  const shown = bars.slice(0, mostLabels)
  const notes = notesOf({ bars, shown, without })
  const names = shortNames(shown.map(({ name }) => name))
  const measure = measuringContext()
  const nameWidth = Math.max(...names.map((name) => textWidth(measure, name, { size: 12 })))
  const plot: Box = {
    left: rim + nameWidth + 12,
    top: titleHeight(notes.length) + 8,
    width: barWidth,
    height: shown.length * (barHeight + barApart) + barApart,
  }
  const legendTop = plot.top + plot.height + 54
  const legendHeight = parts.length > 1 ? legendLine * (parts.length + 1) : 0
  const picture = openPicture({
    width: plot.left + barWidth + 80 + rim,
    height: legendTop - 14 + legendHeight + rim,
    pixelRatio,
  })
  drawTitle(picture, { title, notes })
  const most = shown[0]!.total
  const colours = parts.length > 1 ? partColours(parts) : ['#4a7fb8']
  for (const [i, bar] of shown.entries()) {
    const top = plot.top + barApart + i * (barHeight + barApart)
    let left = plot.left
    for (const [part, cells] of bar.cells.entries()) {
      const width = (barWidth * cells) / (most * room)
      fillSharp(picture, { left, top, width, height: barHeight }, colours[part]!)
      left += width
    }
    drawText(picture.context, names[i]!, { left: plot.left - 8, top: top + 13, size: 12, align: 'right' })
    const place = { left: Math.min(left, plot.left + barWidth) + 6, top: top + 13, size: 11, colour: faint }
    drawText(picture.context, wholeNumber(bar.total), place)
  }
  strokeFrame(picture, plot)
  drawAxisBelow(picture, plot, { name: 'number of cells', ends: [0, most * room], ticks: 5 })
  if (parts.length > 1) {
    drawText(picture.context, shownText(options.parts!.name), {
      left: plot.left,
      top: legendTop,
      size: 12,
      bold: true,
    })
    for (const [i, name] of parts.entries()) {
      const top = legendTop + legendLine * (i + 1)
      fillSharp(picture, { left: plot.left, top: top - 10, width: 12, height: 12 }, colours[i]!)
      drawText(picture.context, shownText(name), { left: plot.left + 20, top, size: 12, most: barWidth - 20 })
    }
  }
  return encodePicture(picture)
}

function notesOf({ bars, shown, without }: { bars: Bar[]; shown: Bar[]; without: number }): string[] {
  const cells = bars.reduce((sum, { total }) => sum + total, 0)
  const rest = bars.slice(shown.length)
  const left = rest.reduce((sum, { total }) => sum + total, 0)
  return [
    `${counted(cells, 'cell')} of ${counted(bars.length, 'label')}${without > 0 ? `; ${wholeNumber(without)} without a label` : ''}`,
    ...(rest.length === 0 ? [] : [`${rest.length} rarer labels (${wholeNumber(left)} cells) are not drawn.`]),
  ]
}

/** The parts with most cells have a colour of their own; all others are one. */
function countBars({ labels, parts }: DistributionPicture): {
  bars: Bar[]
  parts: string[]
  without: number
} {
  const { codes, categories } = labels
  const totals = new Map<number, number>()
  for (let cell = 0; cell < codes.length; cell++) {
    const part = parts?.codes[cell] ?? -1
    totals.set(part, (totals.get(part) ?? 0) + 1)
  }
  const kept = [...totals.keys()]
    .filter((part) => part >= 0)
    .sort((a, b) => totals.get(b)! - totals.get(a)!)
    .slice(0, mostParts)
    .sort((a, b) => a - b)
  const placeOf = new Map(kept.map((part, i) => [part, i]))
  const hasRest = parts !== undefined && [...totals.keys()].some((part) => !placeOf.has(part))
  const width = Math.max(1, kept.length + Number(hasRest))
  const counts = categories.map(() => new Array<number>(width).fill(0))
  let without = 0
  for (let cell = 0; cell < codes.length; cell++) {
    const own = counts[codes[cell]!]
    if (own === undefined) without++
    else own[placeOf.get(parts?.codes[cell] ?? -1) ?? width - 1]!++
  }
  const bars = categories
    .map((name, code) => ({ name, cells: counts[code]!, total: counts[code]!.reduce((a, b) => a + b, 0) }))
    .filter(({ total }) => total > 0)
    .sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1))
  const names = [...kept.map((part) => parts!.categories[part]!), ...(hasRest ? ['others'] : [])]
  return { bars, parts: names, without }
}

function partColours(parts: readonly string[]): string[] {
  const isRest = (i: number) => i === parts.length - 1 && parts[i] === 'others'
  return displayColours(parts).map((colour, i) => (isRest(i) ? missingFill : colour))
}
