/**
 * The cells of a map as the page carries them: positions and values as 16-bit numbers in base64, codes in 8 bits where they fit.
 *
 * Cells come in a seeded random order, for two reasons: drawn one over another, no group lies on top of the rest because the file
 * had it last; and the first n of them are a fair sample, which is what is drawn of more than `drawnAtMost`. Counts are of all cells.
 */
import { random } from '../job/random.ts'
import { numberRamp } from './colours.ts'
import type { CategoricalColouring, Colouring, Layout, NumberColouring } from './content.ts'
import { shownText } from './html.ts'
import { endTexts, numberScale } from './number-scale.ts'
import { type OccurringCategory, occurringCategories } from './occurring-categories.ts'

const drawnAtMost = 200_000
/** stands for a missing value or code; values go up to the number before it */
const missing16 = 65_535
const missing8 = 255

export interface CategoricalData {
  kind: 'categorical'
  name: string
  /** of one code */
  bytes: 1 | 2
  data: string
  categories: OccurringCategory[]
  missing: number
}

export interface NumberData {
  kind: 'number'
  name: string
  data: string
  /** values that the quantised 0 and 65534 stand for */
  least: number
  most: number
  /** the ends of the colour scale: as numbers, and as text that says so when values lie beyond them */
  ends: [number, number]
  endTexts: [string, string]
  low: string
  high: string
  missing: number
}

export interface MapData {
  name: string
  cells: number
  drawn: number
  unplaced: number
  /** width divided by height of what the positions span */
  aspect: number
  x: string
  y: string
  ramp: string[]
  colourings: (CategoricalData | NumberData)[]
}

export function mapData(layout: Layout, colourings: readonly Colouring[], { seed = 0 } = {}): MapData {
  const { order, unplaced } = drawOrder(layout, seed)
  const [x, y] = [axis(layout.xy, 0, order), axis(layout.xy, 1, order)]
  const aspect = x.span > 0 && y.span > 0 ? x.span / y.span : 1
  return {
    name: shownText(layout.name),
    cells: layout.rows,
    drawn: order.length,
    unplaced,
    aspect: Math.min(20, Math.max(1 / 20, aspect)),
    x: base64(x.quantised),
    y: base64(y.quantised),
    ramp: numberRamp(),
    colourings: colourings.map((colouring) =>
      colouring.kind === 'number' ? numberData(colouring, order) : categoricalData(colouring, order),
    ),
  }
}

/** The cells to draw, in random order: the start of a Fisher-Yates shuffle. */
export function drawOrder(
  { xy, rows }: Layout,
  seed: number,
  most = drawnAtMost,
): { order: Uint32Array; unplaced: number } {
  const placed = new Uint32Array(rows)
  let count = 0
  for (let cell = 0; cell < rows; cell++)
    if (Number.isFinite(xy[2 * cell]!) && Number.isFinite(xy[2 * cell + 1]!)) placed[count++] = cell
  const drawn = Math.min(count, most)
  const generator = random(seed)
  for (let i = 0; i < drawn; i++) {
    const j = i + generator.integer(count - i)
    const held = placed[i]!
    placed[i] = placed[j]!
    placed[j] = held
  }
  return { order: placed.subarray(0, drawn), unplaced: rows - count }
}

/** One coordinate of the cells to draw, from 0 to 65535 over its own span; all in one place: in the middle. */
export function axis(
  xy: Float32Array,
  which: 0 | 1,
  order: Uint32Array,
): { quantised: Uint16Array<ArrayBuffer>; span: number } {
  let [low, high] = [Infinity, -Infinity]
  for (const cell of order) {
    const value = xy[2 * cell + which]!
    if (value < low) low = value
    if (value > high) high = value
  }
  const span = high - low
  const quantised = new Uint16Array(order.length).fill(32_768)
  if (span > 0)
    for (let i = 0; i < order.length; i++)
      quantised[i] = Math.round(((xy[2 * order[i]! + which]! - low) / span) * 65_535)
  return { quantised, span }
}

function categoricalData(colouring: CategoricalColouring, order: Uint32Array): CategoricalData {
  const { occurring, placeOf, missing } = occurringCategories(colouring)
  const bytes = occurring.length < missing8 ? 1 : 2
  const data = bytes === 1 ? new Uint8Array(order.length) : new Uint16Array(order.length)
  const absent = bytes === 1 ? missing8 : missing16
  for (let i = 0; i < order.length; i++) {
    const code = colouring.codes[order[i]!]!
    data[i] = code < 0 ? absent : placeOf[code]!
  }
  return {
    kind: 'categorical',
    name: shownText(colouring.name),
    bytes,
    data: base64(data),
    categories: occurring,
    missing,
  }
}

function numberData(colouring: NumberColouring, order: Uint32Array): NumberData {
  const { least, most, ends, beyond, missing } = numberScale(colouring)
  const factor = most > least ? (missing16 - 1) / (most - least) : 0
  const data = new Uint16Array(order.length)
  for (let i = 0; i < order.length; i++) {
    const value = colouring.values[order[i]!]!
    data[i] = Number.isFinite(value) ? Math.round((value - least) * factor) : missing16
  }
  return {
    kind: 'number',
    name: shownText(colouring.name),
    data: base64(data),
    least,
    most,
    ends,
    endTexts: endTexts(ends, beyond),
    low: shownText(colouring.low ?? ''),
    high: shownText(colouring.high ?? ''),
    missing,
  }
}

function base64(array: Uint8Array | Uint16Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64')
}
