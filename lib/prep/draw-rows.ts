/**
 * Some of a list of rows, every choice as likely as any other, in ascending order; and rows sorted into buckets.
 *
 * Each bucket is drawn from with a generator of its own name: what is drawn from one does not depend on the others.
 */
import type { Random } from '../job/random.ts'

/**
 * @param rows ascending; not changed
 * @returns `count` of them, ascending; all when there are no more
 */
export function drawRows(rows: Int32Array, { count, random }: { count: number; random: Random }): Int32Array {
  if (count >= rows.length) return rows.slice()
  const pool = rows.slice()
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(pool.length - i)
    const held = pool[i]!
    pool[i] = pool[j]!
    pool[j] = held
  }
  return pool.slice(0, count).sort()
}

/** The rows of each code from 0, ascending; rows with code -1 are in none. */
export function bucketRows(codes: Int32Array, buckets: number): Int32Array[] {
  const starts = new Int32Array(buckets + 1)
  for (const code of codes) {
    if (code >= buckets || code < -1) throw new RangeError(`code ${code} of ${buckets}`)
    if (code >= 0) starts[code + 1]! += 1
  }
  for (let i = 0; i < buckets; i++) starts[i + 1]! += starts[i]!
  const rows = new Int32Array(starts[buckets]!)
  const next = starts.slice()
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row]!
    if (code >= 0) rows[next[code]!++] = row
  }
  return Array.from({ length: buckets }, (_, i) => rows.subarray(starts[i]!, starts[i + 1]!))
}

/** One ascending list of rows that are in no two lists. */
export function joinRows(lists: readonly Int32Array[]): Int32Array {
  const joined = new Int32Array(lists.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const list of lists) {
    joined.set(list, at)
    at += list.length
  }
  return joined.sort()
}
