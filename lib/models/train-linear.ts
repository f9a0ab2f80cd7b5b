/**
 * A linear model from labelled cells, as CellTypist's `train` with its defaults: genes that are silent are dropped, the others are
 * standardised over all cells and clipped above 10, then one logistic regression a label, or one over all. No chance in it: the same cells give the same model.
 */
import { fitLinear, type LinearFitOptions } from './fit-linear.ts'
import { type LinearModel, type ModelFacts, makeLinearModel } from './linear-model.ts'
import type { TrainingRows } from './standardised-cells.ts'
import type { Loss } from './training-memory.ts'

export interface TrainingOptions
  extends Omit<LinearFitOptions, 'labels' | 'loss' | 'standard' | 'start' | 'place'> {
  /** number of each cell's label in `labels` */
  codes: Int32Array
  /** in the order that the model will have: sorted, as in scikit-learn */
  labels: readonly string[]
  genes: readonly string[]
  /** a sigmoid for each label, as CellTypist, unless told */
  loss?: Loss
  /** what the card says besides */
  facts: Pick<
    ModelFacts,
    'name' | 'version' | 'organism' | 'geneIds' | 'ontology' | 'licence' | 'source' | 'details' | 'created'
  >
}

const how: Record<Loss, string> = {
  ovr: 'one-vs-rest logistic regression, Newton with conjugate gradients',
  multinomial: 'multinomial logistic regression, Newton with conjugate gradients',
}

/** @throws BadInput as fitLinear does: TRAINING_LABELS with fewer than two labels that have cells, ... */
export async function trainLinear(cells: TrainingRows, options: TrainingOptions): Promise<LinearModel> {
  const {
    codes,
    labels,
    genes,
    loss = 'ovr',
    strength = 1,
    clip = 10,
    centre = true,
    facts,
    ...rest
  } = options
  const { rows, kept } = withoutSilentGenes(cells)
  const fit = await fitLinear(rows, {
    ...{ codes, labels: labels.length, loss, strength, clip, centre, place: facts.name },
    ...rest,
  })
  return makeLinearModel(
    {
      ...facts,
      genes: Array.from(kept, (gene) => genes[gene]!),
      labels: [...labels],
      labelsSource: 'training cells',
      loss,
      clip: clip === Number.POSITIVE_INFINITY ? null : clip,
      centred: centre,
      classifiers: ['default'],
      url: '',
      trained: {
        how: how[loss],
        estimator: 'LogisticRegression',
        date: facts.created,
        cells: cells.rows,
        parameters: { C: strength, penalty: 'l2' },
      },
      metrics: { objective: fit.objective },
    },
    { weights: fit.weights, intercept: fit.intercept, mean: fit.mean, scale: fit.scale },
  )
}

function withoutSilentGenes(cells: TrainingRows): { rows: TrainingRows; kept: Int32Array } {
  const seen = new Uint8Array(cells.columns)
  for (let i = 0; i < cells.indices.length; i++) if (cells.values[i] !== 0) seen[cells.indices[i]!] = 1
  const kept = Int32Array.from([...seen.keys()].filter((gene) => seen[gene] === 1))
  if (kept.length === cells.columns) return { rows: cells, kept }
  const place = new Int32Array(cells.columns).fill(-1)
  for (const [at, gene] of kept.entries()) place[gene] = at
  const indptr = new Float64Array(cells.rows + 1)
  const indices = new Int32Array(cells.indices.length)
  const values = new Float64Array(cells.indices.length)
  let at = 0
  for (let row = 0; row < cells.rows; row++) {
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      if (cells.values[i] === 0) continue
      indices[at] = place[cells.indices[i]!]!
      values[at++] = cells.values[i]!
    }
    indptr[row + 1] = at
  }
  return {
    rows: {
      rows: cells.rows,
      columns: kept.length,
      indptr,
      indices: indices.subarray(0, at),
      values: values.subarray(0, at),
    },
    kept,
  }
}
