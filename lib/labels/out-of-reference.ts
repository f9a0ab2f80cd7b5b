/**
 * Is a cell like anything the model was trained on? Each cell gets the share of held-out reference cells that are at least as unlike the
 * label they were called as it is: a tail probability, so a threshold of 0.01 costs one reference cell in a hundred, whatever the number of
 * labels. Our own: CellTypist and SpatialCore have nothing of the kind, their cells of unseen types pass in half of the cases.
 *
 * Unlikeness is the sum of two standardised logarithms: distance to the called label, and that distance over the distance to the label
 * that is farthest (a shift of the whole query moves both alike). Trap: a query of other chemistry is farther as a whole, so more of its
 * known cells are flagged than the threshold says. Recentring the query would hide exactly the cells this is for, so it is not done.
 */
import type { ErrorReport } from '../job/errors.ts'
import { random } from '../job/random.ts'
import { type LabelScale, labelScale, standing } from './label-scale.ts'
import type { SparseCells, Standard } from './lifted-rows.ts'
import { fitReferenceSpace, type ReferenceSpace, referenceDistances } from './reference-space.ts'
import { type TailOfValues, tailOfValues, tailProbability } from './tail-probability.ts'

/** Tail probabilities below it count as out of reference. */
export const outOfReferenceThreshold = 0.01

export interface OutOfReference {
  space: ReferenceSpace
  /** of the logarithm of the distance, and of the ratio, by called label */
  distance: LabelScale
  ratio: LabelScale
  /** of the unlikeness of held-out cells */
  tail: TailOfValues
}

export interface OutOfReferenceOptions {
  /** number of each cell's label */
  codes: Int32Array
  labels: number
  standard: Standard
  /** as `heldOutFolds` makes them; -1 is never held out */
  folds: Int32Array
  /** the label each held-out cell was called by the model of its round; not read for others */
  called: Int32Array
  seed: number
  /** 64, or a thirtieth of the cells where that is fewer (5 at least), unless told */
  directions?: number
  /** cells beyond this many are left out, the same share of each label: 10 000 */
  mostCells?: number
  /** what the notice is about */
  threshold?: number
  signal?: AbortSignal
}

/** @returns undefined, and a notice, where so few cells can be held out that no tail reaches the threshold */
export async function fitOutOfReference(
  cells: SparseCells,
  options: OutOfReferenceOptions,
): Promise<{ reference: OutOfReference | undefined; notices: ErrorReport[] }> {
  const { codes, labels, standard, folds, called, seed, threshold = outOfReferenceThreshold } = options
  if ([codes, folds, called].some((values) => values.length !== cells.rows))
    throw new RangeError(
      `${codes.length} labels, ${folds.length} folds, ${called.length} calls for ${cells.rows} cells`,
    )
  const chosen = sample(codes, { labels, most: options.mostCells ?? 10_000, seed })
  const held = chosen.filter((cell) => folds[cell]! >= 0 && called[cell]! >= 0)
  if (labels < 2 || 1 / (held.length + 1) >= threshold)
    return { reference: undefined, notices: [tooFew(held.length, threshold)] }
  const directions = options.directions ?? Math.min(64, Math.max(5, Math.floor(chosen.length / 30)))
  const features = await heldOutUnlikeness(cells, { ...options, chosen, held, directions })
  const calls = held.map((cell) => called[cell]!)
  const distance = labelScale(features.distance, { codes: calls, labels })
  const ratio = labelScale(features.ratio, { codes: calls, labels })
  const tail = tailOfValues(
    Float64Array.from(calls, (call, at) => total(features, { distance, ratio, call, at })),
  )
  const space = fitReferenceSpace(cells, { codes, labels, standard, seed, directions, use: chosen })
  return { reference: { space, distance, ratio, tail }, notices: [] }
}

/** Of each held-out cell, in their order, by the chosen cells of the other rounds. */
async function heldOutUnlikeness(
  cells: SparseCells,
  options: OutOfReferenceOptions & { chosen: Int32Array; held: Int32Array; directions: number },
): Promise<Unlikeness> {
  const { codes, labels, standard, folds, called, seed, directions, chosen, held, signal } = options
  const all: Unlikeness = { distance: new Float64Array(held.length), ratio: new Float64Array(held.length) }
  for (const fold of new Set(held.map((cell) => folds[cell]!).sort())) {
    const use = chosen.filter((cell) => folds[cell] !== fold)
    const places = Int32Array.from([...held.keys()].filter((at) => folds[held[at]!] === fold))
    const rows = places.map((at) => held[at]!)
    const space = fitReferenceSpace(cells, { codes, labels, standard, seed, directions, use })
    const own = unlikeness(referenceDistances(cells, { space, standard, rows }), {
      labels,
      called: rows.map((cell) => called[cell]!),
    })
    places.forEach((at, row) => {
      all.distance[at] = own.distance[row]!
      all.ratio[at] = own.ratio[row]!
    })
    // each round takes seconds with many cells: whoever waits can stop it here
    await new Promise(setImmediate)
    signal?.throwIfAborted()
  }
  return all
}

/**
 * float64, one a row, in (0, 1]: the share of held-out reference cells at least as unlike their label. NaN where a value is NaN or the
 * call is -1. Rows are independent: slabs give what the whole gives.
 * @param options.called the label each cell was called
 */
export function outOfReferenceTails(
  cells: SparseCells,
  { reference, standard, called }: { reference: OutOfReference; standard: Standard; called: Int32Array },
): Float64Array {
  const { space, distance, ratio, tail } = reference
  if (called.length !== cells.rows) throw new RangeError(`${called.length} calls for ${cells.rows} cells`)
  const features = unlikeness(referenceDistances(cells, { space, standard }), {
    labels: space.labels,
    called,
  })
  return Float64Array.from(called, (call, at) => {
    return call < 0 ? Number.NaN : tailProbability(total(features, { distance, ratio, call, at }), tail)
  })
}

/**
 * The probability, for `calibratedProbabilities`, that a cell is of the reference at all: 1 from the threshold up, below it in proportion.
 * Reference cells hardly notice (at 0.01 one in a hundred does); a cell unlike all others is left with next to nothing.
 */
export function withinReference(
  tails: Float64Array,
  threshold: number = outOfReferenceThreshold,
): Float64Array {
  return tails.map((tail) => (threshold <= 0 ? 1 : Math.min(1, tail / threshold)))
}

/** A notice where far more cells are flagged than the threshold explains: then it is the query that differs, not single cells. */
export function manyOutOfReferenceNotice(
  tails: Float64Array,
  threshold: number = outOfReferenceThreshold,
): ErrorReport | undefined {
  let flagged = 0
  for (const tail of tails) if (tail < threshold) flagged++
  if (tails.length === 0 || flagged / tails.length <= 0.25) return undefined
  return {
    code: 'QUERY_UNLIKE_REFERENCE',
    place: 'query',
    problem: `${flagged} of ${tails.length} cells (${Math.round((100 * flagged) / tails.length)} %) are unlike every reference label`,
    remedy:
      'Either much of the query is of types that the reference lacks, or the whole query differs in depth or chemistry: add a reference that is nearer to it, or reference counts thinned to its depth',
  }
}

interface Unlikeness {
  distance: Float64Array
  ratio: Float64Array
}

/** Logarithms of the distance to the called label, and of that over the farthest label's. */
function unlikeness(
  distances: Float64Array,
  { labels, called }: { labels: number; called: Int32Array },
): Unlikeness {
  const distance = new Float64Array(called.length)
  const ratio = new Float64Array(called.length)
  called.forEach((call, at) => {
    let farthest = 0
    for (let k = 0; k < labels; k++) {
      const value = distances[at * labels + k]!
      if (value !== Number.POSITIVE_INFINITY) farthest = Math.max(farthest, value)
    }
    const own = Math.max(distances[at * labels + Math.max(0, call)]!, Number.MIN_VALUE)
    distance[at] = Math.log(own)
    ratio[at] = Math.log(own) - Math.log(Math.max(farthest, Number.MIN_VALUE))
  })
  return { distance, ratio }
}

function total(
  features: Unlikeness,
  { distance, ratio, call, at }: { distance: LabelScale; ratio: LabelScale; call: number; at: number },
): number {
  return (
    standing(features.distance[at]!, { scale: distance, call }) +
    standing(features.ratio[at]!, { scale: ratio, call })
  )
}

/** Cells with a label, at most so many, the same share of each label but never fewer than 100 of it that are there. */
function sample(
  codes: Int32Array,
  { labels, most, seed }: { labels: number; most: number; seed: number },
): Int32Array {
  const cells = Int32Array.from([...codes.keys()].filter((cell) => codes[cell]! >= 0))
  if (cells.length <= most) return cells
  const chance = random(seed).fork('out of reference')
  const share = most / cells.length
  const kept: number[] = []
  for (let label = 0; label < labels; label++) {
    const own = [...cells].filter((cell) => codes[cell] === label)
    const wanted = Math.min(own.length, Math.max(100, Math.round(own.length * share)))
    kept.push(...chance.shuffle(own).slice(0, wanted))
  }
  return Int32Array.from(kept).sort()
}

function tooFew(cells: number, threshold: number): ErrorReport {
  return {
    code: 'OUT_OF_REFERENCE_NOT_ASSESSED',
    place: 'reference',
    problem: `${cells} reference cells could be held out; a tail of ${threshold} takes more than ${Math.ceil(1 / threshold) - 1}`,
    remedy: 'Give more reference cells; until then no cell is told to be out of reference',
  }
}
