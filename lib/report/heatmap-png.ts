/**
 * Values by row and column as a heatmap: means of marker genes by cell type, as SpatialCore's `plot_deg_heatmap` (z-scores, viridis
 * over -2.5 to 2.5) and `plot_marker_heatmap` show them. Names are cut after 25 characters, as there.
 *
 * The trap: a missing value must not look like a low one. It is grey and hatched, and the legend then says so.
 */
import { drawColourBar } from './colour-bar.ts'
import { cssColour, type ScaleName, scalePlace, scaleTable } from './colour-scales.ts'
import { shownText } from './html.ts'
import { checkMatrix, drawMatrixFrame, type MatrixFrame, type MatrixNames } from './matrix-frame.ts'
import { endTexts } from './number-scale.ts'
import { measurement } from './numbers.ts'
import { type Box, encodePicture, fillSharp, missingFill, type Picture, renderMessage } from './picture.ts'
import { drawText } from './picture-text.ts'

const barHeight = 140

export interface HeatmapPicture extends Omit<MatrixNames, 'rowName' | 'columnName'> {
  rowName?: string
  columnName?: string
  /** rows x columns, row after row; what is not finite is missing */
  values: Float32Array
  /** values of the ends of the colour scale; what lies beyond has the colour of the end, and the legend says so */
  range: readonly [number, number]
  scale?: ScaleName
  /** what a value is, for the colour bar, e.g. 'z-score of the mean' */
  valueName: string
  /** why there is nothing to draw, where there are no rows or no columns */
  absent?: string
  /** pixels a point; less where the picture would be too large */
  pixelRatio?: number
}

/**
 * @returns the PNG, sized to its content
 * @throws RangeError when there is not one value for each cell
 */
export async function renderHeatmap(options: HeatmapPicture): Promise<Uint8Array> {
  const { values, range, valueName, scale = 'viridis', rowName = 'gene', columnName = 'cell type' } = options
  checkMatrix(options, values)
  const title = shownText(options.title)
  const pixelRatio = options.pixelRatio ?? 2
  if (values.length === 0)
    return renderMessage(title, {
      message: shownText(options.absent ?? 'There is nothing to show.'),
      pixelRatio,
    })
  const notes = options.notes?.map((note) => shownText(note)) ?? []
  const frame = drawMatrixFrame(
    { ...options, title, notes, rowName: shownText(rowName), columnName: shownText(columnName) },
    {
      least: { width: 17, height: 13 },
      most: { width: 46, height: 26 },
      legendHeight: barHeight + 110,
      pixelRatio,
    },
  )
  const colours = scaleTable(scale)
  const missing = drawCells(frame, { values, stride: options.columns.length, range, colours })
  if (options.rowGroups !== undefined) separateGroups(frame, options.rowGroups)
  const { context } = frame.picture
  const [low, high] = range
  const ends = endTexts(
    [low, high],
    [values.some((value) => value < low), values.some((value) => value > high)],
  )
  const middle = { share: 0.5, text: measurement((low + high) / 2) }
  const bar = { name: valueName, colours, ends, ...(high > low && { middle }) }
  const bottom = drawColourBar(context, bar, { ...frame.legend, height: barHeight })
  if (missing > 0) drawMissingEntry(frame.picture, { left: frame.legend.left, top: bottom + 18 })
  return encodePicture(frame.picture)
}

/** @returns how many of the drawn cells have no value */
function drawCells(
  { picture, plot, rows, columns, cellWidth, cellHeight }: MatrixFrame,
  {
    values,
    stride,
    range,
    colours,
  }: { values: Float32Array; stride: number; range: readonly [number, number]; colours: Uint32Array },
): number {
  let missing = 0
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const value = values[row * stride + column]!
      const box = {
        left: plot.left + column * cellWidth,
        top: plot.top + row * cellHeight,
        width: cellWidth,
        height: cellHeight,
      }
      if (Number.isFinite(value)) fillSharp(picture, box, cssColour(colours[scalePlace(value, range)]!))
      else {
        missing++
        hatch(picture, box)
      }
    }
  return missing
}

/** Grey with slanted lines. */
export function hatch(picture: Picture, box: Box): void {
  fillSharp(picture, box, missingFill)
  const { context } = picture
  const { left, top, width, height } = box
  context.save()
  context.beginPath()
  context.rect(left, top, width, height)
  context.clip()
  context.strokeStyle = '#9aa2ac'
  context.lineWidth = 1
  context.beginPath()
  for (let start = -height; start < width; start += 5) {
    context.moveTo(left + start, top + height)
    context.lineTo(left + start + height, top)
  }
  context.stroke()
  context.restore()
}

export function drawMissingEntry(picture: Picture, { left, top }: { left: number; top: number }): void {
  hatch(picture, { left, top, width: 16, height: 12 })
  drawText(picture.context, 'no value', { left: left + 24, top: top + 10, size: 11 })
}

/** A white line between blocks of rows. */
function separateGroups({ picture, plot, rows, cellHeight }: MatrixFrame, groups: readonly string[]): void {
  for (let row = 1; row < rows; row++)
    if (groups[row] !== groups[row - 1])
      fillSharp(picture, { ...plot, top: plot.top + row * cellHeight - 0.5, height: 1 }, '#ffffff')
}
