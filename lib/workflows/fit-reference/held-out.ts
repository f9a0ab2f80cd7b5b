/** How right a model is in cells that it did not learn from: their labels where they have one, and how well it explains their counts. */
import { type Confusion, confusionOf } from '../../labels/confusion.ts'
import type { Split } from '../../models/minibatches.ts'
import { scviInference } from '../../models/scvi-inference.ts'
import { predictedLabels, type ScviModel } from '../../models/scvi-model.ts'
import type { TrainingCells } from '../../models/training-cells.ts'
import { detectedIn, type Explained, type MeanExplained, meansExplained } from '../parts/explained-cells.ts'
import { rowsAtOnce, trainingPart } from './training-part.ts'

export interface HeldOut {
  /** validation cells; 0 where all were trained on */
  cells: number
  /** per cell in nats, at the mean of the posterior, whole divergence: lower is better; null without validation cells */
  elbo: number | null
  reconstruction: number | null
  /** the same of the cells of each batch; null where none of a batch is held out */
  byBatch: (MeanExplained | null)[]
  /** of validation cells with a label; null where none is predicted or known */
  labels: Confusion | null
}

export async function heldOutResults(
  model: ScviModel,
  { data, split, signal }: { data: TrainingCells; split: Split; signal: AbortSignal },
): Promise<HeldOut> {
  const { validation } = split
  const nothing: HeldOut = { cells: 0, elbo: null, reconstruction: null, byBatch: [], labels: null }
  if (validation.length === 0) return nothing
  const inference = scviInference(model, { place: 'validation cells', notices: [] })
  const classes = model.kind === 'scanvi' ? model.shape.classes : 0
  const calls = new Int32Array(validation.length)
  const explained: Explained = {
    reconstruction: new Float32Array(validation.length),
    divergence: new Float32Array(validation.length),
    genes: new Int32Array(validation.length),
  }
  try {
    for (let from = 0; from < validation.length; from += rowsAtOnce) {
      signal.throwIfAborted()
      const rows = validation.subarray(from, from + rowsAtOnce)
      const { slab, covariates } = trainingPart(data, rows)
      const { logits } = await inference.posterior(slab, covariates)
      const losses = await inference.losses(slab, covariates)
      explained.reconstruction.set(losses.reconstruction, from)
      explained.divergence.set(losses.divergence, from)
      explained.genes.set(detectedIn(slab), from)
      if (logits === null) continue
      for (const [i] of rows.entries())
        calls[from + i] = largest(logits.subarray(i * classes, (i + 1) * classes))
    }
  } finally {
    await inference.close()
  }
  const { labels } = data
  const truth = labels === null ? null : validation.map((cell) => labels[cell]!)
  const [all] = meansExplained(explained, { groups: 1, groupOf: () => 0 })
  const batches = data.categories[0]!
  return {
    cells: validation.length,
    elbo: all?.elbo ?? null,
    reconstruction: all?.reconstruction ?? null,
    byBatch: meansExplained(explained, {
      groups: model.shape.categories[0],
      groupOf: (cell) => batches[validation[cell]!]!,
    }),
    labels:
      truth === null || model.kind !== 'scanvi'
        ? null
        : confusionOf(truth, { called: calls, names: predictedLabels(model) }),
  }
}

function largest(values: Float32Array): number {
  return values.reduce((best, value, at) => (value > values[best]! ? at : best), 0)
}
