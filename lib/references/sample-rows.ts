/**
 * A uniform sample over the rows of several files together, every set of that size as likely as any other: selection sampling (Fan, Muller
 * and Rezucha 1962; Knuth's algorithm S), one pass and no list of all rows, of which there may be tens of millions.
 */
import type { Random } from '../job/random.ts'

/**
 * @param lists ascending rows of each file
 * @returns `most` of them together, ascending; the same lists where there are no more
 */
export function sampleRows(
  lists: readonly Int32Array[],
  { most, random }: { most: number; random: Random },
): Int32Array[] {
  let left = lists.reduce((sum, { length }) => sum + length, 0)
  let needed = Math.min(most, left)
  if (needed === left) return [...lists]
  return lists.map((rows) =>
    rows.filter(() => {
      const isTaken = needed > 0 && random.uniform() * left < needed
      left--
      if (isTaken) needed--
      return isTaken
    }),
  )
}
