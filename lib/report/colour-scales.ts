/**
 * The colour scales of the figures: viridis (every fifth of matplotlib's 256 colours), and RdYlGn and Reds of ColorBrewer, which
 * matplotlib has too. Unlike `numberRamp` they are whole, so that a figure has the colours that its readers know from elsewhere.
 *
 * The trap: the lightest colours of each cannot be seen on white. Points in them need a dark ground or an outline.
 */
import { scaleColours } from './assets/palette.js'

export type ScaleName = 'viridis' | 'RdYlGn' | 'Reds'

const stops: Readonly<Record<ScaleName, string>> = {
  viridis:
    '440154 46085c 471063 481769 481d6f 482475 472a7a 46307e 453781 433d84 414287 3f4889 3d4e8a ' +
    '3a538b 38598c 355e8d 33638d 31688e 2e6d8e 2c718e 2a768e 297b8e 27808e 25848e 23898e 218e8d ' +
    '20928c 1f978b 1e9c89 1fa188 21a585 24aa83 28ae80 2eb37c 35b779 3dbc74 46c06f 50c46a 5ac864 ' +
    '65cb5e 70cf57 7cd250 89d548 95d840 a2da37 b0dd2f bddf26 cae11f d8e219 e5e419 f1e51d fde725',
  RdYlGn: 'a50026 d73027 f46d43 fdae61 fee08b ffffbf d9ef8b a6d96a 66bd63 1a9850 006837',
  Reds: 'fff5f0 fee0d2 fcbba1 fc9272 fb6a4a ef3b2c cb181d a50f15 67000d',
}

/** 256 colours from low to high, as 0xAABBGGRR. */
export function scaleTable(name: ScaleName): Uint32Array {
  const hexes = stops[name].split(' ').map((hex) => `#${hex}`)
  return scaleColours(hexes, true)
}

/** Place of a value in a table of 256, what lies beyond the ends being at the end; the middle where both ends are one. */
export function scalePlace(value: number, [low, high]: readonly [number, number]): number {
  const share = high > low ? (value - low) / (high - low) : 0.5
  return Math.round(255 * Math.min(1, Math.max(0, share)))
}

/** @param packed 0xAABBGGRR, opaque */
export function cssColour(packed: number): string {
  return `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`
}
