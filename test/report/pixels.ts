/** What can be seen in a PNG: its pixels, those of one colour, and whether a place is empty. */
import { createCanvas, loadImage } from '@napi-rs/canvas'

export interface Pixels {
  width: number
  height: number
  data: Uint8ClampedArray
}

type Rectangle = readonly [left: number, top: number, right: number, bottom: number]

export async function decode(png: Uint8Array): Promise<Pixels> {
  const image = await loadImage(Buffer.from(png))
  const context = createCanvas(image.width, image.height).getContext('2d')
  context.drawImage(image, 0, 0)
  return context.getImageData(0, 0, image.width, image.height)
}

export function colourAt({ width, data }: Pixels, x: number, y: number): string {
  const at = 4 * (Math.round(y) * width + Math.round(x))
  return `#${Buffer.from(data.subarray(at, at + 3)).toString('hex')}`
}

const whole = ({ width, height }: Pixels): Rectangle => [0, 0, width, height]

/** Pixels in a rectangle that are not white. */
export function inked(pixels: Pixels, rectangle: Rectangle = whole(pixels)): number {
  return count(pixels, rectangle, (channels) => channels.some((value) => value < 250))
}

/** Pixels in a rectangle that are of a colour ('#rrggbb'), or within `apart` of it in each channel. */
export function coloured(
  pixels: Pixels,
  colour: string,
  { within = whole(pixels), apart = 4 }: { within?: Rectangle; apart?: number } = {},
): number {
  const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
  return count(pixels, within, (channels) =>
    channels.every((value, i) => Math.abs(value - wanted[i]!) <= apart),
  )
}

/** Ink in the outermost three pixels: what was drawn beyond the rim. */
export function overflow(pixels: Pixels): number {
  const { width, height } = pixels
  return (
    inked(pixels, [0, 0, width, 3]) +
    inked(pixels, [0, height - 3, width, height]) +
    inked(pixels, [0, 0, 3, height]) +
    inked(pixels, [width - 3, 0, width, height])
  )
}

function count(
  { width, data }: Pixels,
  [left, top, right, bottom]: Rectangle,
  holds: (channels: readonly number[]) => boolean,
): number {
  let found = 0
  for (let y = Math.round(top); y < Math.round(bottom); y++)
    for (let x = Math.round(left); x < Math.round(right); x++) {
      const at = 4 * (y * width + x)
      if (holds([data[at]!, data[at + 1]!, data[at + 2]!])) found++
    }
  return found
}
