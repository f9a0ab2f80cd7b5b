/**
 * Opaque pixels as a PNG with a palette of 256 colours: a third to a sixth of what the canvas writes, and a report carries ten
 * figures. Colours that fill areas stay exact; those of the edges of letters and points may move, all by as little as the palette
 * allows. The `pHYs` chunk says how many pixels a point has, without which a page shows one figure twice as large as another.
 */
import { promisify } from 'node:util'
import { crc32, deflate } from 'node:zlib'

const compress = promisify(deflate)
const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** a point of ours is a pixel of CSS, of which an inch has 96 */
const pointsPerMetre = 96 / 0.0254
const paletteSize = 256

export interface Pixels {
  /** bytes R, G, B, A of each, row after row; A is not kept */
  data: Uint8ClampedArray
  width: number
  height: number
}

/**
 * @param options.pixelRatio pixels a point, told in the file
 * @param options.keep colours of a scale (0xAABBGGRR) that stay as they are though edges of points may be more frequent
 */
export async function encodePng(
  { data, width, height }: Pixels,
  { pixelRatio, keep = new Uint32Array(0) }: { pixelRatio: number; keep?: Uint32Array },
): Promise<Uint8Array> {
  const pixels = new Uint32Array(data.buffer, data.byteOffset, width * height)
  const { palette, indexOf } = makePalette(pixels, keep)
  // one byte before each row: no filter, the best for a palette
  const rows = new Uint8Array(height * (width + 1))
  for (let row = 0, at = 0; row < height; row++) {
    at++
    for (let column = 0; column < width; column++)
      rows[at++] = indexOf.get(pixels[row * width + column]! & 0xffffff)!
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3, 0, 0, 0], 8)
  const density = Buffer.alloc(9)
  density.writeUInt32BE(Math.round(pixelRatio * pointsPerMetre), 0)
  density.writeUInt32BE(Math.round(pixelRatio * pointsPerMetre), 4)
  density.writeUInt8(1, 8)
  const parts = [
    signature,
    chunk('IHDR', header),
    chunk('sRGB', Uint8Array.of(0)),
    chunk('pHYs', density),
    chunk('PLTE', Uint8Array.from(palette.flatMap(channels))),
    chunk('IDAT', await compress(rows, { level: 9 })),
    chunk('IEND', new Uint8Array(0)),
  ]
  return new Uint8Array(Buffer.concat(parts))
}

function chunk(kind: string, content: Uint8Array): Buffer {
  const written = Buffer.alloc(12 + content.length)
  written.writeUInt32BE(content.length, 0)
  written.write(kind, 4, 'latin1')
  written.set(content, 8)
  written.writeUInt32BE(crc32(written.subarray(4, 8 + content.length)), 8 + content.length)
  return written
}

function channels(colour: number): [number, number, number] {
  return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255]
}

/** Up to 256 colours and, for each colour that occurs, which of them stands for it. */
function makePalette(
  pixels: Uint32Array,
  keep: Uint32Array,
): { palette: number[]; indexOf: Map<number, number> } {
  const counts = new Map<number, number>()
  for (let i = 0; i < pixels.length; ) {
    // runs of one colour are most of a figure
    const colour = pixels[i]!
    let end = i + 1
    while (end < pixels.length && pixels[end] === colour) end++
    const opaque = colour & 0xffffff
    counts.set(opaque, (counts.get(opaque) ?? 0) + end - i)
    i = end
  }
  const kept = new Set(Array.from(keep, (colour) => colour & 0xffffff))
  const rank = (colour: number): number => (kept.has(colour) ? 1 : 0)
  const byCount = [...counts]
    .sort(([a, m], [b, n]) => rank(b) - rank(a) || n - m || a - b)
    .map(([colour]) => colour)
  const palette = choose(byCount)
  return { palette, indexOf: new Map(byCount.map((colour) => [colour, nearest(colour, palette)])) }
}

/**
 * All colours, where they fit. Else two thirds of the palette for the most frequent ones, hardly merged, since they fill areas and
 * scales; the rest for the others, spread as far apart as leaves none uncovered.
 */
function choose(byCount: readonly number[]): number[] {
  if (byCount.length <= paletteSize) return [...byCount]
  const frequent = cover(byCount, { chosen: [], apart: 4, most: (2 / 3) * paletteSize })
  for (let apart = 4; ; apart = Math.ceil(1.25 * apart)) {
    const chosen = cover(byCount, { chosen: frequent, apart, most: paletteSize + 1 })
    if (chosen.length <= paletteSize) return chosen
  }
}

/** Adds each colour that lies `apart` or more from all that are chosen, until there are `most`. */
function cover(
  byCount: readonly number[],
  { chosen, apart, most }: { chosen: readonly number[]; apart: number; most: number },
): number[] {
  const covering = [...chosen]
  for (const colour of byCount) {
    if (covering.length >= most) break
    if (covering.every((other) => distance(colour, other) >= apart)) covering.push(colour)
  }
  return covering
}

/** That of the channel which differs most. */
function distance(a: number, b: number): number {
  return Math.max(
    Math.abs((a & 255) - (b & 255)),
    Math.abs(((a >> 8) & 255) - ((b >> 8) & 255)),
    Math.abs((a >> 16) - (b >> 16)),
  )
}

function nearest(colour: number, palette: readonly number[]): number {
  let [index, least] = [0, Infinity]
  for (let i = 0; i < palette.length && least > 0; i++) {
    const apart = distance(colour, palette[i]!)
    if (apart < least) [index, least] = [i, apart]
  }
  return index
}

/** @returns width and height in points (pixels where it tells no density); null where it is cut short or not a PNG */
export function shownSize(png: Uint8Array): { width: number; height: number } | null {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength)
  if (bytes.length < 33 || bytes.toString('latin1', 12, 16) !== 'IHDR') return null
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  if (width === 0 || height === 0) return null
  const ratio = densityOf(bytes)
  return { width: Math.max(1, Math.round(width / ratio)), height: Math.max(1, Math.round(height / ratio)) }
}

/** Pixels a point; 1 where it is not told, or makes no sense. */
function densityOf(bytes: Buffer): number {
  let at = 33
  while (at + 21 <= bytes.length) {
    const kind = bytes.toString('latin1', at + 4, at + 8)
    if (kind === 'IDAT') return 1
    if (kind === 'pHYs') {
      const ratio = Math.round((8 * bytes.readUInt32BE(at + 8)) / pointsPerMetre) / 8
      return bytes.readUInt8(at + 16) === 1 && ratio >= 0.5 && ratio <= 8 ? ratio : 1
    }
    at += 12 + bytes.readUInt32BE(at)
  }
  return 1
}
