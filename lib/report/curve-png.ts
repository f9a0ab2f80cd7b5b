/**
 * Lines over the epochs of a training, such as the ELBO of training and validation cells: whether it came to rest, and whether validation parted
 * from training. The first epochs fall so steeply that the rest would be a flat line: the axis ends where nine tenths of the values do,
 * and says so.
 */
import { displayColours } from './colours.ts'
import { shownText } from './html.ts'
import { measurement } from './numbers.ts'
import {
  type Box,
  drawTitle,
  encodePicture,
  openPicture,
  type Picture,
  renderMessage,
  rim,
  strokeFrame,
  titleHeight,
} from './picture.ts'
import { along, axisEnds, drawAxisBelow, drawAxisLeft, drawThreshold } from './picture-axes.ts'
import { drawText, faint } from './picture-text.ts'

const plotWidth = 640
const plotHeight = 320
const leftOfPlot = 78
const legendLine = 18

export interface Curve {
  name: string
  /** of the values, rising */
  epochs: readonly number[]
  values: readonly number[]
}

export interface CurvePicture {
  title: string
  curves: readonly Curve[]
  /** what the values are: 'loss per cell' */
  valueName: string
  note?: string
  /** upright lines between phases */
  marks?: readonly { epoch: number; name: string }[]
  pixelRatio?: number
}

/** @returns the PNG; a picture that says why where there is no finite value */
export async function renderCurves(options: CurvePicture): Promise<Uint8Array> {
  const { valueName, note, marks = [], pixelRatio = 2 } = options
  const title = shownText(options.title)
  const curves = options.curves.map(finitePart).filter(({ values }) => values.length > 0)
  if (curves.length === 0)
    return renderMessage(title, { message: 'There is no epoch with a finite value.', pixelRatio })
  const all = curves.flatMap(({ values }) => values)
  const ends = valueEnds(all)
  const above = all.filter((value) => value > ends[1]).length
  const notes = [
    ...(note === undefined ? [] : [shownText(note, 300)]),
    ...(above === 0 ? [] : [`${above} higher values of the first epochs lie above the frame.`]),
  ]
  const plot: Box = {
    left: rim + leftOfPlot,
    top: titleHeight(notes.length) + 8,
    width: plotWidth,
    height: plotHeight,
  }
  const legendTop = plot.top + plotHeight + 54
  const picture = openPicture({
    width: plot.left + plotWidth + rim + 10,
    height: legendTop + legendLine * curves.length + rim - 10,
    pixelRatio,
  })
  drawTitle(picture, { title, notes })
  const last = epochEnds(curves)
  for (const { epoch, name } of marks)
    drawMark(picture, plot, { at: along(epoch, last), name: shownText(name) })
  const colours = displayColours(curves.map(({ name }) => name))
  for (const [i, curve] of curves.entries())
    drawLine(picture, plot, { curve, ends, epochs: last, colour: colours[i]! })
  strokeFrame(picture, plot)
  drawAxisLeft(picture, plot, { name: shownText(valueName), ends, ticks: 6, nameLeft: 56 })
  drawAxisBelow(picture, plot, { name: 'epoch', ends: last, ticks: Math.min(8, last[1] - last[0]) })
  for (const [i, { name, values }] of curves.entries()) {
    const top = legendTop + legendLine * i
    picture.context.fillStyle = colours[i]!
    picture.context.fillRect(plot.left, top - 5, 22, 3)
    const text = `${shownText(name)}: ${measurement(values.at(-1)!)} at the end`
    drawText(picture.context, text, { left: plot.left + 30, top, size: 12, most: plotWidth - 30 })
  }
  return encodePicture(picture)
}

function finitePart({ name, epochs, values }: Curve): Curve {
  const kept = [...values.keys()].filter((i) => Number.isFinite(values[i]) && Number.isFinite(epochs[i]))
  return { name, epochs: kept.map((i) => epochs[i]!), values: kept.map((i) => values[i]!) }
}

function epochEnds(curves: readonly Curve[]): [number, number] {
  return axisEnds(
    curves.flatMap(({ epochs }) => epochs),
    { room: 0 },
  )
}

/** Nine tenths of the values, and all of them where the rest is not far above. */
function valueEnds(values: readonly number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b)
  const ninth = sorted[Math.floor(0.9 * (sorted.length - 1))]!
  const [least, most] = [sorted[0]!, sorted.at(-1)!]
  return most - least > 3 * (ninth - least) && ninth > least ? axisEnds([least, ninth]) : axisEnds(sorted)
}

function drawMark(
  { context, ...picture }: Picture,
  plot: Box,
  { at, name }: { at: number; name: string },
): void {
  const left = plot.left + plot.width * at
  drawThreshold({ context, ...picture }, plot, { left }, faint)
  drawText(context, name, { left: left + 5, top: plot.top + 14, size: 11, colour: faint })
}

interface Line {
  curve: Curve
  ends: readonly [number, number]
  epochs: readonly [number, number]
  colour: string
}

function drawLine({ context }: Picture, plot: Box, { curve, ends, epochs, colour }: Line): void {
  context.save()
  context.beginPath()
  context.rect(plot.left, plot.top, plot.width, plot.height)
  context.clip()
  context.strokeStyle = colour
  context.fillStyle = colour
  context.lineWidth = 1.75
  context.beginPath()
  const points = curve.values.map((value, i): [number, number] => [
    plot.left + plot.width * along(curve.epochs[i]!, epochs),
    plot.top + plot.height * (1 - along(value, ends)),
  ])
  for (const [i, [left, top]] of points.entries())
    if (i === 0) context.moveTo(left, top)
    else context.lineTo(left, top)
  context.stroke()
  // of a single epoch there is no line
  for (const [left, top] of points.length <= 3 ? points : []) {
    context.beginPath()
    context.arc(left, top, 3.5, 0, 2 * Math.PI)
    context.fill()
  }
  context.restore()
}
