/** How sure a cell is of its class: calibrated probability and likeness to the reference, or one of SpatialCore's measures. */
import { loadOntology } from '../../knowledge/ontology.ts'
import { broadenCalls, type Covers, coversMatrix, probabilityOfCall } from '../../labels/broader-labels.ts'
import { calibratedProbabilities } from '../../labels/calibration.ts'
import { transformConfidence, zscoreCeilingNotice } from '../../labels/confidence-transforms.ts'
import { outOfReferenceTails, withinReference } from '../../labels/out-of-reference.ts'
import { unpackOutOfReference } from '../../labels/out-of-reference-array.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import { columnsOf } from '../../models/gene-columns.ts'
import type { LinearModel } from '../../models/linear-model.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import type { CellClass } from './classes.ts'
import type { TypeCellsContext } from './context.ts'
import type { Prepared } from './prepare.ts'
import type { QueryRows } from './query-rows.ts'

/** For each cell how many reference cells are as unlike their own class; null where that is not asked, or cannot be known. */
export function tailsOf(of: {
  model: LinearModel
  rows: QueryRows | null
  prepared: Prepared
  called: Int32Array
  settings: TypeCellsContext['road']['settings']
}): Float64Array | null {
  const { model, rows, prepared, called, settings } = of
  const { card, reference, mean, scale } = model
  if (!settings.out_of_reference || rows === null) return null
  if (reference === undefined || card.reference === undefined) return null
  const size = { labels: card.labels.length, genes: card.genes.length, ...card.reference }
  const place = new Map(prepared.modelGenes.map((gene, at) => [gene, at]))
  const wanted = Int32Array.from(card.genes, (gene) => place.get(gene)!)
  const cells = wanted.length === rows.columns ? rows : overGenes(rows, wanted)
  return outOfReferenceTails(cells, {
    reference: unpackOutOfReference(reference, size),
    standard: { mean, scale },
    called,
  })
}

function overGenes(rows: QueryRows, genes: Int32Array) {
  const cells = columnsOf(rows, genes)
  return { ...cells, values: rescaleRows(cells) }
}

/** Of the class that each cell is called, or of the broader one that it is sure of. */
export async function confidenceOf(
  context: TypeCellsContext,
  of: {
    scores: Float32Array
    model: LinearModel
    predicted: Int32Array
    tails: Float64Array | null
    threshold: number
    classes: readonly CellClass[]
  },
) {
  const { scores, model, predicted, tails, threshold, classes } = of
  const { settings } = context.road
  const { loss, calibration } = model.card
  const labels = classes.length
  const plain = probabilitiesOf(scores, { labels, loss })
  const raw = probabilityOfCall(plain, { labels, codes: predicted })
  const scaled = {
    kind: 'temperature' as const,
    labels,
    loss,
    measured: null,
    status: 'not-assessed' as const,
    cells: 0,
    fewestCells: 0,
    scale: 1,
    ...calibration,
  }
  const within = tails === null ? undefined : withinReference(tails, threshold)
  const probabilities = calibratedProbabilities(scores, {
    calibration: { ...scaled, labels, loss, measured: null },
    within,
  })
  const method = settings.confidence_transform
  if (method !== 'calibrated') {
    const notice =
      method === 'zscore'
        ? zscoreCeilingNotice({ labels, threshold: settings.confidence_threshold })
        : undefined
    const confidence = method === 'raw' ? raw : transformConfidence(scores, { labels, method })
    return {
      codes: predicted,
      confidence,
      raw,
      probabilities,
      broadened: undefined,
      notices: notice === undefined ? [] : [notice],
    }
  }
  const covers = await coversOf(classes)
  const options = { labels, codes: predicted, covers }
  const called = settings.broaden_labels
    ? broadenCalls(probabilities, { ...options, threshold: settings.confidence_threshold })
    : { codes: predicted, confidence: probabilityOfCall(probabilities, options), broadened: undefined }
  return { ...called, raw, probabilities, notices: [] }
}

/** Which class is broader than which, by the Cell Ontology. */
async function coversOf(classes: readonly CellClass[]): Promise<Covers> {
  const { ancestors } = await loadOntology()
  const above = classes.map(({ id }) => (id === null ? new Set<string>() : ancestors(id)))
  return coversMatrix(classes.length, (broad, narrow) => {
    const { id } = classes[broad]!
    return id !== null && above[narrow]!.has(id)
  })
}
