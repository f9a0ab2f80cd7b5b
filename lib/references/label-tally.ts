/**
 * Cells by label and Cell Ontology id, over all files of a reference. A label may stand with several ids, and an id with several labels:
 * each pair is counted by itself, by number, so that what a file calls a label is never a key of an object.
 */
import type { CodedColumn } from './obs-columns.ts'

export interface LabelPair {
  /** '' is none */
  label: string
  /** '' is none */
  id: string
}

export interface LabelTally {
  pairs: LabelPair[]
  /** the pair of each of these rows, by number */
  add(
    rows: Int32Array,
    columns: { labels: CodedColumn | undefined; ids: CodedColumn | undefined },
  ): Int32Array
}

export function newLabelTally(): LabelTally {
  const pairs: LabelPair[] = []
  const numbers = new Map<string, number>()
  const numberOf = (label: string, id: string): number => {
    const key = `${label.length} ${label}${id}`
    const known = numbers.get(key)
    if (known !== undefined) return known
    numbers.set(key, pairs.length)
    return pairs.push({ label, id }) - 1
  }
  return {
    pairs,
    add(rows, { labels, ids }) {
      const idKinds = (ids?.values.length ?? 0) + 1
      const seen = new Map<number, number>()
      return rows.map((row) => {
        const [label, id] = [labels?.codes[row] ?? -1, ids?.codes[row] ?? -1]
        const both = (label + 1) * idKinds + id + 1
        const known = seen.get(both)
        if (known !== undefined) return known
        const number = numberOf(labels?.values[label]?.trim() ?? '', ids?.values[id]?.trim() ?? '')
        seen.set(both, number)
        return number
      })
    },
  }
}

/** Cells of each pair. */
export function countPairs(lists: readonly Int32Array[], pairs: number): Float64Array {
  const counts = new Float64Array(pairs)
  for (const list of lists) for (let i = 0; i < list.length; i++) counts[list[i]!]! += 1
  return counts
}
