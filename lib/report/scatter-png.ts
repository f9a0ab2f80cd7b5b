/**
 * A map of cells as a PNG, with its legend at the right: what goes into a slide or a notebook. Cells are drawn by the painter of
 * the page, in the same colours and in random order, always on white.
 */
import { type Canvas, createCanvas } from '@napi-rs/canvas'
import { scaleColours } from './assets/palette.js'
import { packedColour, paintPoints } from './assets/points.js'
import { numberRamp } from './colours.ts'
import type { Colouring } from './content.ts'
import { registerFonts } from './fonts.ts'
import { shownText } from './html.ts'
import { axis, drawOrder } from './map-data.ts'
import { numberScale } from './number-scale.ts'
import { wholeNumber } from './numbers.ts'
import { missingColour, occurringCategories } from './occurring-categories.ts'
import { drawText, faint } from './picture-text.ts'
import { legendWidth, makeLegend } from './scatter-legend.ts'

const allCells = Number.MAX_SAFE_INTEGER
const edge = 24
const titleHeight = 44

export interface ScatterPicture {
  /** cells x 2, row after row; cells with a coordinate that is not finite are left out and counted below the picture */
  xy: Float32Array
  colouring: Colouring
  title: string
  /** name of the layout, for the axes */
  layoutName?: string
  /** in points, at least 500; the legend takes 250 of them for each column of labels */
  width?: number
  height?: number
  /** pixels for each point of the page */
  pixelRatio?: number
  /** decides which cell lies on top */
  seed?: number
}

/** @returns the PNG, `width * pixelRatio` pixels wide, in 8-bit RGBA, opaque */
export async function renderScatter(options: ScatterPicture): Promise<Uint8Array> {
  const { xy, colouring, title, layoutName = 'UMAP', width = 1000, height = 720 } = options
  const { pixelRatio = 2, seed = 0 } = options
  registerFonts()
  const canvas = createCanvas(Math.round(width * pixelRatio), Math.round(height * pixelRatio))
  const context = canvas.getContext('2d')
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  const plotHeight = height - titleHeight - 2 * edge
  // the cells keep two fifths of the width, whatever the labels want
  const columns = Math.max(1, Math.floor((0.6 * width - 2 * edge) / legendWidth))
  const legend = makeLegend(colouring, { height: plotHeight, columns })
  const plot = {
    left: edge,
    top: titleHeight,
    width: width - 2 * edge - legend.columns * legendWidth,
    height: plotHeight,
  }
  const { order, unplaced } = drawOrder({ name: '', rows: xy.length / 2, xy }, seed, allCells)
  const [codes, palette] = colourCodes(colouring, order)
  paintCells(canvas, { xy, order, codes, palette, plot, pixelRatio })
  context.scale(pixelRatio, pixelRatio)
  drawText(context, shownText(title), { left: edge, top: 28, size: 17, bold: true, most: width - 2 * edge })
  drawText(context, `${layoutName} 1 →   ↑ ${layoutName} 2`, {
    left: edge,
    top: height - 14,
    size: 11,
    colour: faint,
  })
  const shown = `${wholeNumber(order.length)} cells${unplaced > 0 ? `, ${wholeNumber(unplaced)} without a position` : ''}`
  drawText(context, shown, {
    left: plot.left + plot.width,
    top: height - 14,
    size: 11,
    colour: faint,
    align: 'right',
  })
  legend.draw(context, { left: plot.left + plot.width + edge, top: titleHeight })
  return canvas.encode('png')
}

/** Codes of the cells in drawing order, and the colour of each code; missing values take the last. */
function colourCodes(colouring: Colouring, order: Uint32Array): [Uint16Array, Uint32Array] {
  const codes = new Uint16Array(order.length)
  if (colouring.kind === 'categorical') {
    const { occurring, placeOf } = occurringCategories(colouring)
    for (let i = 0; i < order.length; i++) {
      const code = colouring.codes[order[i]!]!
      codes[i] = code < 0 ? occurring.length : placeOf[code]!
    }
    return [codes, Uint32Array.from([...occurring.map(({ colour }) => colour), missingColour], packedColour)]
  }
  const { ends } = numberScale(colouring)
  const colours = scaleColours(numberRamp(), false)
  const factor = ends[1] > ends[0] ? 1 / (ends[1] - ends[0]) : 0
  for (let i = 0; i < order.length; i++) {
    const value = colouring.values[order[i]!]!
    const share = factor === 0 ? 0.5 : Math.min(1, Math.max(0, (value - ends[0]) * factor))
    codes[i] = Number.isFinite(value) ? Math.round(255 * share) : 256
  }
  return [codes, Uint32Array.from([...colours, packedColour(missingColour)])]
}

interface Plot {
  left: number
  top: number
  width: number
  height: number
}

/** Both axes have one scale. Cells without a value are painted first, so that they hide nothing. */
function paintCells(
  canvas: Canvas,
  {
    xy,
    order,
    codes,
    palette,
    plot,
    pixelRatio,
  }: {
    xy: Float32Array
    order: Uint32Array
    codes: Uint16Array
    palette: Uint32Array
    plot: Plot
    pixelRatio: number
  },
): void {
  const [x, y] = [axis(xy, 0, order), axis(xy, 1, order)]
  const context = canvas.getContext('2d')
  const [left, top] = [Math.round(plot.left * pixelRatio), Math.round(plot.top * pixelRatio)]
  const image = context.getImageData(
    left,
    top,
    Math.round(plot.width * pixelRatio),
    Math.round(plot.height * pixelRatio),
  )
  const { width, height } = image
  const target = { pixels: new Uint32Array(image.data.buffer), width, height }
  const radius = pixelRatio * Math.min(4, Math.max(0.6, 26 / Math.max(1, order.length) ** 0.33))
  const room = 2 * radius + 4
  const perUnit = Math.min((width - room) / (x.span || 1), (height - room) / (y.span || 1))
  const scaleX = (perUnit * (x.span || 1)) / 65_535
  const scaleY = (perUnit * (y.span || 1)) / 65_535
  const points = {
    x: x.quantised,
    y: y.quantised,
    codes,
    radius,
    scaleX,
    scaleY: -scaleY,
    offsetX: width / 2 - 32_767.5 * scaleX,
    offsetY: height / 2 + 32_767.5 * scaleY,
  }
  const missing = palette.length - 1
  paintPoints(
    target,
    points,
    palette.map((colour, code) => (code === missing ? colour : 0)),
  )
  paintPoints(target, points, palette.with(missing, 0))
  context.putImageData(image, left, top)
}
