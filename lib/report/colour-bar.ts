/** The upright bar that says which colour stands for which value: its name above, its ends beside it. */
import type { SKRSContext2D } from '@napi-rs/canvas'
import { cssColour } from './colour-scales.ts'
import { shownText } from './html.ts'
import { drawText, wrapText } from './picture-text.ts'

const barWidth = 16
const nameLine = 16

export interface ColourBar {
  name: string
  /** from low to high, 0xAABBGGRR */
  colours: ArrayLike<number>
  /** of the low and the high end, as shown */
  ends: readonly [string, string]
  /** a value to mark within the bar, as a share from low (0) to high (1) */
  middle?: { share: number; text: string }
}

/** Only the bar, without words; `height` in points. */
export function drawBar(
  context: SKRSContext2D,
  colours: ArrayLike<number>,
  { left, top, height }: { left: number; top: number; height: number },
): void {
  for (let row = 0; row < height; row++) {
    context.fillStyle = cssColour(colours[Math.round((colours.length - 1) * (1 - row / (height - 1)))]!)
    context.fillRect(left, top + row, barWidth, row === height - 1 ? 1 : 1.5)
  }
}

/**
 * Bar with words, at most `width` wide; the name takes up to three lines.
 * @returns where it ends below, in points
 */
export function drawColourBar(
  context: SKRSContext2D,
  { name, colours, ends, middle }: ColourBar,
  { left, top, height, width }: { left: number; top: number; height: number; width: number },
): number {
  const lines = wrapText(context, shownText(name), { most: width, size: 12, bold: true, lines: 3 })
  lines.forEach((line, i) => {
    drawText(context, line, { left, top: top + 11 + nameLine * i, size: 12, bold: true, most: width })
  })
  const barTop = top + nameLine * lines.length + 8
  drawBar(context, colours, { left, top: barTop, height })
  const text = (words: string, share: number): void =>
    drawText(context, words, {
      left: left + barWidth + 8,
      top: barTop + 9 + (1 - share) * (height - 9),
      size: 11,
      most: width - barWidth - 8,
    })
  text(shownText(ends[1]), 1)
  text(shownText(ends[0]), 0)
  if (middle !== undefined) text(shownText(middle.text), middle.share)
  return barTop + height
}
