/**
 * Categories that occur, with counts and colours: what the map, the PNG and the tables show alike. A model may know a hundred
 * labels of which ten are given; only those ten take colours from the palette.
 */
import { displayColours } from './colours.ts'
import type { CategoricalColouring } from './content.ts'
import { shownText } from './html.ts'

export const missingColour = '#c3c8cf'
const restColour = '#8a8f98'

export interface OccurringCategory {
  /** as shown: cut, hidden characters by their code */
  name: string
  colour: string
  cells: number
}

/**
 * @returns the categories that occur, in their own order; beyond `most` the smaller ones are one entry at the end. `placeOf` gives
 * for each code the position in that list.
 */
export function occurringCategories(
  { codes, categories, colours = {} }: CategoricalColouring,
  { most = 1000 } = {},
): { occurring: OccurringCategory[]; placeOf: Uint32Array; missing: number } {
  const counts = new Uint32Array(categories.length)
  let missing = 0
  for (const code of codes) {
    if (code < 0) missing++
    else counts[code]!++
  }
  const present = Array.from(counts.keys()).filter((code) => counts[code]! > 0)
  const kept = mostFrequent(present, counts, most)
  const palette = displayColours(
    kept.map((code) => categories[code]!),
    colours,
  )
  const occurring = kept.map((code, position) => ({
    name: shownText(categories[code]!),
    colour: palette[position]!,
    cells: counts[code]!,
  }))
  const placeOf = new Uint32Array(categories.length).fill(kept.length)
  for (const [position, code] of kept.entries()) placeOf[code] = position
  if (kept.length < present.length) {
    const named = occurring.reduce((sum, { cells }) => sum + cells, 0)
    occurring.push({
      name: `(${present.length - kept.length} smaller categories)`,
      colour: restColour,
      cells: codes.length - missing - named,
    })
  }
  return { occurring, placeOf, missing }
}

function mostFrequent(codes: number[], counts: Uint32Array, most: number): number[] {
  if (codes.length <= most) return codes
  return [...codes]
    .sort((a, b) => counts[b]! - counts[a]! || a - b)
    .slice(0, most)
    .sort((a, b) => a - b)
}
