/**
 * The sheet that a figure is drawn on: white, opaque, in points; with two pixels a point, or fewer where a figure is so large that
 * a report could not carry it. Its PNG says how many, so that every figure is shown with letters of one size.
 */
import { type Canvas, createCanvas, type SKRSContext2D } from '@napi-rs/canvas'
import { registerFonts } from './fonts.ts'
import { drawText, faint, ink, wrapText } from './picture-text.ts'
import { encodePng } from './png-encode.ts'

/** distance of everything from the rim, in points */
export const rim = 24
export const missingFill = '#d5d9de'
export const frameColour = '#8a929c'
const mostPixels = 9e6
const ratios = [2, 1.5, 1]
const noteLine = 16

export interface Picture {
  canvas: Canvas
  context: SKRSContext2D
  /** in points */
  width: number
  height: number
  pixelRatio: number
}

export interface Box {
  left: number
  top: number
  width: number
  height: number
}

/** @param size in points, and the pixels for each that are wanted */
export function openPicture(size: { width: number; height: number; pixelRatio?: number }): Picture {
  registerFonts()
  const [width, height] = [Math.ceil(size.width), Math.ceil(size.height)]
  const { pixelRatio: wanted = 2 } = size
  const pixelRatio =
    ratios.find((ratio) => ratio <= wanted && width * height * ratio ** 2 <= mostPixels) ??
    Math.min(1, wanted)
  const canvas = createCanvas(Math.round(width * pixelRatio), Math.round(height * pixelRatio))
  const context = canvas.getContext('2d')
  context.fillStyle = '#ffffff'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.scale(pixelRatio, pixelRatio)
  return { canvas, context, width, height, pixelRatio }
}

/** @param keep colours of a scale that must stay exact among many points */
export function encodePicture(
  { canvas, context, pixelRatio }: Picture,
  keep?: Uint32Array,
): Promise<Uint8Array> {
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height)
  return encodePng(pixels, { pixelRatio, ...(keep && { keep }) })
}

/** A rectangle whose edges lie on whole pixels, so that neighbours neither overlap nor leave a seam. */
export function fillSharp({ context, pixelRatio }: Picture, box: Box, colour: string): void {
  const snap = (value: number): number => Math.round(value * pixelRatio) / pixelRatio
  const [left, top] = [snap(box.left), snap(box.top)]
  context.fillStyle = colour
  context.fillRect(left, top, snap(box.left + box.width) - left, snap(box.top + box.height) - top)
}

/** The frame of a plot; its line lies outside of the box. */
export function strokeFrame({ context }: Picture, { left, top, width, height }: Box): void {
  context.strokeStyle = frameColour
  context.lineWidth = 1
  context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1)
}

/** Title and notes below it. @returns where what follows may begin */
export function drawTitle(
  { context, width }: Picture,
  { title, notes = [] }: { title: string; notes?: readonly string[] },
): number {
  const most = width - 2 * rim
  drawText(context, title, { left: rim, top: 32, size: 17, bold: true, most })
  notes.forEach((note, i) => {
    drawText(context, note, { left: rim, top: 52 + noteLine * i, size: 12, colour: faint, most })
  })
  return titleHeight(notes.length)
}

/** Height of a title with that many notes. */
export function titleHeight(notes: number): number {
  return 48 + noteLine * notes
}

/** In place of a plot: why there is none. */
export function drawMessage(picture: Picture, box: Box, message: string): void {
  const { context } = picture
  fillSharp(picture, box, '#f3f4f6')
  strokeFrame(picture, box)
  const style = { size: 13, most: box.width - 32, lines: 6 }
  const lines = wrapText(context, message, style)
  lines.forEach((line, i) => {
    drawText(context, line, {
      left: box.left + box.width / 2,
      top: box.top + box.height / 2 + 18 * (i - (lines.length - 1) / 2) + 5,
      size: 13,
      colour: ink,
      align: 'center',
      most: box.width - 32,
    })
  })
}

/** A picture that only says why there is nothing to see. */
export async function renderMessage(
  title: string,
  { message, pixelRatio }: { message: string; pixelRatio?: number },
): Promise<Uint8Array> {
  const picture = openPicture({ width: 640, height: 220, ...(pixelRatio !== undefined && { pixelRatio }) })
  const top = drawTitle(picture, { title })
  const box = {
    left: rim,
    top: top + 4,
    width: picture.width - 2 * rim,
    height: picture.height - top - rim - 4,
  }
  drawMessage(picture, box, message)
  return encodePicture(picture)
}
