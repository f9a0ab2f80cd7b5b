/**
 * What is usual in each batch where library sizes are learned: mean and (biased) variance of the logarithm of its cells' sums of counts, as
 * scvi-tools 1.4 has them. A batch that surgery adds has those of its own cells; the others keep theirs, as there.
 *
 * Trap: the cells of a batch may all have the same sum, or be a single one. Then its variance is 0, and the original divides by it; here it is
 * the mean of the other batches' variances, which is told.
 */
import type { ErrorReport } from '../job/errors.ts'
import { priorMeans, priorVariances } from './scvi-encoder.ts'
import type { Weight } from './state-dict.ts'
import type { TrainingCells } from './training-cells.ts'

export interface WithPrior {
  weights: Map<string, Weight>
  /** codes of batches whose variance is that of the others */
  guessed: number[]
}

/** what the variance of a cell's own posterior cannot fall below either */
const leastVariance = 1e-4

/**
 * The weights, with the prior of these cells' batches; weights without one are as they were.
 * @param options.from first batch that takes it, those before keep theirs; 0 unless told
 */
export function withLibraryPrior(
  weights: ReadonlyMap<string, Weight>,
  { data, from = 0 }: { data: Pick<TrainingCells, 'library' | 'categories'>; from?: number },
): WithPrior {
  const [means, variances] = [weights.get(priorMeans), weights.get(priorVariances)]
  if (means === undefined || variances === undefined) return { weights: new Map(weights), guessed: [] }
  const own = momentsOf(data, means.data.length)
  const has = (batch: number) => batch >= from && own.cells[batch]! > 0
  const isSound = (batch: number) => own.variances[batch]! >= leastVariance
  const mean = means.data.map((before, batch) => (has(batch) ? own.means[batch]! : before))
  const variance = variances.data.map((before, batch) => (has(batch) ? own.variances[batch]! : before))
  const batches = Array.from(variance, (_, batch) => batch)
  const guessed = batches.filter((batch) => has(batch) && !isSound(batch))
  const others = batches.filter((batch) => batch < from || (has(batch) && isSound(batch)))
  const usual = others.reduce((sum, batch) => sum + variance[batch]!, 0) / others.length
  for (const batch of guessed) variance[batch] = others.length === 0 ? 1 : usual
  const { shape } = means
  const prior: [string, Weight][] = [
    [priorMeans, { shape, data: mean }],
    [priorVariances, { shape, data: variance }],
  ]
  return { weights: new Map([...weights, ...prior]), guessed }
}

/** Of the logarithms of sums of counts, by batch. */
function momentsOf(
  { library, categories: [batch] }: Pick<TrainingCells, 'library' | 'categories'>,
  batches: number,
) {
  const cells = new Float64Array(batches)
  const means = new Float64Array(batches)
  const squares = new Float64Array(batches)
  for (const [cell, code] of batch!.entries()) {
    const gap = Math.log(library[cell]!) - means[code]!
    cells[code]! += 1
    means[code]! += gap / cells[code]!
    squares[code]! += gap * (Math.log(library[cell]!) - means[code]!)
  }
  return { cells, means, variances: squares.map((sum, code) => (cells[code] === 0 ? 0 : sum / cells[code]!)) }
}

/** @param of.names of the batches whose variance is that of the others */
export function priorNotices({ names, place }: { names: readonly string[]; place: string }): ErrorReport[] {
  if (names.length === 0) return []
  const some = names.slice(0, 5).map((name) => `"${name}"`)
  return [
    {
      code: 'LIBRARY_PRIOR_GUESSED',
      place,
      problem: `${names.length} batches are of one cell, or of cells with the same sum of counts (${some.join(', ')}): how library sizes vary there is taken from the others`,
      remedy:
        'Join them to other batches, or take the sums of counts as they are (use_observed_lib_size: true)',
    },
  ]
}
