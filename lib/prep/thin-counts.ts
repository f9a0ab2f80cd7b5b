/**
 * Counts as a shallower run would have had them: each molecule is kept with the same probability. A reference that is deeper than the query
 * is learnt from at the query's depth, because a model of deep cells takes what shallow cells lack for a sign of their type.
 *
 * Each row has draws of its own, by its number: slabs of any size give the same. Counts above 64 are drawn from the normal distribution that
 * comes next to the binomial one.
 */
import type { Matrix, RowSlab } from '../data/cells.ts'
import { type Random, random } from '../job/random.ts'

/** counts up to here are drawn molecule by molecule */
const small = 64

/** @param options.share of the molecules that stay, above 0; 1 and more keep all. Counts that are no whole numbers are rounded down, zeros left out. */
export function thinCounts(matrix: Matrix, { share, seed }: { share: number; seed: number }): Matrix {
  if (!(share > 0)) throw new RangeError(`a share of ${share}`)
  if (share >= 1) return matrix
  return {
    ...matrix,
    async *slabs(options) {
      for await (const slab of matrix.slabs(options)) yield thinned(slab, { share, seed })
    },
  }
}

function thinned(slab: RowSlab, { share, seed }: { share: number; seed: number }): RowSlab {
  const { start, rows, indptr, indices, values } = slab
  const chance = random(seed)
  const kept = {
    indptr: new Int32Array(rows + 1),
    indices: new Int32Array(values.length),
    values: new Float32Array(values.length),
  }
  let at = 0
  for (let row = 0; row < rows; row++) {
    const own = chance.fork(`row ${start + row}`)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
      const stays = draw(Math.floor(values[i]!), { share, own })
      if (stays === 0) continue
      kept.indices[at] = indices[i]!
      kept.values[at++] = stays
    }
    kept.indptr[row + 1] = at
  }
  return {
    ...slab,
    indptr: kept.indptr,
    indices: kept.indices.subarray(0, at),
    values: kept.values.subarray(0, at),
  }
}

function draw(count: number, { share, own }: { share: number; own: Random }): number {
  if (count > small) {
    const spread = Math.sqrt(count * share * (1 - share))
    return Math.min(count, Math.max(0, Math.round(count * share + spread * own.normal())))
  }
  let stays = 0
  for (let molecule = 0; molecule < count; molecule++) if (own.uniform() < share) stays++
  return stays
}
