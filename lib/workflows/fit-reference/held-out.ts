/** How right a model is in cells that it did not learn from: their labels where they have one, and how well it explains their counts. */
import { type Confusion, confusionOf } from '../../labels/confusion.ts'
import type { Split } from '../../models/minibatches.ts'
import { scviInference } from '../../models/scvi-inference.ts'
import { predictedLabels, type ScviModel } from '../../models/scvi-model.ts'
import type { TrainingCells } from '../../models/training-cells.ts'
import { slabRows } from '../parts/count-shards.ts'

export interface HeldOut {
  /** validation cells; 0 where all were trained on */
  cells: number
  /** per cell in nats, at the mean of the posterior, whole divergence: lower is better; null without validation cells */
  elbo: number | null
  reconstruction: number | null
  /** of validation cells with a label; null where none is predicted or known */
  labels: Confusion | null
}

const rowsAtOnce = 4096

export async function heldOutResults(
  model: ScviModel,
  { data, split, signal }: { data: TrainingCells; split: Split; signal: AbortSignal },
): Promise<HeldOut> {
  const { validation } = split
  const nothing: HeldOut = { cells: 0, elbo: null, reconstruction: null, labels: null }
  if (validation.length === 0) return nothing
  const inference = scviInference(model, { place: 'validation cells', notices: [] })
  const classes = model.kind === 'scanvi' ? model.shape.classes : 0
  const calls = new Int32Array(validation.length)
  let [reconstruction, divergence] = [0, 0]
  try {
    for (let from = 0; from < validation.length; from += rowsAtOnce) {
      signal.throwIfAborted()
      const rows = validation.subarray(from, from + rowsAtOnce)
      const slab = slabRows(wholeSlab(data), rows)
      const covariates = covariatesOf(data, rows)
      const { logits } = await inference.posterior(slab, covariates)
      const losses = await inference.losses(slab, covariates)
      for (const [i] of rows.entries()) {
        reconstruction += losses.reconstruction[i]!
        divergence += losses.divergence[i]!
        if (logits !== null) calls[from + i] = largest(logits.subarray(i * classes, (i + 1) * classes))
      }
    }
  } finally {
    await inference.close()
  }
  const { labels } = data
  const truth = labels === null ? null : validation.map((cell) => labels[cell]!)
  return {
    cells: validation.length,
    elbo: (reconstruction + divergence) / validation.length,
    reconstruction: reconstruction / validation.length,
    labels:
      truth === null || model.kind !== 'scanvi'
        ? null
        : confusionOf(truth, { called: calls, names: predictedLabels(model) }),
  }
}

function wholeSlab({ cells, genes, indptr, indices, counts }: TrainingCells) {
  return { start: 0, rows: cells, columns: genes, indptr, indices, values: counts }
}

function covariatesOf({ cells, categories, continuous }: TrainingCells, rows: Int32Array) {
  const width = (continuous?.length ?? 0) / Math.max(1, cells)
  const numbers = new Float32Array(rows.length * width)
  for (const [i, cell] of rows.entries())
    if (continuous !== null) numbers.set(continuous.subarray(cell * width, (cell + 1) * width), i * width)
  return {
    categories: categories.map((codes) => rows.map((cell) => codes[cell]!)),
    ...(continuous !== null && { continuous: numbers }),
  }
}

function largest(values: Float32Array): number {
  return values.reduce((best, value, at) => (value > values[best]! ? at : best), 0)
}
