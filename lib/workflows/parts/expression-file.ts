/**
 * normalized_expression.h5ad: cells x genes as the model's decoder has them, dense float32, from the blocks that the shards left. Written row by row; the
 * matrix is never whole in memory. Names of cells are those of the other result, so that the two go together.
 */
import type { Table } from '../../data/cells.ts'
import { writeH5ad } from '../../data/write-h5ad.ts'
import { product } from '../../job/product.ts'
import type { ExpressionSettings } from '../../job/settings/expression.ts'
import { expressionNames } from '../../job/stored-names.ts'
import type { StepContext } from '../workflow.ts'
import { expressionSlabs } from './expression-blocks.ts'
import type { ExpressionPlan } from './expression-plan.ts'
import { onceByFile } from './results.ts'

export interface ExpressionFile {
  plan: ExpressionPlan
  /** of the shards: those that are not written included */
  allCells: number
  /** names of the cells that are written */
  index: readonly string[]
  /** that computed it */
  model: { id: string; name: string; genes: readonly string[]; bins: number }
  settings: ExpressionSettings & { seed: number }
}

/** @returns what the result lists */
export async function writeExpression(
  context: StepContext,
  file: ExpressionFile | null,
): Promise<Record<string, string>> {
  if (file === null) return {}
  const { plan, model, index } = file
  const genes = plan.genes === null ? model.genes : plan.genes.map((gene) => model.genes[gene]!)
  await onceByFile(context, expressionNames.file, (path) =>
    writeH5ad(path, {
      obs: namesAlone(index),
      var: namesAlone(genes),
      x: {
        ...{ rows: plan.cells, columns: plan.width, type: 'float32', layout: 'dense' },
        stored: plan.cells * plan.width,
        slabs: () => expressionSlabs(context, file),
      },
      uns: { [expressionNames.uns]: provenance(context, file) },
    }),
  )
  return { [expressionNames.output]: expressionNames.file }
}

function namesAlone(names: readonly string[]): Table {
  return { rows: names.length, indexName: '_index', index: [...names], columns: new Map() }
}

function provenance({ job }: StepContext, { plan, model, settings }: ExpressionFile) {
  const { library_size = 1, n_samples = 1, seed } = settings
  return {
    model_id: model.id,
    model_name: model.name,
    transform_batch: plan.batches ?? 'own',
    library_size,
    n_samples,
    ...(n_samples > 1 && { seed }),
    // of a model that learnt from bins, shares are shares of bins
    bins: model.bins,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}
