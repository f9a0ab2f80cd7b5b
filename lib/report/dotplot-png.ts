/**
 * Two values by row and column as dots: the area is the share of cells that express a gene, the colour their mean between the
 * lowest (0) and the highest (1) of the gene, as SpatialCore's `plot_marker_dotplot` shows them.
 *
 * The trap: "no value" and "no cell" are different. A share of 0 leaves its place empty; a missing one is a cross.
 */
import { drawColourBar } from './colour-bar.ts'
import { cssColour, type ScaleName, scalePlace, scaleTable } from './colour-scales.ts'
import { shownText } from './html.ts'
import {
  checkMatrix,
  drawMatrixFrame,
  legendWidth,
  type MatrixFrame,
  type MatrixNames,
} from './matrix-frame.ts'
import { encodePicture, missingFill, renderMessage } from './picture.ts'
import { drawText, ink, measuringContext, wrapText } from './picture-text.ts'

const barHeight = 110
const legendShares = [1, 0.75, 0.5, 0.25, 0.1]

export interface DotplotPicture extends Omit<MatrixNames, 'rowName' | 'columnName'> {
  rowName?: string
  columnName?: string
  /** rows x columns, row after row: 0 to 1, drawn as the area; what is not finite is missing */
  size: Float32Array
  /** rows x columns: 0 to 1; what is not finite is grey */
  colour: Float32Array
  scale?: ScaleName
  sizeName?: string
  colourName?: string
  /** why there is nothing to draw, where there are no rows or no columns */
  absent?: string
  pixelRatio?: number
}

const isMissing = (value: number): boolean => !Number.isFinite(value)

interface Dots {
  size: Float32Array
  colour: Float32Array
  stride: number
  colours: Uint32Array
}

/**
 * @returns the PNG, sized to its content
 * @throws RangeError when there is not one size and one colour for each place
 */
export async function renderDotplot(options: DotplotPicture): Promise<Uint8Array> {
  const { size, colour, scale = 'Reds', rowName = 'gene', columnName = 'cell type', pixelRatio = 2 } = options
  const { sizeName = 'share of cells that express it', colourName = 'mean, lowest to highest of its gene' } =
    options
  checkMatrix(options, size)
  checkMatrix(options, colour)
  const title = shownText(options.title)
  if (size.length === 0)
    return renderMessage(title, {
      message: shownText(options.absent ?? 'There is nothing to show.'),
      pixelRatio,
    })
  const notes = options.notes?.map((note) => shownText(note)) ?? []
  const entries = legendShares.length + (size.some(isMissing) ? 1 : 0) + (colour.some(isMissing) ? 1 : 0)
  const frame = drawMatrixFrame(
    { ...options, title, notes, rowName: shownText(rowName), columnName: shownText(columnName) },
    {
      least: { width: 18, height: 18 },
      most: { width: 34, height: 26 },
      legendHeight: legendHeight(entries, [sizeName, colourName]),
      pixelRatio,
    },
  )
  const dots = { size, colour, stride: options.columns.length, colours: scaleTable(scale) }
  const missing = drawDots(frame, dots)
  drawLegend(frame, { ...dots, names: [shownText(sizeName), shownText(colourName)], missing })
  return encodePicture(frame.picture)
}

/** With up to three lines for each name. */
function legendHeight(entries: number, names: readonly string[]): number {
  const measure = measuringContext()
  const style = { most: legendWidth, size: 12, bold: true, lines: 3 }
  const lines = names.reduce((sum, name) => sum + wrapText(measure, shownText(name), style).length, 0)
  return 16 * lines + barHeight + 42 + 25 * entries
}

function radiusOf(share: number, { cellWidth, cellHeight }: MatrixFrame): number {
  return (Math.min(cellWidth, cellHeight) / 2 - 1) * Math.sqrt(Math.min(1, Math.max(0, share)))
}

/** @returns how many places have no size, and how many dots no colour */
function drawDots(
  frame: MatrixFrame,
  { size, colour, stride, colours }: Dots,
): { sizes: number; colours: number } {
  const { plot, rows, columns, cellWidth, cellHeight } = frame
  const missing = { sizes: 0, colours: 0 }
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const [share, value] = [size[row * stride + column]!, colour[row * stride + column]!]
      const place = { left: plot.left + (column + 0.5) * cellWidth, top: plot.top + (row + 0.5) * cellHeight }
      if (!Number.isFinite(share)) {
        missing.sizes++
        cross(frame, place)
        continue
      }
      if (share <= 0) continue
      if (!Number.isFinite(value)) missing.colours++
      const fill = Number.isFinite(value) ? cssColour(colours[scalePlace(value, [0, 1])]!) : missingFill
      dot(frame, { ...place, radius: radiusOf(share, frame), fill })
    }
  return missing
}

/** With an outline, since the lightest colours do not show on white. */
function dot(
  { picture: { context } }: MatrixFrame,
  { left, top, radius, fill }: { left: number; top: number; radius: number; fill: string },
): void {
  context.beginPath()
  context.arc(left, top, Math.max(0.6, radius), 0, 2 * Math.PI)
  context.fillStyle = fill
  context.fill()
  context.strokeStyle = '#59616b'
  context.lineWidth = 0.6
  context.stroke()
}

function cross({ picture: { context } }: MatrixFrame, { left, top }: { left: number; top: number }): void {
  context.strokeStyle = '#8a929c'
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(left - 3, top - 3)
  context.lineTo(left + 3, top + 3)
  context.moveTo(left + 3, top - 3)
  context.lineTo(left - 3, top + 3)
  context.stroke()
}

function drawLegend(
  frame: MatrixFrame,
  {
    colours,
    names: [sizeName, colourName],
    missing,
  }: { colours: Uint32Array; names: [string, string]; missing: { sizes: number; colours: number } },
): void {
  const { context } = frame.picture
  const { left, width } = frame.legend
  const bar = { name: colourName, colours, ends: ['0', '1'] as const }
  let top = drawColourBar(context, bar, { ...frame.legend, height: barHeight }) + 32
  for (const line of wrapText(context, sizeName, { most: width, size: 12, bold: true, lines: 3 })) {
    drawText(context, line, { left, top, size: 12, bold: true, most: width })
    top += 16
  }
  const middle = left + 12
  const entry = (text: string): void => {
    drawText(context, text, { left: left + 32, top: top + 4, size: 11, colour: ink })
    top += 25
  }
  top += 2
  for (const share of legendShares) {
    dot(frame, { left: middle, top, radius: radiusOf(share, frame), fill: '#ffffff' })
    entry(`${100 * share} %`)
  }
  if (missing.colours > 0) {
    dot(frame, { left: middle, top, radius: radiusOf(1, frame), fill: missingFill })
    entry('no mean')
  }
  if (missing.sizes > 0) {
    cross(frame, { left: middle, top })
    entry('no value')
  }
}
