/**
 * Text of the PNGs: one line on its baseline, level or slanted, cut where it would leave its place. Whatever a name holds, nothing is
 * drawn or measured but what can be seen: hidden characters stand there by their code.
 */
import { createCanvas, type SKRSContext2D } from '@napi-rs/canvas'
import { fontFamily, registerFonts } from './fonts.ts'
import { revealed, shownText } from './html.ts'

export const ink = '#1b1f24'
export const faint = '#59616b'

export interface TextStyle {
  size: number
  bold?: boolean
}

export interface TextPlace extends TextStyle {
  left: number
  /** of the baseline */
  top: number
  colour?: string
  align?: 'left' | 'right' | 'center'
  /** what is wider ends in an ellipsis */
  most?: number
  /** in radians, clockwise about the place */
  turn?: number
}

/** One line of text on its baseline; what is wider than `most` ends in an ellipsis. */
export function drawText(context: SKRSContext2D, text: string, place: TextPlace): void {
  const { left, top, colour = ink, align = 'left', most = Infinity, turn = 0 } = place
  context.font = fontOf(place)
  context.fillStyle = colour
  context.textAlign = align
  const line = fitted(context, oneLine(text), most)
  if (turn === 0) {
    context.fillText(line, left, top)
    return
  }
  context.save()
  context.translate(left, top)
  context.rotate(turn)
  context.fillText(line, 0, 0)
  context.restore()
}

/** Width of a line in points. */
export function textWidth(context: SKRSContext2D, text: string, style: TextStyle): number {
  context.font = fontOf(style)
  return context.measureText(oneLine(text)).width
}

/** A context that draws nowhere, to measure text before the picture has a size. */
export function measuringContext(): SKRSContext2D {
  registerFonts()
  return createCanvas(1, 1).getContext('2d')
}

/** Text in at most `lines` lines, broken between words; what is left over ends the last line, which `drawText` cuts. */
export function wrapText(
  context: SKRSContext2D,
  text: string,
  { most, lines, ...style }: TextStyle & { most: number; lines: number },
): string[] {
  const words = oneLine(text).trim().split(/ +/)
  const wrapped = [words[0] ?? '']
  for (const word of words.slice(1)) {
    const longer = `${wrapped.at(-1)} ${word}`
    if (wrapped.length === lines || textWidth(context, longer, style) <= most)
      wrapped[wrapped.length - 1] = longer
    else wrapped.push(word)
  }
  return wrapped
}

const shortLength = 25

/**
 * Names as the figures show them, in their order: hidden characters by their code, and cut after 25 characters with three dots, which
 * is where SpatialCore cuts. Where that makes two names alike, as with "CD4-positive, alpha-beta T cell" and its memory, both keep
 * their end and lose their middle.
 */
export function shortNames(names: readonly string[]): string[] {
  const shown = names.map((name) => [...(shownText(name, 1000).trim() || '(no name)')])
  const cut = shown.map((name) =>
    name.length > shortLength ? `${name.slice(0, shortLength).join('').trimEnd()}...` : name.join(''),
  )
  const fullBy = new Map<string, Set<string>>()
  for (const [i, short] of cut.entries())
    fullBy.set(short, (fullBy.get(short) ?? new Set()).add(shown[i]!.join('')))
  return cut.map((short, i) => {
    if (fullBy.get(short)!.size === 1) return short
    const name = shown[i]!
    return name.length > shortLength ? `${name.slice(0, 12).join('')}...${name.slice(-13).join('')}` : short
  })
}

function fontOf({ size, bold = false }: TextStyle): string {
  return `${bold ? 'bold ' : ''}${size}px "${fontFamily}"`
}

function oneLine(text: string): string {
  return revealed(text).replace(/\s/g, ' ')
}

function fitted(context: SKRSContext2D, text: string, most: number): string {
  if (context.measureText(text).width <= most) return text
  const characters = [...text]
  let [fits, tooLong] = [0, characters.length]
  while (tooLong - fits > 1) {
    const middle = (fits + tooLong) >> 1
    if (context.measureText(`${characters.slice(0, middle).join('')}…`).width <= most) fits = middle
    else tooLong = middle
  }
  return `${characters.slice(0, fits).join('').trimEnd()}…`
}
