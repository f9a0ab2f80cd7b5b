/**
 * One score a cell for several marker genes together, as SpatialCore defines them: the shifted geometric mean is high only where all
 * markers are up, yet one dropout does not send it to 0; the plain geometric mean does just that; the arithmetic mean lets a single
 * marker carry the cell.
 *
 * Zeros count: a marker that a cell does not store takes part as 0. One cell at a time is laid out, never the matrix.
 */
import { type Expression, slotsOf } from './expression.ts'

export type MetageneMethod =
  | 'shifted-geometric-mean'
  | 'geometric-mean'
  | 'arithmetic-mean'
  | 'median'
  | 'minimum'

export interface MetageneOptions {
  /** 'shifted-geometric-mean' unless told */
  method?: MetageneMethod
  /** what the shifted geometric mean adds before the logarithm, 0.1 unless told */
  shift?: number
  /** numbers of the cells wanted; all unless told */
  cells?: Int32Array
}

/** keeps the geometric mean's logarithm finite, at the price that a zero marker weighs -23 */
const leastValue = 1e-10

/**
 * @param genes columns of the markers, each once
 * @returns a score for each cell (of `cells`, in their order), in the unit of the values; NaN where a marker is NaN, or is negative
 *   under a geometric mean; NaN everywhere without genes
 */
export function metageneScores(
  expression: Expression,
  genes: ArrayLike<number>,
  options: MetageneOptions = {},
): Float64Array {
  const { method = 'shifted-geometric-mean', shift = 0.1, cells } = options
  const { rows, columns, indptr, indices, values } = expression
  const scores = new Float64Array(cells?.length ?? rows).fill(Number.NaN)
  if (genes.length === 0) return scores
  const slots = slotsOf(genes, columns)
  const own = new Float64Array(genes.length)
  const combine = combiners(shift)[method]
  for (let at = 0; at < scores.length; at++) {
    const row = cells === undefined ? at : cells[at]!
    if (!(row >= 0 && row < rows)) throw new RangeError(`cell ${row} of ${rows}`)
    own.fill(0)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
      const slot = slots[indices[i]!]!
      if (slot >= 0) own[slot] = values[i]!
    }
    scores[at] = combine(own)
  }
  return scores
}

/** The score of one cell from the values of its markers. */
export function metagene(
  values: ArrayLike<number>,
  { method = 'shifted-geometric-mean', shift = 0.1 }: MetageneOptions = {},
): number {
  return values.length === 0 ? Number.NaN : combiners(shift)[method](Float64Array.from(values))
}

function combiners(shift: number): Record<MetageneMethod, (values: Float64Array) => number> {
  if (!(shift > 0)) throw new RangeError(`shift ${shift} is not above 0`)
  return {
    'shifted-geometric-mean': (values) => geometric(values, shift) - shift,
    'geometric-mean': (values) => geometric(values, leastValue),
    'arithmetic-mean': (values) => sum(values) / values.length,
    median,
    minimum: (values) => values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY),
  }
}

function geometric(values: Float64Array, shift: number): number {
  let logs = 0
  for (let i = 0; i < values.length; i++) {
    // -0.05 + 0.1 has a logarithm, but a negative value has no place in a geometric mean
    if (values[i]! < 0) return Number.NaN
    logs += Math.log(values[i]! + shift)
  }
  return Math.exp(logs / values.length)
}

function sum(values: Float64Array): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}

function median(values: Float64Array): number {
  if (values.some(Number.isNaN)) return Number.NaN
  const sorted = values.slice().sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
