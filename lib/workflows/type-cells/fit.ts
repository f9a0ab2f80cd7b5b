/**
 * Fit of `type-cells`: learns the classes from the training cells, then again without each fold of them in turn, to see how right it is in
 * cells it has not seen: that is what the confidence is calibrated on, and what the report says of the model.
 */
import { hashOf } from '../../job/canonical.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { type Calibration, fitCalibration } from '../../labels/calibration.ts'
import { heldOutFolds, neverHeldOutNotice } from '../../labels/held-out.ts'
import { bestMatch } from '../../labels/match.ts'
import { fitOutOfReference, type OutOfReference } from '../../labels/out-of-reference.ts'
import { packOutOfReference } from '../../labels/out-of-reference-array.ts'
import { saveModel } from '../../models/bundle.ts'
import { selectFeatures } from '../../models/feature-selection.ts'
import { columnsOf } from '../../models/gene-columns.ts'
import { type LinearArrays, type LinearModel, makeLinearModel } from '../../models/linear-model.ts'
import type { TrainingRecord } from '../../models/training-record.ts'
import { rescaleRows } from '../../prep/rescale-rows.ts'
import type { StepResult } from '../workflow.ts'
import type { TypeCellsContext } from './context.ts'
import { type Evaluation, evaluate } from './evaluate.ts'
import { heldOutScores } from './held-out-scores.ts'
import type { Prepared } from './prepare.ts'
import { howTrained, lossOf, sgdOptions, train, trainedBy } from './train.ts'
import { readTrainingCells, type TrainingCells } from './training-cells.ts'

export interface Fitted {
  /** content id */
  model: string
  /** in a sentence */
  how: string
  evaluation: Evaluation
}

export async function fit(context: TypeCellsContext): Promise<StepResult> {
  const { road, stores } = context
  const { settings } = road
  const before = context.before('Prepare')
  const prepared = (await before.finished()).value as Prepared
  const all = await readTrainingCells(before, prepared.modelGenes.length)
  const { cells, genes } = await chosenGenes(context, { all, prepared })
  const labels = prepared.classes.length
  const rounds = settings.calibration_folds + 1
  context.progress(0, rounds, 'models', 'training')
  const trained = await train(cells, { codes: cells.classes, labels, context })
  context.progress(1, rounds, 'models', 'training without held-out cells')
  const folds = heldOutFolds({
    codes: cells.classes,
    sources: cells.sources,
    folds: settings.calibration_folds,
    seed: settings.seed,
  })
  const scores = await heldOutScores(context, { cells, folds, labels, start: trained.arrays })
  const single = neverHeldOutNotice(folds, {
    codes: cells.classes,
    labels: prepared.classes.map(({ name }) => name),
  })
  const notices: ErrorReport[] = [...trained.notices, ...(single === undefined ? [] : [single])]
  const heldOut = { scores, codes: cells.classes, labels, loss: lossOf(settings) }
  const calibrated = fitCalibration(heldOut)
  notices.push(...calibrated.notices)
  const evaluation = evaluate(heldOut, {
    calibration: calibrated.calibration,
    names: prepared.classes.map(({ name }) => name),
    threshold: settings.confidence_threshold,
  })
  const called = bestMatch(scores, labels).map((code, cell) => (folds[cell]! < 0 ? -1 : code))
  const unlike = await fitOutOfReference(cells, {
    codes: cells.classes,
    labels,
    standard: { mean: trained.arrays.mean, scale: trained.arrays.scale },
    folds,
    called,
    seed: settings.seed,
    signal: context.signal,
    ...(settings.out_of_reference_threshold !== undefined && {
      threshold: settings.out_of_reference_threshold,
    }),
  })
  if (settings.out_of_reference) notices.push(...unlike.notices)
  const model = modelOf(context, {
    prepared,
    cells,
    genes,
    arrays: trained.arrays,
    calibration: calibrated.calibration,
    evaluation,
    reference: unlike.reference,
    notices: notices.length,
  })
  await saveModel(stores.models, model, { replace: true })
  const value: Fitted = { model: model.card.id, how: howTrained(settings), evaluation }
  return { value, notices }
}

/** All genes, or those that tell the classes apart. */
async function chosenGenes(
  { road, signal }: TypeCellsContext,
  { all, prepared }: { all: TrainingCells; prepared: Prepared },
): Promise<{ cells: TrainingCells; genes: string[] }> {
  const { settings } = road
  if (!settings.feature_selection) return { cells: all, genes: prepared.modelGenes }
  const chosen = await selectFeatures(all, {
    ...sgdOptions(settings),
    codes: all.classes,
    labels: prepared.classes.length,
    top: settings.top_genes,
    signal,
  })
  const rows = columnsOf(all, chosen)
  return {
    cells: { ...rows, values: rescaleRows(rows), classes: all.classes, sources: all.sources },
    genes: Array.from(chosen, (gene) => prepared.modelGenes[gene]!),
  }
}

function modelOf(
  { road, job }: TypeCellsContext,
  of: {
    prepared: Prepared
    cells: TrainingCells
    genes: string[]
    arrays: LinearArrays
    calibration: Calibration
    evaluation: Evaluation
    reference: OutOfReference | undefined
    notices: number
  },
): LinearModel {
  const { settings } = road
  const { prepared, cells, genes, arrays, calibration, evaluation, reference } = of
  const { status, scale, scales, cells: heldOut, fewestCells } = calibration
  const { how, estimator, parameters } = trainedBy(settings)
  const ontology = prepared.classes.flatMap(({ name, id, termName, tier }) =>
    id === null ? [] : [[name, { id, name: termName ?? name, tier }] as const],
  )
  const metrics = {
    ...numbersOf({ heldOutAccuracy: evaluation.accuracy, heldOutMacroF1: evaluation.macroF1 }),
  }
  return makeLinearModel(
    {
      name: settings.model_name ?? modelNameOf(settings.tissue, settings.name ?? job.name),
      version: '1',
      organism: settings.organism ?? road.inputs[0]!.facts.inspection.species ?? 'unknown',
      geneIds: 'symbol',
      genes,
      labels: prepared.classes.map(({ name }) => name),
      ontology: Object.fromEntries(ontology),
      labelsSource: 'references',
      loss: lossOf(settings),
      clip: 10,
      scaledOver: 'genes',
      centred: true,
      classifiers: ['default'],
      licence: '',
      source: prepared.sources.join(', '),
      details: `${settings.tissue}: ${howTrained(settings)}`,
      url: '',
      trained: { how, estimator, parameters, date: job.created, cells: cells.rows },
      metrics,
      created: job.created,
      calibration: {
        kind: 'temperature',
        status,
        scale,
        ...(scales !== undefined && { scales }),
        cells: heldOut,
        fewestCells,
        accuracy: evaluation.accuracy,
        macroF1: evaluation.macroF1,
        expectedCalibrationError: evaluation.ece,
      },
      ...(reference !== undefined && {
        reference: { directions: reference.space.directions, tail: reference.tail.values.length },
      }),
      training: trainingRecordOf(road, { prepared, cells, notices: of.notices }),
    },
    { ...arrays, ...(reference !== undefined && { reference: packOutOfReference(reference) }) },
  )
}

function numbersOf(values: Record<string, number | null>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== null),
  )
}

/** As names of models are written; what may not be in one is a hyphen. */
function modelNameOf(tissue: string, name: string): string {
  const plain = `${tissue}-${name}`.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return plain.slice(0, 64).replace(/[^A-Za-z0-9]+$/, '') || `model-${hashOf(name, 8)}`
}

function trainingRecordOf(
  { settings, inputs }: TypeCellsContext['road'],
  { prepared, cells, notices }: { prepared: Prepared; cells: TrainingCells; notices: number },
): TrainingRecord {
  const count = (codes: Int32Array, code: number) => codes.reduce((sum, one) => sum + Number(one === code), 0)
  const given = settings.target_proportions
  return {
    references: prepared.sources.map((name, at) => ({
      name,
      etag: inputs[at + 1]!.pin.etag,
      label_column: settings.label_columns[at]!,
      cells_used: count(cells.sources, at),
    })),
    label_column:
      settings.group_by === 'ontology' && settings.add_ontology
        ? 'cell_type_ontology_term_id'
        : 'original_label',
    panel_genes: prepared.modelGenes.length,
    cells_by_label: prepared.classes.map(({ name }, code) => ({
      label: name,
      cells: count(cells.classes, code),
    })),
    balance_strategy: settings.balance_strategy,
    max_cells_per_type: settings.max_cells_per_type,
    min_cells_per_type: settings.min_cells_per_type,
    target_proportions:
      typeof given === 'object' ? Object.entries(given).map(([label, share]) => ({ label, share })) : [],
    seed: settings.seed,
    classifier: settings.classifier,
    loss: lossOf(settings),
    parameters: trainedBy(settings).record,
    notices,
  }
}
