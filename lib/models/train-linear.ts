/**
 * A linear model from labelled cells, as CellTypist's `train` with its defaults: genes that are silent are dropped, the others are
 * standardised over all cells and clipped above 10, then one logistic regression a label. No chance in it: the same cells give the same model.
 */
import { BadInput } from '../job/errors.ts'
import { type LinearModel, type ModelFacts, makeLinearModel, weightRows } from './linear-model.ts'
import { fitLogistic } from './logistic.ts'
import { standardise, type TrainingRows } from './standardised-cells.ts'

export interface TrainingOptions {
  /** number of each cell's label in `labels` */
  codes: Int32Array
  /** in the order that the model will have: sorted, as in scikit-learn */
  labels: readonly string[]
  genes: readonly string[]
  /** weight of the cells against the penalty: 1 unless told */
  strength?: number
  /** what the card says besides */
  facts: Pick<
    ModelFacts,
    'name' | 'version' | 'organism' | 'geneIds' | 'ontology' | 'licence' | 'source' | 'details' | 'created'
  >
  onProgress?: (done: number, total: number) => void
  signal?: AbortSignal
}

const clip = 10

/** @throws BadInput TRAINING_LABELS with fewer than two labels that have cells */
export async function trainLinear(cells: TrainingRows, options: TrainingOptions): Promise<LinearModel> {
  const { codes, labels, genes, strength = 1, facts, onProgress, signal } = options
  if (codes.length !== cells.rows) throw new RangeError(`${codes.length} labels for ${cells.rows} cells`)
  checkLabels(codes, labels, facts.name)
  const { rows, kept } = withoutSilentGenes(cells)
  const standard = standardise(rows, { clip })
  const heads = weightRows(labels.length)
  const weights = new Float64Array(heads * kept.length)
  const intercept = new Float64Array(heads)
  let objective = 0
  for (let head = 0; head < heads; head++) {
    // of two labels the second is the positive one
    const positive = heads === 1 ? 1 : head
    const signs = Int8Array.from(codes, (code) => (code === positive ? 1 : -1))
    const fit = await fitLogistic(standard, signs, {
      strength,
      onStep: async () => {
        await new Promise(setImmediate)
        signal?.throwIfAborted()
      },
    })
    weights.set(fit.weights, head * kept.length)
    intercept[head] = fit.intercept
    objective += fit.objective
    onProgress?.(head + 1, heads)
  }
  return makeLinearModel(
    {
      ...facts,
      genes: Array.from(kept, (gene) => genes[gene]!),
      labels: [...labels],
      labelsSource: 'training cells',
      loss: 'ovr',
      clip,
      centred: true,
      classifiers: ['default'],
      url: '',
      trained: {
        how: 'one-vs-rest logistic regression, Newton with conjugate gradients',
        estimator: 'LogisticRegression',
        date: facts.created,
        cells: cells.rows,
        parameters: { C: strength, penalty: 'l2' },
      },
      metrics: { objective },
    },
    { weights, intercept, mean: standard.mean, scale: standard.scale },
  )
}

function checkLabels(codes: Int32Array, labels: readonly string[], place: string): void {
  const used = new Set(codes)
  if (labels.length < 2 || used.size < labels.length) {
    const problem = `${used.size} of ${labels.length} labels have cells; a model tells at least two apart`
    throw new BadInput(
      'TRAINING_LABELS',
      place,
      problem,
      'Give cells of at least two types, and no label without cells',
    )
  }
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
