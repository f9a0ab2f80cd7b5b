/**
 * Label of `type-cells`: the class of highest score (or that of the cell's cluster), how likely it is to be right, and what is left of it
 * below the threshold and for cells unlike all that was learnt from; then the query's own map, and the checks against markers.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { loadOntology } from '../../knowledge/ontology.ts'
import { broadenCalls, type Covers, coversMatrix, probabilityOfCall } from '../../labels/broader-labels.ts'
import { calibratedProbabilities } from '../../labels/calibration.ts'
import { transformConfidence, zscoreCeilingNotice } from '../../labels/confidence-transforms.ts'
import { heterogeneous, majorityVote } from '../../labels/majority-vote.ts'
import { filterByMarkers, verdicts as markerVerdicts } from '../../labels/marker-filter.ts'
import { bestMatch, unassigned } from '../../labels/match.ts'
import {
  manyOutOfReferenceNotice,
  outOfReferenceTails,
  outOfReferenceThreshold,
  withinReference,
} from '../../labels/out-of-reference.ts'
import { unpackOutOfReference } from '../../labels/out-of-reference-array.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import { assignLabels, lowCount, reasons } from '../../labels/thresholds.ts'
import { loadModel } from '../../models/bundle.ts'
import { columnsOf } from '../../models/gene-columns.ts'
import type { LinearModel } from '../../models/linear-model.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import type { Coded } from '../parts/coded.ts'
import { mapCells } from '../parts/map-cells.ts'
import { readScores } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import type { CellClass } from './classes.ts'
import type { TypeCellsContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Prepared } from './prepare.ts'
import { queryRows } from './query-rows.ts'
import { markersFor, validate } from './validate.ts'

/** What Label found out, besides its blocks. */
export interface Labelled {
  /** classes of the model, in the order of the columns of the scores; what block `by-cell` counts */
  classes: string[]
  /** what blocks `predicted` and `labels` count */
  labels: string[]
  /** what block `reasons` counts */
  reasons: string[]
  /** of SpatialCore's names, or 'calibrated' */
  confidence: string
  /** cells unlike the reference are told from others; null where they are not */
  outOfReferenceThreshold: number | null
  hasGraph: boolean
}

type Rows = Awaited<ReturnType<typeof queryRows>>

export async function label(context: TypeCellsContext): Promise<StepResult> {
  const { road, step, stores } = context
  const { settings } = road
  const prepared = (await context.before('Prepare').finished()).value as Prepared
  const fitted = (await context.before('Fit').finished()).value as Fitted
  const model = await loadModel(stores.models, fitted.model)
  const classes = model.card.labels
  const scores = await readScores(context, { cells: prepared.cells, classes: classes.length })
  const isChecked = settings.generate_plots || settings.filter_by_markers
  const rows =
    isChecked || settings.out_of_reference
      ? await queryRows(context, { cells: prepared.cells, genes: prepared.modelGenes.length })
      : null
  const notices: ErrorReport[] = []
  const own = bestMatch(scores, classes.length)
  const vote = await voteOf(context, { own, prepared, classes })
  const predicted = vote?.cells ?? own
  const tails = tailsOf({ model, rows, prepared, called: own, settings })
  const threshold = settings.out_of_reference_threshold ?? outOfReferenceThreshold
  if (tails !== null)
    notices.push(...[manyOutOfReferenceNotice(tails, threshold)].filter((one) => one !== undefined))
  const sure = await confidenceOf(context, {
    scores,
    model,
    predicted,
    tails,
    threshold,
    classes: prepared.classes,
  })
  notices.push(...sure.notices)
  const assigned = assignLabels(
    { codes: sure.codes, labels: classes, confidence: sure.confidence },
    {
      threshold: settings.confidence_threshold,
      ...(tails !== null && { outOfReference: { tails, threshold } }),
      minCells: settings.min_cells_per_predicted_type,
      broadened: sure.broadened,
    },
  )
  const categories = [...classes, unassigned, lowCount, heterogeneous]
  const codeOf = new Map(categories.map((name, code) => [name, code]))
  const final = Int32Array.from(
    assigned.names,
    (name, cell) => codeOf.get(predicted[cell]! < 0 ? heterogeneous : name)!,
  )
  const shown: Coded = {
    codes: predicted.map((code) => (code < 0 ? codeOf.get(heterogeneous)! : code)),
    categories,
  }
  const cellReasons = Int32Array.from(assigned.reasonCodes, (code, cell) =>
    predicted[cell]! < 0 ? reasons.length : code,
  )
  if (rows !== null && isChecked) {
    context.progress(0, 2, 'checks', 'markers and genes of the types')
    const cells = {
      expression: rows,
      genes: prepared.modelGenes,
      predicted: shown,
      confidence: sure.confidence,
      classes: prepared.classes,
    }
    if (settings.generate_plots) {
      const checked = await validate(context, cells)
      notices.push(...checked.notices)
      await step.write('validation.json', new TextEncoder().encode(JSON.stringify(checked.validation)))
      await step.writeBlock('marker-verdicts', checked.verdicts)
      await step.writeBlock('marker-scores', checked.scores)
    }
    if (settings.filter_by_markers)
      notices.push(
        ...(await markerFilter(context, {
          cells,
          final,
          cellReasons,
          unassignedCode: codeOf.get(unassigned)!,
        })),
      )
  }
  await step.writeBlock('predicted', shown.codes)
  const called = sure.codes.map((code) => (code < 0 ? codeOf.get(heterogeneous)! : code))
  await step.writeBlock('called', called)
  await step.writeBlock('labels', final)
  await step.writeBlock('reasons', cellReasons)
  await step.writeBlock('confidence', sure.confidence)
  await step.writeBlock('confidence-raw', sure.raw)
  if (tails !== null)
    await step.writeBlock(
      'out-of-reference',
      Float32Array.from(tails, (tail) => 1 - tail),
    )
  if (vote !== null) {
    await step.writeBlock('by-cell', own)
    await step.writeBlock('majority-share', Float32Array.from(vote.cellShares))
  }
  if (settings.write_probabilities)
    await step.writeBlock('probabilities', Float32Array.from(sure.probabilities))
  const map = await mapCells(context, { prepared, scores, classes: classes.length, clusters: null, notices })
  if (map.layout !== null) await step.writeBlock('umap', map.layout)
  const hasGraph = settings.write_neighbours && map.neighbours !== null
  if (hasGraph) {
    await step.writeBlock('neighbour-indices', map.neighbours!.indices)
    await step.writeBlock('neighbour-distances', map.neighbours!.distances)
  }
  const value: Labelled = {
    classes,
    labels: categories,
    reasons: [...reasons, 'heterogeneous', 'markers'],
    confidence: settings.confidence_transform,
    outOfReferenceThreshold: tails === null ? null : threshold,
    hasGraph,
  }
  return { value, notices }
}

/** The user's clusters vote; a cluster without a clear majority has no class. */
async function voteOf(
  context: TypeCellsContext,
  of: { own: Int32Array; prepared: Prepared; classes: readonly string[] },
) {
  const { own, prepared, classes } = of
  if (prepared.givenClusters === null) return null
  const clusters = await context.before('Prepare').readBlock('given-clusters', Int32Array)
  const minShare = context.road.settings.min_proportion
  return majorityVote(own, { clusters, labels: classes, minShare })
}

/** For each cell how many reference cells are as unlike their own class; null where that is not asked, or cannot be known. */
function tailsOf(of: {
  model: LinearModel
  rows: Rows | null
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

function overGenes(rows: Rows, genes: Int32Array) {
  const cells = columnsOf(rows, genes)
  return { ...cells, values: rescaleRows(cells) }
}

async function confidenceOf(
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

/** SpatialCore's filter_by_marker_validation: a cell keeps its type when its markers speak for it. Changes labels and reasons in place. */
async function markerFilter(
  context: TypeCellsContext,
  of: {
    cells: Parameters<typeof validate>[1]
    final: Int32Array
    cellReasons: Int32Array
    unassignedCode: number
  },
): Promise<ErrorReport[]> {
  const { cells, final, cellReasons, unassignedCode } = of
  const { settings } = context.road
  const markers = await markersFor(context, cells.classes)
  const filtered = filterByMarkers(
    {
      expression: cells.expression,
      genes: [...cells.genes],
      codes: cells.predicted.codes,
      labels: cells.predicted.categories,
    },
    {
      place: `obs/${settings.annotation_prefix}_predicted`,
      markers: new Map([...markers].map(([name, { genes }]) => [name, genes])),
      confidence: cells.confidence,
      confidenceThreshold: settings.confidence_threshold,
      leastCells: settings.min_cells_per_plot,
      seed: settings.seed,
      policy: settings.compat === 'spatialcore' ? 'spatialcore' : 'strict',
    },
  )
  for (const [cell, verdict] of filtered.markers.entries()) {
    if (verdict !== markerVerdicts.failed || final[cell]! >= unassignedCode) continue
    final[cell] = unassignedCode
    cellReasons[cell] = reasons.length + 1
  }
  return filtered.notices
}
