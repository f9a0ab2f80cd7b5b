/**
 * Rows of a reference that is too large, drawn label by label so that the shares of the labels stay.
 *
 * `exact` takes as many rows as are allowed and of each label at least one, while there are as many. `compat` is SpatialCore's way
 * (0.3): shares rounded up, then trimmed at random over all rows, so that a rare label can vanish (of 90, 9 and 1 cells, 10 taken, it may).
 */
import { random } from '../job/random.ts'
import { apportion } from './apportion.ts'
import { bucketRows, drawRows, joinRows } from './draw-rows.ts'

export interface CapOptions {
  /** how many labels there are */
  labels: number
  /** rows wanted at most */
  max: number
  /** whole number in [0, 2^32) */
  seed: number
  /** 'exact' unless told */
  rounding?: 'exact' | 'compat'
}

/**
 * @param codes each row's label; -1 is none, and such rows are never taken
 * @returns ascending rows, `max` of them where as many have a label, else all of these
 */
export function stratifiedCap(
  codes: Int32Array,
  { labels, max, seed, rounding = 'exact' }: CapOptions,
): Int32Array {
  if (!Number.isInteger(max) || max < 0) throw new RangeError(`${max} rows`)
  const rows = bucketRows(codes, labels)
  const counts = rows.map(({ length }) => length)
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total <= max) return joinRows(rows)
  const wanted =
    rounding === 'compat'
      ? counts.map((count) => Math.min(count, Math.ceil((max * count) / total)))
      : apportion(max, { weights: counts, lower: counts.map((count) => Math.min(1, count)), upper: counts })
  const source = random(seed)
  const drawn = joinRows(
    rows.map((list, label) =>
      drawRows(list, { count: wanted[label]!, random: source.fork(`label ${label}`) }),
    ),
  )
  return drawRows(drawn, { count: max, random: source.fork('trim') })
}
