/**
 * Colours of categories and of numbers. Two palettes, for two purposes:
 * - `assignColours` is SpatialCore's rule and its 20 colours. It fills what others read: `NAME_colors.json` and `uns["..._colors"]`.
 *   Some of these colours are hard to see on white, so the page and the PNG do not use them.
 * - `displayColours` is what we draw with: 40 colours, each visible on white and on the dark page (contrast of 2.1 and 3.2 at
 *   least), in an order that keeps any first n of them far apart, also to a reader who does not tell red from green.
 */

const spatialCore = (
  'F5252F FB3FFC 00FFFF 33FF33 FFB300 9966FF FF6B6B 3784FE FF8000 66CCCC ' +
  'CC66FF 99FF99 FF6699 E3E1E3 FFB3CC E6E680 CC9966 8080FF FF9999 66FF99'
).split(' ')

/** Farthest points in OKLab, the distance being the smaller of that seen normally and (times 1.6) by a deuteranope. */
const display = (
  '3675c6 e16324 2d995a c63648 fc7efc d8ab00 b46cb4 ea99a2 1babfc 876cfc ' +
  '2dc65a 48bdbd ab36a2 3f7500 5a8787 3f51fc f35175 9999d8 a27500 c648e1 ' +
  'ab7e87 7e75bd e18700 636c48 756375 ea51b4 6c51d8 fc87c6 f39963 a2ab87 ' +
  'cf87fc b44809 909048 a25a63 6390fc 00a2cf 5a6cea 995a90 007587 7eb4e1'
).split(' ')

/** How many categories have a colour of their own in `displayColours`. */
export const displayPaletteSize = display.length

/** Ends of viridis are left out: the lightest colour does not show on white, nor the darkest on the dark page. */
const viridis = '46327e 3f4788 365c8d 2e6e8e 277f8e 21918c 1fa187 2db27d 4ac16d 73d056 a0da39 d0e11c'.split(
  ' ',
)

const hexColour = /^#?([0-9a-f]{6})$/i

/**
 * Colours as SpatialCore gives them: labels in order of their code points, a custom colour where there is one, else the next of
 * the 20, from the start again when they are used up. A label with a custom colour uses up none.
 * @returns '#RRGGBB' by label, in that order
 */
export function assignColours(
  labels: Iterable<string>,
  custom: Readonly<Record<string, string>> = {},
): Map<string, string> {
  const sorted = [...new Set(labels)].sort(byCodePoint)
  let used = 0
  return new Map(
    sorted.map((label) => [
      label,
      customColour(label, custom) ?? `#${spatialCore[used++ % spatialCore.length]}`,
    ]),
  )
}

/** One '#rrggbb' a category, in their order; beyond 40 categories colours repeat. */
export function displayColours(
  categories: readonly string[],
  custom: Readonly<Record<string, string>> = {},
): string[] {
  let used = 0
  return categories.map(
    (category) => customColour(category, custom)?.toLowerCase() ?? `#${display[used++ % display.length]}`,
  )
}

/** Stops of the scale for numbers, at equal distances, from the colour of low values (dark) to that of high ones. */
export function numberRamp(): string[] {
  return viridis.map((colour) => `#${colour}`)
}

/** What is no colour is passed over, so that data cannot put other text in its place. */
function customColour(label: string, custom: Readonly<Record<string, string>>): string | undefined {
  const given = Object.hasOwn(custom, label) ? hexColour.exec(custom[label]!)?.[1] : undefined
  return given === undefined ? undefined : `#${given.toUpperCase()}`
}

/** Python's order of text; JavaScript's own compares halves of characters beyond U+FFFF. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [[...a], [...b]]
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!
    if (difference !== 0) return difference
  }
  return left.length - right.length
}
