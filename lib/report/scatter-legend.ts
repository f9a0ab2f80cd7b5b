/** Legend of the map as a PNG: a name and a count for each label, or a colour scale. Nothing leaves its column. */
import type { SKRSContext2D } from '@napi-rs/canvas'
import { scaleColours } from './assets/palette.js'
import { drawBar } from './colour-bar.ts'
import { numberRamp } from './colours.ts'
import type { CategoricalColouring, Colouring, NumberColouring } from './content.ts'
import { shownText } from './html.ts'
import { endTexts, numberScale } from './number-scale.ts'
import { wholeNumber } from './numbers.ts'
import { missingColour, type OccurringCategory, occurringCategories } from './occurring-categories.ts'
import { drawText, faint } from './picture-text.ts'

/** width of a column of labels */
export const legendWidth = 250
const lineHeight = 20

export interface Legend {
  columns: number
  draw(context: SKRSContext2D, place: { left: number; top: number }): void
}

/** @param space height in points, and how many columns of labels there may be */
export function makeLegend(colouring: Colouring, space: { height: number; columns: number }): Legend {
  return colouring.kind === 'number' ? numberLegend(colouring) : categoryLegend(colouring, space)
}

function numberLegend(colouring: NumberColouring): Legend {
  const { ends, beyond, missing } = numberScale(colouring)
  const texts = endTexts(ends, beyond)
  const label = (end: 0 | 1): string =>
    shownText(`${texts[end]} ${(end === 0 ? colouring.low : colouring.high) ?? ''}`.trim())
  return {
    columns: 1,
    draw(context, { left, top }) {
      drawText(context, shownText(colouring.name), { left, top: top + 12, size: 13, bold: true, most: 200 })
      const [barTop, barHeight] = [top + 30, 200]
      drawBar(context, scaleColours(numberRamp(), false), { left, top: barTop, height: barHeight })
      drawText(context, label(1), { left: left + 26, top: barTop + 9, size: 12, most: 170 })
      drawText(context, label(0), { left: left + 26, top: barTop + barHeight, size: 12, most: 170 })
      const below = { left, top: barTop + barHeight + 30 }
      if (missing > 0) drawEntry(context, below, { name: 'no value', colour: missingColour, cells: missing })
    },
  }
}

/** Labels by number of cells, the largest first; what does not fit is counted in the last line. */
function categoryLegend(colouring: CategoricalColouring, space: { height: number; columns: number }): Legend {
  const { occurring, missing } = occurringCategories(colouring)
  const entries = occurring.toSorted((a, b) => b.cells - a.cells)
  if (missing > 0) entries.push({ name: 'no value', colour: missingColour, cells: missing })
  const lines = Math.max(1, Math.floor((space.height - 24) / lineHeight))
  const columns = Math.min(space.columns, Math.max(1, Math.ceil(entries.length / lines)))
  const room = columns * lines
  const shown = entries.length > room ? entries.slice(0, room - 1) : entries
  return {
    columns,
    draw(context, { left, top }) {
      drawText(context, shownText(colouring.name), { left, top: top + 12, size: 13, bold: true, most: 200 })
      const place = (index: number): { left: number; top: number } => ({
        left: left + legendWidth * Math.floor(index / lines),
        top: top + 24 + lineHeight * (index % lines),
      })
      for (const [index, entry] of shown.entries()) drawEntry(context, place(index), entry)
      if (shown.length === entries.length) return
      const last = place(shown.length)
      const text = `and ${wholeNumber(entries.length - shown.length)} more`
      drawText(context, text, { left: last.left + 18, top: last.top + 14, size: 12, colour: faint })
    },
  }
}

function drawEntry(
  context: SKRSContext2D,
  { left, top }: { left: number; top: number },
  { name, colour, cells }: OccurringCategory,
): void {
  context.fillStyle = colour
  context.beginPath()
  context.arc(left + 6, top + 10, 5, 0, 2 * Math.PI)
  context.fill()
  const right = left + legendWidth - 24
  const count = wholeNumber(cells)
  const line = { top: top + 14, size: 12 }
  drawText(context, count, { ...line, left: right, colour: faint, align: 'right' })
  const most = right - left - 28 - context.measureText(count).width
  drawText(context, name, { ...line, left: left + 18, most })
}
