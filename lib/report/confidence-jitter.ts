/**
 * One row of points for each cell type, at their confidence, the type of the highest median on top: the right half of
 * `confidence-png.ts`. Points are moved up or down by a seeded normal draw (SpatialCore's is not seeded), sd 0.15 of a row.
 */
import { random } from '../job/random.ts'
import { packedColour } from './assets/points.js'
import { measurement, percentage, wholeNumber } from './numbers.ts'
import { type Box, fillSharp, type Picture, strokeFrame } from './picture.ts'
import { along, axisEnds, drawAxisBelow, drawThreshold, paintInBox } from './picture-axes.ts'
import { drawText, faint, shortNames } from './picture-text.ts'

const nameRoom = 188
const plotWidth = 272
const shareRoom = 120
/** of a row, in points */
const mostHigh = 48
export const jitterWidth = nameRoom + plotWidth + shareRoom
/** cells of a type that are drawn at most */
export const drawnAtMost = 3000
const spread = 0.15
const passing = '#3675c6'
const failing = '#c9762f'

export interface JitterRow {
  name: string
  /** of all its cells that have a confidence; NaN without any */
  median: number
  /** all its cells, by their number */
  cells: Uint32Array
  /** how many of them have a confidence */
  known: number
  /** those that are drawn, by their number */
  drawn: Uint32Array
}

/** Types that occur, by the median of their confidence, the highest first; those without a confidence last. */
export function jitterRows({
  confidence,
  codes,
  types,
  seed = 0,
}: {
  confidence: Float32Array
  codes: Int32Array
  types: readonly string[]
  seed?: number
}): JitterRow[] {
  const generator = random(seed).fork('which cells of a type are drawn')
  const rows = cellsByType(codes, types.length).flatMap((cells, type) => {
    if (cells.length === 0) return []
    const known = cells.filter((cell) => Number.isFinite(confidence[cell]!))
    const sorted = Float32Array.from(known, (cell) => confidence[cell]!).sort()
    const drawn = known.slice()
    const most = Math.min(drawnAtMost, drawn.length)
    if (most < drawn.length)
      for (let i = 0; i < most; i++) {
        const j = i + generator.integer(drawn.length - i)
        const held = drawn[i]!
        drawn[i] = drawn[j]!
        drawn[j] = held
      }
    return [
      {
        name: types[type]!,
        median: medianOf(sorted),
        cells,
        known: known.length,
        drawn: drawn.subarray(0, most),
      },
    ]
  })
  const rank = ({ median }: JitterRow): number => (Number.isNaN(median) ? -Infinity : median)
  // -Infinity less itself is no number
  return rows.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(b) - rank(a)))
}

function cellsByType(codes: Int32Array, types: number): Uint32Array[] {
  const counts = new Uint32Array(types)
  for (const code of codes) if (code >= 0) counts[code]!++
  const cells = Array.from(counts, (count) => new Uint32Array(count))
  const filled = new Uint32Array(types)
  codes.forEach((code, cell) => {
    if (code >= 0) cells[code]![filled[code]!++] = cell
  })
  return cells
}

function medianOf(sorted: Float32Array): number {
  if (sorted.length === 0) return Number.NaN
  const half = (sorted.length - 1) / 2
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2
}

/** @param place of the whole half, names included, in points */
export function drawJitter(
  picture: Picture,
  place: { left: number; top: number; height: number },
  {
    rows,
    confidence,
    threshold,
    seed,
  }: { rows: readonly JitterRow[]; confidence: Float32Array; threshold: number; seed: number },
): void {
  const height = Math.min(place.height, mostHigh * rows.length)
  const box: Box = { left: place.left + nameRoom, top: place.top, width: plotWidth, height }
  const ends = axisEnds(
    rows.flatMap(({ drawn }) =>
      axisEnds(
        Float32Array.from(drawn, (cell) => confidence[cell]!),
        { room: 0 },
      ),
    ),
    { include: [0, 1, threshold], room: 0.03 },
  )
  const rowHeight = box.height / Math.max(1, rows.length)
  rows.forEach((_, i) => {
    const stripe = { ...box, top: box.top + i * rowHeight, height: rowHeight }
    if (i % 2 === 1) fillSharp(picture, stripe, '#f3f4f6')
  })
  paintRows(picture, box, { rows, confidence, threshold, seed, ends, rowHeight })
  strokeFrame(picture, box)
  const names = shortNames(rows.map(({ name }) => name))
  rows.forEach((row, i) => {
    const middle = box.top + (i + 0.5) * rowHeight
    drawRowTexts(picture, { box, middle }, { row, name: names[i]!, confidence, threshold })
    if (Number.isFinite(row.median))
      drawMedian(picture, box.left + box.width * along(row.median, ends), middle)
  })
  drawThreshold(picture, box, { left: box.left + box.width * along(threshold, ends) })
  drawAxisBelow(picture, box, { name: 'confidence (upright bar: median)', ends, ticks: 5 })
  const heading = { top: box.top + box.height + 15, size: 10, colour: faint }
  drawText(picture.context, `at or above ${measurement(threshold)}`, {
    ...heading,
    left: box.left + box.width + 10,
  })
}

function paintRows(
  picture: Picture,
  box: Box,
  {
    rows,
    confidence,
    threshold,
    seed,
    ends,
    rowHeight,
  }: {
    rows: readonly JitterRow[]
    confidence: Float32Array
    threshold: number
    seed: number
    ends: [number, number]
    rowHeight: number
  },
): void {
  const generator = random(seed).fork('jitter')
  const palette = [packedColour(failing), packedColour(passing)]
  const least = Math.fround(threshold)
  rows.forEach(({ drawn }, i) => {
    const x = Float32Array.from(drawn, (cell) => box.width * along(confidence[cell]!, ends))
    // kept within the row: a point in the row of another type would be wrong
    const y = Float32Array.from(drawn, () => {
      const moved = Math.min(0.42, Math.max(-0.42, spread * generator.normal()))
      return rowHeight * (i + 0.5 + moved)
    })
    const codes = Uint8Array.from(drawn, (cell) => (confidence[cell]! >= least ? 1 : 0))
    const radius = drawn.length > 500 ? 1 : 1.6
    paintInBox(picture, box, { x, y, codes, palette, radius })
  })
}

function drawRowTexts(
  { context }: Picture,
  { box, middle }: { box: Box; middle: number },
  {
    row,
    name,
    confidence,
    threshold,
  }: { row: JitterRow; name: string; confidence: Float32Array; threshold: number },
): void {
  const top = middle + 4
  const least = Math.fround(threshold)
  const passes = (value: number): boolean => Number.isFinite(value) && value >= least
  const passed = row.cells.reduce((count, cell) => count + (passes(confidence[cell]!) ? 1 : 0), 0)
  const place = { left: box.left - 8, top, size: 11, align: 'right', most: nameRoom - 12 } as const
  drawText(context, name, place)
  const share = `${percentage(passed / row.cells.length)} of ${wholeNumber(row.cells.length)}`
  drawText(context, share, { left: box.left + box.width + 10, top, size: 11, most: shareRoom - 10 })
}

function drawMedian({ context }: Picture, left: number, middle: number): void {
  context.fillStyle = '#ffffff'
  context.fillRect(left - 2, middle - 9, 4, 18)
  context.fillStyle = '#1b1f24'
  context.fillRect(left - 1, middle - 9, 2, 18)
}
