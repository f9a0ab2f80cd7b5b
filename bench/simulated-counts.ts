/** Cells with a tenth of their counts above zero, drawn: for benchmarks of steps, which take as long whatever the counts say. */
import { random } from '../lib/job/random.ts'
import { sumsOf, type TrainingCells } from '../lib/models/training-cells.ts'

const share = 0.1

export function simulatedCounts(
  { cells, genes, classes }: { cells: number; genes: number; classes: number },
  seed: number,
): TrainingCells {
  const draw = random(seed)
  const most = Math.ceil(cells * genes * share + 6 * Math.sqrt(cells * genes * share))
  const [indptr, indices, counts] = [
    new Float64Array(cells + 1),
    new Int32Array(most),
    new Float32Array(most),
  ]
  let stored = 0
  for (let cell = 0; cell < cells; cell++) {
    for (let gene = 0; gene < genes; gene++) {
      if (draw.uniform() > share) continue
      indices[stored] = gene
      counts[stored++] = 1 + Math.floor(-3 * Math.log(1 - draw.uniform()))
    }
    indptr[cell + 1] = stored
  }
  const codes = (of: number) => Int32Array.from({ length: cells }, () => Math.floor(draw.uniform() * of))
  const entries = { indices: indices.subarray(0, stored), counts: counts.subarray(0, stored) }
  return {
    ...{ cells, genes, indptr, ...entries },
    library: sumsOf({ cells, indptr, counts: entries.counts }),
    categories: [codes(2)],
    continuous: null,
    labels: codes(classes),
  }
}
