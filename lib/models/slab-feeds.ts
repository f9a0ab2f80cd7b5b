/**
 * Rows of a slab as a network is fed them: counts above zero with their places, sums, codes of covariates. What a network cannot take (counts that
 * are negative or no numbers, categories that it does not know) is refused here, where the cell can be named.
 */
import type { RowSlab } from '../data/cells.ts'
import { float32, type Tensor } from '../graph/tensor.ts'
import { BadInput } from '../job/errors.ts'
import type { ScviShape } from './scvi-network.ts'

/** What is known of all cells of the matrix that slabs come from. */
export interface CellCovariates {
  /** by covariate, batch first: the category's number of each cell. Where the network does not use it, it is not looked at */
  categories: readonly Int32Array[]
  /** cells x continuous covariates */
  continuous?: Float32Array
  /** class of each cell, -1 for none, for a dispersion by label; without it no cell has one */
  labels?: Int32Array
}

export interface Rows {
  slab: RowSlab
  /** within the slab */
  from: number
  to: number
}

/** By the names that `cellsOf` takes. `library` is the sum of all counts of the slab's columns. */
export function entryFeeds({ slab, from, to }: Rows, place: string): Record<string, Tensor> {
  const { indptr, indices, values, columns, start } = slab
  const most = indptr[to]! - indptr[from]!
  const [places, genes] = [new Int32Array(most), new Int32Array(most)]
  const counts = new Float32Array(most)
  const library = new Float32Array(to - from)
  let found = 0
  for (let row = from; row < to; row++) {
    let total = 0
    for (let k = indptr[row]!; k < indptr[row + 1]!; k++) {
      const value = values[k]!
      if (value === 0) continue
      if (!(value > 0 && value <= largest)) throw noCount(place, { cell: start + row, value })
      places[found] = (row - from) * columns + indices[k]!
      genes[found] = indices[k]!
      counts[found++] = value
      total += value
    }
    library[row - from] = total
  }
  return {
    places: whole(places.subarray(0, found)),
    genes: whole(genes.subarray(0, found)),
    counts: float32(counts.subarray(0, found)),
    library: float32(library, [to - from, 1]),
  }
}

const largest = 3e38

/** Cells [from, to) of the matrix, and what a graph wants to know of them. */
export interface CellRange {
  from: number
  to: number
  shape: ScviShape
  /** inputs of the graph; others are not looked at */
  wanted: ReadonlySet<string>
  /** of the matrix, for messages */
  place: string
}

/**
 * By the names that `cellsOf` takes.
 * @throws BadInput MODEL_CATEGORY for a cell whose category the model does not know, MODEL_COVARIATE for one that is no number
 */
export function covariateFeeds(
  { categories, continuous, labels }: CellCovariates,
  { from, to, shape, wanted, place }: CellRange,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {}
  const codes = (
    name: string,
    all: Int32Array | undefined,
    { count, what }: { count: number; what: string },
  ) => {
    if (!wanted.has(name)) return
    const own = part(all, { from, to, what })
    checkCodes(own, { count, from, place, what })
    feeds[name] = whole(own)
  }
  for (const [i, count] of shape.categories.entries())
    codes(`category ${i}`, categories[i], { count, what: i === 0 ? 'batch' : `covariate ${i}` })
  if (wanted.has('labels')) {
    const own =
      labels === undefined ? new Int32Array(to - from).fill(-1) : part(labels, { from, to, what: 'label' })
    checkCodes(own, { count: shape.labels, least: -1, from, place, what: 'label' })
    feeds.labels = whole(own)
  }
  if (wanted.has('continuous')) {
    const width = shape.continuous
    const numbers = part(continuous, { from: from * width, to: to * width, what: 'continuous covariates' })
    const bad = numbers.findIndex((value) => !Number.isFinite(value))
    if (bad >= 0) throw noNumber(`${place}, cell ${from + Math.floor(bad / width)}`)
    feeds.continuous = float32(numbers, [to - from, width])
  }
  return feeds
}

function part<Data extends Int32Array | Float32Array>(
  all: Data | undefined,
  { from, to, what }: { from: number; to: number; what: string },
): Data {
  if (all === undefined || all.length < to) throw new Error(`${what} of cells up to ${to} are not given`)
  return all.subarray(from, to) as Data
}

function checkCodes(
  codes: Int32Array,
  {
    count,
    least = 0,
    from,
    place,
    what,
  }: { count: number; least?: number; from: number; place: string; what: string },
): void {
  const bad = codes.findIndex((code) => !(code >= least && code < count))
  if (bad >= 0)
    throw new BadInput(
      'MODEL_CATEGORY',
      `${place}, cell ${from + bad}`,
      `its ${what} is none of the ${count} that the model knows`,
      'Extend the model to it by surgery, or name a batch that the model knows',
    )
}

function noNumber(place: string): BadInput {
  return new BadInput(
    'MODEL_COVARIATE',
    place,
    'a continuous covariate is no number',
    'Fill or leave out the cells that lack it',
  )
}

function noCount(place: string, { cell, value }: { cell: number; value: number }): BadInput {
  return new BadInput(
    'COUNTS_NEEDED',
    `${place}, cell ${cell}`,
    `${value} is no count`,
    'Give the layer of raw counts',
  )
}

function whole(data: Int32Array): Tensor {
  return { type: 'int32', shape: [data.length], data }
}
