/** Axes of the figures that are plots: ticks at round numbers, names beside them, and points painted between them. */
import { paintPoints } from './assets/points.js'
import { type Box, frameColour, type Picture } from './picture.ts'
import { drawText, faint, ink } from './picture-text.ts'

export interface Axis {
  name: string
  /** values at its two ends; the second is the larger one */
  ends: readonly [number, number]
  /** about how many; none, if 0 */
  ticks: number
}

/** Both ends of some values with a little room; from 0 to 1 where there is none, and never without width. */
export function axisEnds(
  values: Iterable<number>,
  { include = [], room = 0.03 }: { include?: readonly number[]; room?: number } = {},
): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  const see = (value: number): void => {
    if (!Number.isFinite(value)) return
    if (value < low) low = value
    if (value > high) high = value
  }
  for (const value of values) see(value)
  for (const value of include) see(value)
  if (low > high) return [0, 1]
  const width = high - low
  if (width <= 1e-6 * Math.max(Math.abs(low), Math.abs(high))) {
    const half = 0.5 * Math.max(1e-6, Math.abs(low))
    return [low - half, high + half]
  }
  return [low - room * width, high + room * width]
}

/** Multiples of 1, 2 or 5 times a power of ten between the ends, with their texts. */
export function axisTicks([low, high]: readonly [number, number], about: number): [number, string][] {
  if (!(high > low) || about < 1) return []
  const rough = (high - low) / about
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.min(first + 50, Math.floor(high / step + 1e-9))
  const ticks: [number, string][] = []
  for (let i = first; i <= last; i++) ticks.push([i * step, tickText(i * step, step)])
  return ticks
}

function tickText(value: number, step: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e7 || step < 1e-5)) return value.toExponential(1)
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  const minus = value < 0 && size >= step / 2 ? '−' : ''
  return `${minus}${size.toLocaleString('en-GB', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })}`
}

/** Where a value lies between the edges of a box, in points. */
export function along(value: number, [low, high]: readonly [number, number]): number {
  return (value - low) / (high - low)
}

export function drawAxisBelow({ context }: Picture, box: Box, { name, ends, ticks }: Axis): void {
  const bottom = box.top + box.height
  for (const [value, text] of axisTicks(ends, ticks)) {
    const left = box.left + along(value, ends) * box.width
    line(context, { left, top: bottom }, { left, top: bottom + 4 })
    drawText(context, text, { left, top: bottom + 15, size: 10, colour: faint, align: 'center' })
  }
  drawText(context, name, {
    left: box.left + box.width / 2,
    top: bottom + 30,
    size: 11,
    align: 'center',
    most: box.width,
  })
}

/** @param axis.nameLeft how far left of the box its name stands, in points */
export function drawAxisLeft(
  { context }: Picture,
  box: Box,
  { name, ends, ticks, nameLeft }: Axis & { nameLeft: number },
): void {
  for (const [value, text] of axisTicks(ends, ticks)) {
    const top = box.top + (1 - along(value, ends)) * box.height
    line(context, { left: box.left - 4, top }, { left: box.left, top })
    drawText(context, text, { left: box.left - 7, top: top + 3.5, size: 10, colour: faint, align: 'right' })
  }
  drawText(context, name, {
    left: box.left - nameLeft,
    top: box.top + box.height / 2,
    size: 11,
    align: 'center',
    most: box.height,
    turn: -Math.PI / 2,
  })
}

interface Spot {
  left: number
  top: number
}

function line(context: Picture['context'], from: Spot, to: Spot): void {
  context.strokeStyle = frameColour
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(from.left, from.top)
  context.lineTo(to.left, to.top)
  context.stroke()
}

/** A dashed line across the box: at a place on the x axis (upright) or on the y axis (level), in points. */
export function drawThreshold(
  { context }: Picture,
  box: Box,
  at: { left: number } | { top: number },
  colour = ink,
): void {
  context.save()
  context.strokeStyle = colour
  context.lineWidth = 1.25
  context.setLineDash([5, 3])
  context.beginPath()
  if ('left' in at) {
    context.moveTo(at.left, box.top)
    context.lineTo(at.left, box.top + box.height)
  } else {
    context.moveTo(box.left, at.top)
    context.lineTo(box.left + box.width, at.top)
  }
  context.stroke()
  context.restore()
}

/**
 * Points in the order given, each with the colour of its code, inside of the box and nowhere else.
 * @param points.x, points.y in points of the page, from the left and upper edge of the box
 * @param points.palette 0xAABBGGRR by code; 0 leaves the point out
 * @param points.radius in points of the page
 */
export function paintInBox(
  { context, pixelRatio }: Picture,
  box: Box,
  points: {
    x: ArrayLike<number>
    y: ArrayLike<number>
    codes: ArrayLike<number>
    palette: ArrayLike<number>
    radius: number
  },
): void {
  const [left, top] = [Math.round(box.left * pixelRatio), Math.round(box.top * pixelRatio)]
  const wide = Math.round((box.left + box.width) * pixelRatio) - left
  const tall = Math.round((box.top + box.height) * pixelRatio) - top
  const image = context.getImageData(left, top, wide, tall)
  const target = { pixels: new Uint32Array(image.data.buffer), width: wide, height: tall }
  const { x, y, codes, radius, palette } = points
  const places = { x, y, codes, offsetX: 0, offsetY: 0, scaleX: pixelRatio, scaleY: pixelRatio }
  paintPoints(target, { ...places, radius: radius * pixelRatio }, palette)
  context.putImageData(image, left, top)
}

/** Radius at which that many points of a plot neither vanish nor hide each other, in points of the page. */
export function pointRadius(count: number): number {
  return Math.min(4, Math.max(0.6, 26 / Math.max(1, count) ** 0.33))
}
