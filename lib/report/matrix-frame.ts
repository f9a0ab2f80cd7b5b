/**
 * What a heatmap and a dot plot have in common: names of rows at the left, of columns slanted above (and below, where the picture is
 * taller than a screen), groups of rows at the right, and room for a legend. The size of the picture follows from its content.
 */

import { wholeNumber } from './numbers.ts'
import { type Box, drawTitle, openPicture, type Picture, rim, strokeFrame, titleHeight } from './picture.ts'
import { drawText, faint, measuringContext, shortNames, textWidth } from './picture-text.ts'

const slant = -Math.PI / 4
const nameSize = 11
const mostRows = 800
const mostColumns = 120
const gap = 28
export const legendWidth = 150
/** rows from which on the names of columns stand below too */
const tall = 50

export interface MatrixNames {
  title: string
  /** below the title, faint */
  notes?: readonly string[]
  rows: readonly string[]
  columns: readonly string[]
  /** what a row and a column is, e.g. 'gene' and 'cell type' */
  rowName: string
  columnName: string
  /** the group that each row belongs to; neighbours of one group are a block, named at the right */
  rowGroups?: readonly string[]
}

export interface MatrixFrame {
  picture: Picture
  /** only the cells, in points */
  plot: Box
  /** rows and columns that are drawn, from the first */
  rows: number
  columns: number
  cellWidth: number
  cellHeight: number
  legend: { left: number; top: number; width: number }
}

interface Block {
  name: string
  from: number
  to: number
}

/** @throws RangeError when there is not one value for each cell, or not one group for each row */
export function checkMatrix(
  { rows, columns, rowGroups }: Pick<MatrixNames, 'rows' | 'columns' | 'rowGroups'>,
  values: ArrayLike<number>,
): void {
  if (values.length !== rows.length * columns.length)
    throw new RangeError(`${values.length} values for ${rows.length} rows and ${columns.length} columns`)
  if (rowGroups !== undefined && rowGroups.length !== rows.length)
    throw new RangeError(`${rowGroups.length} groups for ${rows.length} rows`)
}

/**
 * @param sizes of a cell between `least` and `most`, both width and height, in points; the legend's height; pixels a point
 * @returns the picture with everything but cells and legend
 */
export function drawMatrixFrame(
  names: MatrixNames,
  sizes: {
    least: { width: number; height: number }
    most: { width: number; height: number }
    legendHeight: number
    pixelRatio?: number
  },
): MatrixFrame {
  const { title, rowName, columnName } = names
  const rows = shortNames(names.rows.slice(0, mostRows))
  const columns = shortNames(names.columns.slice(0, mostColumns))
  const blocks = blocksOf(names.rowGroups?.slice(0, mostRows) ?? [])
  const notes = [...(names.notes ?? []), ...cutNotes(names)]
  const cellWidth = between(760 / columns.length, sizes.least.width, sizes.most.width)
  const cellHeight = between(560 / rows.length, sizes.least.height, sizes.most.height)
  const measure = measuringContext()
  const widest = (texts: readonly string[]): number =>
    texts.reduce((most, text) => Math.max(most, textWidth(measure, text, { size: nameSize })), 0)
  const isTall = rows.length >= tall
  const slantedHeight = widest(columns) * Math.sin(-slant) + 14
  const corner = [`${columnName} →`, `${rowName} ↓`]
  const overhang = isTall ? overhangOf(columns, { measure, cellWidth }) : { before: 0, after: 0 }
  const after = overhangOf(columns, { measure, cellWidth }).after
  const plot = {
    left: rim + Math.max(widest(rows) + 8, widest(corner) + 8, overhang.before),
    top: titleHeight(notes.length) + Math.max(slantedHeight, 34) + 4,
    width: cellWidth * columns.length,
    height: cellHeight * rows.length,
  }
  const right = plot.left + plot.width
  const groupWidth = blocks.length === 0 ? 0 : widest(blocks.map(({ name }) => name)) + 18
  const legend = { left: right + groupWidth + gap, top: plot.top, width: legendWidth }
  const picture = openPicture({
    width: Math.max(560, legend.left + legendWidth + rim, right + after + rim),
    height:
      Math.max(plot.top + plot.height + (isTall ? slantedHeight : 0), legend.top + sizes.legendHeight) + rim,
    ...(sizes.pixelRatio !== undefined && { pixelRatio: sizes.pixelRatio }),
  })
  drawTitle(picture, { title, notes })
  strokeFrame(picture, plot)
  drawNames(picture, { plot, rows, columns, cellWidth, cellHeight, isTall })
  drawBlocks(picture, { plot, blocks, cellHeight })
  corner.forEach((text, i) => {
    const place = { left: plot.left - 8, top: plot.top - 22 + 16 * i }
    drawText(picture.context, text, { ...place, size: nameSize, colour: faint, align: 'right' })
  })
  return { picture, plot, rows: rows.length, columns: columns.length, cellWidth, cellHeight, legend }
}

function between(value: number, low: number, high: number): number {
  return Math.round(Math.min(high, Math.max(low, value)))
}

function cutNotes({ rows, columns, rowName, columnName }: MatrixNames): string[] {
  const note = (count: number, most: number, name: string): string[] =>
    count > most ? [`Only the first ${wholeNumber(most)} of ${wholeNumber(count)} are drawn (${name}).`] : []
  return [...note(rows.length, mostRows, rowName), ...note(columns.length, mostColumns, columnName)]
}

/** How far slanted names reach beyond the left and the right edge of the cells. */
function overhangOf(
  columns: readonly string[],
  { measure, cellWidth }: { measure: Picture['context']; cellWidth: number },
): { before: number; after: number } {
  const reach = { before: 0, after: 0 }
  columns.forEach((name, i) => {
    const across = textWidth(measure, name, { size: nameSize }) * Math.cos(slant) + 8
    const middle = (i + 0.5) * cellWidth
    reach.before = Math.max(reach.before, across - middle)
    reach.after = Math.max(reach.after, across - (columns.length * cellWidth - middle))
  })
  return reach
}

function drawNames(
  { context }: Picture,
  {
    plot,
    rows,
    columns,
    cellWidth,
    cellHeight,
    isTall,
  }: {
    plot: Box
    rows: readonly string[]
    columns: readonly string[]
    cellWidth: number
    cellHeight: number
    isTall: boolean
  },
): void {
  rows.forEach((name, i) => {
    const top = plot.top + (i + 0.5) * cellHeight + 4
    drawText(context, name, { left: plot.left - 8, top, size: nameSize, align: 'right' })
  })
  columns.forEach((name, i) => {
    const middle = plot.left + (i + 0.5) * cellWidth
    drawText(context, name, { left: middle + 2, top: plot.top - 6, size: nameSize, turn: slant })
    if (!isTall) return
    const below = { left: middle + 3, top: plot.top + plot.height + 11 }
    drawText(context, name, { ...below, size: nameSize, turn: slant, align: 'right' })
  })
}

function blocksOf(groups: readonly string[]): Block[] {
  const blocks: Block[] = []
  groups.forEach((group, row) => {
    const last = blocks.at(-1)
    if (row > 0 && groups[row - 1] === group) last!.to = row + 1
    else blocks.push({ name: group, from: row, to: row + 1 })
  })
  const names = shortNames(blocks.map(({ name }) => name))
  return blocks.map((block, i) => ({ ...block, name: names[i]! }))
}

function drawBlocks(
  { context }: Picture,
  { plot, blocks, cellHeight }: { plot: Box; blocks: readonly Block[]; cellHeight: number },
): void {
  const left = plot.left + plot.width + 8
  for (const { name, from, to } of blocks) {
    const [top, bottom] = [plot.top + from * cellHeight + 1.5, plot.top + to * cellHeight - 1.5]
    context.strokeStyle = faint
    context.lineWidth = 1.5
    context.beginPath()
    context.moveTo(left, top)
    context.lineTo(left, bottom)
    context.stroke()
    drawText(context, name, { left: left + 8, top: (top + bottom) / 2 + 4, size: nameSize })
  }
}
