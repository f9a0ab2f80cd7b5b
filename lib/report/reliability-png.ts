/**
 * Whether a confidence means what it says: for cells in bins of confidence, the share that was right, against the diagonal on which
 * both are one; below, how many cells each bin has. Bins without cells are left out, so that they neither help nor harm.
 */
import { shownText } from './html.ts'
import { counted, measurement } from './numbers.ts'
import {
  type Box,
  drawTitle,
  encodePicture,
  fillSharp,
  openPicture,
  type Picture,
  renderMessage,
  rim,
  strokeFrame,
  titleHeight,
} from './picture.ts'
import { along, axisEnds, drawAxisBelow, drawAxisLeft, drawThreshold } from './picture-axes.ts'
import { drawText, faint } from './picture-text.ts'

const side = 400
const countHeight = 84
const leftOfPlot = 78
const line = '#3675c6'
const gapColour = '#d9825b'

export interface ReliabilityBin {
  /** mean of its cells, 0 to 1 */
  confidence: number
  /** share of its cells whose type is right, 0 to 1 */
  accuracy: number
  cells: number
}

export interface ReliabilityPicture {
  title: string
  bins: readonly ReliabilityBin[]
  /** expected calibration error: mean distance from the diagonal over cells; NaN where it was not assessed */
  ece: number
  /** confidence from which on a cell keeps its type; none, if left out */
  threshold?: number
  /** why there is no bin with cells, where there is none */
  absent?: string
  pixelRatio?: number
}

/** @returns the PNG; a picture that says why where no bin has cells */
export async function renderReliability(options: ReliabilityPicture): Promise<Uint8Array> {
  const { ece, threshold, pixelRatio = 2 } = options
  const title = shownText(options.title)
  const bins = options.bins
    .filter(
      ({ confidence, accuracy, cells }) =>
        Number.isFinite(confidence) && Number.isFinite(accuracy) && cells > 0 && Number.isFinite(cells),
    )
    .sort((a, b) => a.confidence - b.confidence)
  if (bins.length === 0) {
    const message = options.absent ?? 'Not assessed: there are no cells whose type is known.'
    return renderMessage(title, { message: shownText(message, 1000), pixelRatio })
  }
  const notes = [
    summary(bins, ece),
    'On the diagonal, confidence is the share that is right; below it, too sure.',
  ]
  const plot: Box = { left: rim + leftOfPlot, top: titleHeight(2) + 8, width: side, height: side }
  const counts: Box = { ...plot, top: plot.top + side + 14, height: countHeight }
  const height = counts.top + countHeight + 40 + rim
  const picture = openPicture({ width: plot.left + side + rim + 20, height, pixelRatio })
  drawTitle(picture, { title, notes })
  const ends = axisEnds(
    bins.flatMap(({ confidence, accuracy }) => [confidence, accuracy]),
    { include: [0, 1, ...(threshold === undefined ? [] : [threshold])], room: 0 },
  )
  drawCurve(picture, plot, { bins, ends })
  drawCounts(picture, counts, { bins, ends })
  if (threshold !== undefined && Number.isFinite(threshold)) {
    const left = plot.left + side * along(threshold, ends)
    drawThreshold(picture, plot, { left }, faint)
    drawThreshold(picture, counts, { left }, faint)
    const isRight = along(threshold, ends) > 0.6
    const place = { left: left + (isRight ? -6 : 6), top: plot.top + side - 8 }
    const text = `threshold ${measurement(threshold)}`
    drawText(picture.context, text, { ...place, size: 11, colour: faint, align: isRight ? 'right' : 'left' })
  }
  drawAxisLeft(picture, plot, { name: 'share that is right', ends, ticks: 5, nameLeft: 46 })
  drawAxisBelow(picture, counts, { name: 'confidence (mean of each bin)', ends, ticks: 5 })
  return encodePicture(picture)
}

function summary(bins: readonly ReliabilityBin[], ece: number): string {
  const cells = bins.reduce((sum, bin) => sum + bin.cells, 0)
  const error = Number.isFinite(ece) ? measurement(ece) : 'not assessed'
  return `${counted(cells, 'cell')}; expected calibration error ${error}`
}

interface Curve {
  bins: readonly ReliabilityBin[]
  ends: [number, number]
}

/** Diagonal, distances from it, and the bins joined by a line. */
function drawCurve(picture: Picture, plot: Box, { bins, ends }: Curve): void {
  const { context } = picture
  const x = (value: number): number => plot.left + plot.width * along(value, ends)
  const y = (value: number): number => plot.top + plot.height * (1 - along(value, ends))
  strokeFrame(picture, plot)
  const stroke = (points: readonly [number, number][], width: number, colour: string): void => {
    context.strokeStyle = colour
    context.lineWidth = width
    context.beginPath()
    points.forEach(([left, top], i) => {
      if (i === 0) context.moveTo(left, top)
      else context.lineTo(left, top)
    })
    context.stroke()
  }
  stroke(
    [
      [x(ends[0]), y(ends[0])],
      [x(ends[1]), y(ends[1])],
    ],
    1.25,
    '#8a929c',
  )
  for (const { confidence, accuracy } of bins)
    stroke(
      [
        [x(confidence), y(confidence)],
        [x(confidence), y(accuracy)],
      ],
      3,
      gapColour,
    )
  stroke(
    bins.map(({ confidence, accuracy }) => [x(confidence), y(accuracy)]),
    2,
    line,
  )
  for (const { confidence, accuracy } of bins) {
    context.fillStyle = line
    context.beginPath()
    context.arc(x(confidence), y(accuracy), 4.5, 0, 2 * Math.PI)
    context.fill()
  }
}

/** What has a cell shows, however few they are. */
function drawCounts(picture: Picture, box: Box, { bins, ends }: Curve): void {
  const most = bins.reduce((largest, { cells }) => Math.max(largest, cells), 0)
  const places = bins.map(({ confidence }) => box.width * along(confidence, ends))
  const apart = places.slice(1).map((place, i) => place - places[i]!)
  const width = Math.min(28, Math.max(2, 0.8 * Math.min(...apart, 28)))
  bins.forEach(({ cells }, i) => {
    const tall = Math.max(1, (box.height - 6) * (cells / most))
    const left = Math.min(box.width - width, Math.max(0, places[i]! - width / 2))
    fillSharp(
      picture,
      { left: box.left + left, top: box.top + box.height - tall, width, height: tall },
      '#4a7fb8',
    )
  })
  strokeFrame(picture, box)
  const axis = {
    name: 'cells',
    ends: [0, most * (box.height / (box.height - 6))] as const,
    ticks: 2,
    nameLeft: 66,
  }
  drawAxisLeft(picture, box, axis)
}
