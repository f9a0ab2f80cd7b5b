/**
 * For each cell type, confidence against the score of its marker genes: whether cells that the model is sure of also look like
 * their type. SpatialCore's `plot_2d_validation`: red for low confidence, green for high confidence alone, gold for both.
 *
 * The trap: shares are of all cells of a type, also where fewer are drawn or some have no value; the panel says so.
 */
import { packedColour } from './assets/points.js'
import { shownText } from './html.ts'
import { drawOrder } from './map-data.ts'
import { measurement, percentage, wholeNumber } from './numbers.ts'
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
import {
  along,
  axisEnds,
  drawAxisBelow,
  drawAxisLeft,
  drawThreshold,
  paintInBox,
  pointRadius,
} from './picture-axes.ts'
import { drawText, faint, shortNames, textWidth } from './picture-text.ts'

const panelWidth = 262
const plotHeight = 168
const headHeight = 54
const panelHeight = headHeight + plotHeight + 52
const leftOfPlot = 54
const drawnAtMost = 20_000
const mostPanels = 60

const kinds = [
  { name: 'low confidence', colour: '#d62728' },
  { name: 'high confidence only', colour: '#2a9d3a' },
  { name: 'high confidence and markers (validated)', colour: '#d8a000' },
] as const

export interface MarkerCheckPanel {
  /** the cell type */
  title: string
  /** one a cell; cells with a value that is not finite are counted but not drawn */
  confidence: Float32Array
  /** one a cell: the metagene of the type's markers */
  score: Float32Array
  /** one a cell: 0 low confidence, 1 high confidence only, 2 high confidence and markers */
  kinds: Uint8Array
  /** scores above it are high; NaN where none was found */
  scoreThreshold: number
  /** cells of each kind, where the panel's cells are only a part of them */
  counts?: { low: number; high: number; validated: number }
}

export interface MarkerCheckPicture {
  title: string
  panels: readonly MarkerCheckPanel[]
  confidenceThreshold: number
  /** panels in a row */
  columns?: number
  /** why there is no panel, where there is none */
  absent?: string
  /** decides which cells are drawn of more than 20,000 in a panel, and which lies on top */
  seed?: number
  pixelRatio?: number
}

interface Shared {
  confidenceThreshold: number
  confidenceEnds: [number, number]
  seed: number
}

/**
 * @returns the PNG, four panels wide unless told; a picture that says why where there is no panel
 * @throws RangeError when the lengths of a panel differ, or a kind is not 0, 1 or 2
 */
export async function renderMarkerCheck(options: MarkerCheckPicture): Promise<Uint8Array> {
  const { panels, confidenceThreshold, columns = 4, seed = 0, pixelRatio = 2 } = options
  const title = shownText(options.title)
  for (const panel of panels) checkPanel(panel)
  if (panels.length === 0) {
    const message = options.absent ?? 'No cell type could be checked against marker genes.'
    return renderMessage(title, { message: shownText(message, 1000), pixelRatio })
  }
  const shown = panels.slice(0, mostPanels)
  const across = Math.max(1, Math.min(columns, shown.length))
  const notes = ['', ...cutNote(panels.length)]
  const top = titleHeight(notes.length) + 6
  const picture = openPicture({
    width: Math.max(740, 2 * rim + panelWidth * across),
    height: top + panelHeight * Math.ceil(shown.length / across) + rim - 12,
    pixelRatio,
  })
  drawTitle(picture, { title, notes })
  drawKinds(picture, 52)
  const confidenceEnds = commonEnds(shown, confidenceThreshold)
  const names = shortNames(shown.map((panel) => panel.title))
  shown.forEach((panel, i) => {
    const place = {
      left: rim + panelWidth * (i % across),
      top: top + panelHeight * Math.floor(i / across),
    }
    drawPanel(picture, place, {
      panel,
      name: names[i]!,
      shared: { confidenceThreshold, confidenceEnds, seed },
    })
  })
  return encodePicture(picture)
}

function checkPanel({ title, confidence, score, kinds: codes }: MarkerCheckPanel): void {
  if (confidence.length !== score.length || score.length !== codes.length)
    throw new RangeError(
      `panel "${title}": ${confidence.length} confidences, ${score.length} scores and ${codes.length} kinds`,
    )
  if (codes.some((code) => code >= kinds.length)) throw new RangeError(`panel "${title}": a kind above 2`)
}

function cutNote(panels: number): string[] {
  return panels > mostPanels
    ? [`The first ${mostPanels} of ${wholeNumber(panels)} cell types are drawn.`]
    : []
}

/** One scale for the confidence of all panels, so that they can be compared; from 0 to 1 where that holds it. */
function commonEnds(panels: readonly MarkerCheckPanel[], threshold: number): [number, number] {
  const each = panels.map(({ confidence }) => axisEnds(confidence, { room: 0 }))
  return axisEnds(each.flat(), { include: [0, 1, threshold], room: 0.03 })
}

function drawKinds(picture: Picture, top: number): void {
  const { context } = picture
  let left = rim
  for (const { name, colour } of kinds) {
    context.fillStyle = colour
    context.beginPath()
    context.arc(left + 5, top - 4, 5, 0, 2 * Math.PI)
    context.fill()
    drawText(context, name, { left: left + 16, top, size: 12 })
    left += 16 + textWidth(context, name, { size: 12 }) + 24
  }
  drawThreshold(picture, { left, top: 0, width: 22, height: 0 }, { top: top - 4 })
  drawText(context, 'threshold', { left: left + 28, top, size: 12 })
}

function drawPanel(
  picture: Picture,
  { left, top }: { left: number; top: number },
  { panel, name, shared }: { panel: MarkerCheckPanel; name: string; shared: Shared },
): void {
  const { context } = picture
  const { confidence, score, scoreThreshold } = panel
  const { confidenceThreshold, confidenceEnds } = shared
  const xy = new Float32Array(2 * score.length)
  for (let cell = 0; cell < score.length; cell++) {
    xy[2 * cell] = confidence[cell]!
    xy[2 * cell + 1] = score[cell]!
  }
  const { order, unplaced } = drawOrder({ name: '', rows: score.length, xy }, shared.seed, drawnAtMost)
  const most = panelWidth - 16
  drawText(context, name, { left, top: top + 12, size: 13, bold: true, most })
  heading(panel, { drawn: order.length, unplaced }).forEach((text, i) => {
    drawText(context, text, { left, top: top + 28 + 14 * i, size: 11, colour: faint, most })
  })
  const box: Box = {
    left: left + leftOfPlot,
    top: top + headHeight,
    width: panelWidth - leftOfPlot - 16,
    height: plotHeight,
  }
  const include = Number.isFinite(scoreThreshold) ? [0, scoreThreshold] : [0]
  const scoreEnds = axisEnds(score, { include })
  const x = Float32Array.from(order, (cell) => box.width * along(confidence[cell]!, confidenceEnds))
  const y = Float32Array.from(order, (cell) => box.height * (1 - along(score[cell]!, scoreEnds)))
  const codes = Uint8Array.from(order, (cell) => panel.kinds[cell]!)
  const palette = kinds.map(({ colour }) => packedColour(colour))
  const radius = Math.max(0.9, Math.min(2.2, 0.6 * pointRadius(order.length)))
  paintInBox(picture, box, { x, y, codes, palette, radius })
  strokeFrame(picture, box)
  drawThreshold(picture, box, { left: box.left + box.width * along(confidenceThreshold, confidenceEnds) })
  if (Number.isFinite(scoreThreshold))
    drawThreshold(picture, box, { top: box.top + box.height * (1 - along(scoreThreshold, scoreEnds)) })
  drawAxisBelow(picture, box, { name: 'confidence', ends: confidenceEnds, ticks: 4 })
  drawAxisLeft(picture, box, { name: 'marker score', ends: scoreEnds, ticks: 4, nameLeft: leftOfPlot - 10 })
}

/** Number of cells and share validated; below, what is not drawn. */
function heading(
  { kinds: codes, counts, scoreThreshold }: MarkerCheckPanel,
  { drawn, unplaced }: { drawn: number; unplaced: number },
): string[] {
  const sums: [number, number, number] = [0, 0, 0]
  for (const code of codes) sums[code]! += 1
  const [low, high, validated] = counts ? [counts.low, counts.high, counts.validated] : sums
  const cells = low + high + validated
  const lines = [`n = ${wholeNumber(cells)}, ${percentage(validated / cells)} validated`]
  const thinned = drawn < cells - unplaced ? [`${wholeNumber(drawn)} drawn`] : []
  const without = unplaced > 0 ? [`${wholeNumber(unplaced)} without a value`] : []
  const threshold = Number.isFinite(scoreThreshold)
    ? [`marker threshold ${measurement(scoreThreshold)}`]
    : ['no marker threshold']
  return [...lines, [...thinned, ...without, ...threshold].join(', ')]
}
