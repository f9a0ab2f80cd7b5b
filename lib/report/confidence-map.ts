/**
 * The map of `confidence-png.ts`: every cell at its place, from red to green between the 5th and the 95th percentile of confidence,
 * as SpatialCore draws it, but on a dark ground, where the yellow middle of the scale can be seen.
 *
 * The trap: images have y downwards, UMAP upwards. A map turned upside down looks right.
 */
import { packedColour } from './assets/points.js'
import { drawColourBar } from './colour-bar.ts'
import { scalePlace, scaleTable } from './colour-scales.ts'
import { shownText } from './html.ts'
import { drawOrder } from './map-data.ts'
import { endTexts } from './number-scale.ts'
import { counted, wholeNumber } from './numbers.ts'
import { type Box, drawMessage, fillSharp, type Picture } from './picture.ts'
import { paintInBox, pointRadius } from './picture-axes.ts'
import { drawText, faint } from './picture-text.ts'

/** beside the map, for its colour bar, in points */
export const barRoom = 120
/** of what stands in place of a map that there is not */
export const messageHeight = 170
const leastMap = 200
const ground = '#1b1f24'
const missing = '#59616b'
const allCells = Number.MAX_SAFE_INTEGER

export interface ConfidenceMap {
  xy: Float32Array | null
  confidence: Float32Array
  seed?: number
  positionName?: 'spatial' | 'UMAP'
  absent?: string
}

/** Name and note above a half of the picture. */
export function drawHeading(
  { context }: Picture,
  { left, top, width }: { left: number; top: number; width: number },
  [name, note]: readonly [string, string],
): void {
  drawText(context, name, { left, top: top - 26, size: 13, bold: true, most: width })
  drawText(context, note, { left, top: top - 10, size: 11, colour: faint, most: width })
}

/** @param box where the map may be, in points; it takes what its cells need, from the upper left corner */
export function drawConfidenceMap(picture: Picture, box: Box, options: ConfidenceMap): void {
  const { context } = picture
  const { xy, confidence, seed = 0, positionName = 'spatial' } = options
  if (xy === null) {
    drawHeading(picture, box, ['Confidence by place', ''])
    const place = { ...box, height: Math.min(box.height, messageHeight) }
    drawMessage(picture, place, shownText(options.absent ?? 'The data have no positions of cells.', 1000))
    return
  }
  const { order, unplaced } = drawOrder({ name: '', rows: confidence.length, xy }, seed, allCells)
  const without = unplaced > 0 ? `, ${wholeNumber(unplaced)} without a position` : ''
  drawHeading(picture, box, [
    positionName === 'spatial' ? 'Confidence by place' : `Confidence on the ${positionName}`,
    `${counted(order.length, 'cell')}${without}`,
  ])
  const { ends, beyond, missing: unknown } = middleRange(confidence)
  const spans = [spanOf(xy, 0, order), spanOf(xy, 1, order)] as const
  const radius = pointRadius(order.length)
  const map = fitted(box, { spans, room: 2 * radius + 12 })
  fillSharp(picture, map, ground)
  paintMap(picture, map, { ...options, xy, order, spans, radius, ends })
  const bar = { name: 'confidence', colours: scaleTable('RdYlGn'), ends: endTexts(ends, beyond) }
  const place = { left: map.left + map.width + 14, top: map.top, height: 140, width: barRoom - 34 }
  const bottom = drawColourBar(context, bar, place)
  if (unknown > 0) {
    fillSharp(picture, { left: place.left, top: bottom + 16, width: 16, height: 12 }, missing)
    drawText(context, 'none', { left: place.left + 24, top: bottom + 26, size: 11 })
  }
  drawText(context, positionName === 'spatial' ? 'x →   ↓ y' : `${positionName} 1 →   ↑ ${positionName} 2`, {
    left: map.left,
    top: map.top + map.height + 18,
    size: 11,
    colour: faint,
  })
}

/** The 5th and the 95th percentile, interpolated as numpy does; 0 and 1 where there is no value. */
function middleRange(values: Float32Array): {
  ends: [number, number]
  beyond: [boolean, boolean]
  missing: number
} {
  const sorted = values.filter((value) => Number.isFinite(value)).sort()
  const at = (share: number): number => {
    const place = share * (sorted.length - 1)
    const [before, after] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
    return before + (after - before) * (place - Math.floor(place))
  }
  const ends: [number, number] = sorted.length === 0 ? [0, 1] : [at(0.05), at(0.95)]
  const beyond: [boolean, boolean] = [sorted[0]! < ends[0], sorted.at(-1)! > ends[1]]
  return { ends, beyond, missing: values.length - sorted.length }
}

interface Span {
  middle: number
  span: number
}

function spanOf(xy: Float32Array, which: 0 | 1, order: Uint32Array): Span {
  let [low, high] = [Infinity, -Infinity]
  for (const cell of order) {
    const value = xy[2 * cell + which]!
    if (value < low) low = value
    if (value > high) high = value
  }
  return low > high ? { middle: 0, span: 0 } : { middle: (low + high) / 2, span: high - low }
}

/** Points of the page for a unit of both axes, so that all cells lie within the box. */
function scaleOf(
  { width, height }: Box,
  { spans: [across, down], room }: { spans: readonly [Span, Span]; room: number },
): number {
  return Math.min((width - room) / (across.span || 1), (height - room) / (down.span || 1))
}

/** The part of the box that the cells need, from its upper left corner; a square where they span nothing. */
function fitted(box: Box, spans: { spans: readonly [Span, Span]; room: number }): Box {
  const [across, down] = spans.spans
  if (across.span === 0 && down.span === 0) return { ...box, width: leastMap, height: leastMap }
  const scale = scaleOf(box, spans)
  return {
    ...box,
    width: Math.min(box.width, Math.max(leastMap, across.span * scale + spans.room)),
    height: Math.min(box.height, Math.max(leastMap, down.span * scale + spans.room)),
  }
}

/** Every cell, both axes with one scale; cells without a value are painted first, so that they hide nothing. */
function paintMap(
  picture: Picture,
  box: Box,
  {
    xy,
    confidence,
    order,
    spans,
    radius,
    ends,
    positionName = 'spatial',
  }: Pick<ConfidenceMap, 'confidence' | 'positionName'> & {
    xy: Float32Array
    order: Uint32Array
    spans: readonly [Span, Span]
    radius: number
    ends: [number, number]
  },
): void {
  const [across, down] = spans
  const scale = scaleOf(box, { spans, room: 2 * radius + 12 })
  const x = new Float32Array(order.length)
  const y = new Float32Array(order.length)
  const codes = new Uint16Array(order.length)
  const unknown = 256
  for (let i = 0; i < order.length; i++) {
    const cell = order[i]!
    const fromMiddle = (xy[2 * cell + 1]! - down.middle) * scale
    x[i] = box.width / 2 + (xy[2 * cell]! - across.middle) * scale
    y[i] = box.height / 2 + (positionName === 'spatial' ? fromMiddle : -fromMiddle)
    codes[i] = Number.isFinite(confidence[cell]!) ? scalePlace(confidence[cell]!, ends) : unknown
  }
  const colours = [...scaleTable('RdYlGn')]
  const points = { x, y, codes, radius }
  paintInBox(picture, box, { ...points, palette: [...colours.map(() => 0), packedColour(missing)] })
  paintInBox(picture, box, { ...points, palette: [...colours, 0] })
}
