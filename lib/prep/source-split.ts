/**
 * The cells of one type shared out among the references that have it.
 *
 * `exact` shares in proportion to what each has, or equally, with a minimum for each, and gives what was asked for. `compat` is
 * SpatialCore's way (0.3): shares rounded up and raised to the minimum, which can give more than asked for; equal shares know no
 * minimum, and what they lack comes from the source that appears first.
 */
import { apportion } from './apportion.ts'

export interface SourceCells {
  name: string
  cells: number
}

export interface SplitOptions {
  balance: 'proportional' | 'equal'
  /** a source gives at least as many, or all that it has (compat: a source that has fewer is not raised) */
  minCellsPerSource: number
  rounding: 'exact' | 'compat'
}

/**
 * @param target no more cells than there are
 * @param options.sources each with cells, in the order in which they appear
 * @returns cells of each source
 */
export function splitBySource(
  target: number,
  { sources, ...options }: SplitOptions & { sources: readonly SourceCells[] },
): Int32Array {
  const order = sources.map((_, i) => i).sort((a, b) => (sources[a]!.name < sources[b]!.name ? -1 : 1))
  if (options.rounding === 'compat') return compatSplit(target, { sources, order, ...options })
  const cells = order.map((i) => sources[i]!.cells)
  const shares = apportion(target, {
    weights: options.balance === 'equal' ? cells.map(() => 1) : cells,
    lower: minimumsOf(cells, options.minCellsPerSource),
    upper: cells,
  })
  const split = new Int32Array(sources.length)
  for (const [place, i] of order.entries()) split[i] = shares[place]!
  return split
}

/** What each source is to give at least. */
export function minimumsOf(cells: readonly number[], minCellsPerSource: number): number[] {
  return cells.map((count) => Math.min(count, minCellsPerSource))
}

function compatSplit(
  target: number,
  options: SplitOptions & { sources: readonly SourceCells[]; order: readonly number[] },
): Int32Array {
  const { sources, order, balance, minCellsPerSource } = options
  const split = new Int32Array(sources.length)
  const total = sources.reduce((sum, { cells }) => sum + cells, 0)
  for (const [place, i] of order.entries()) {
    const { cells } = sources[i]!
    if (balance === 'equal') {
      const share = Math.floor(target / sources.length) + (place < target % sources.length ? 1 : 0)
      split[i] = Math.min(share, cells)
      continue
    }
    // the quotient first: rounded up, it can differ from the rounded product
    const share = Math.ceil(target * (cells / total))
    split[i] = Math.min(cells, cells >= minCellsPerSource ? Math.max(share, minCellsPerSource) : share)
  }
  let lacking = target - split.reduce((sum, cells) => sum + cells, 0)
  for (const [i, { cells }] of sources.entries()) {
    const more = Math.max(0, Math.min(lacking, cells - split[i]!))
    split[i]! += more
    lacking -= more
  }
  return split
}
