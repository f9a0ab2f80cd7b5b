/** What can be refused of a `fit-reference` job before any machine is started for it, and the keys that it writes. */
import { BadInput, type ErrorReport, isCoded } from '../../job/errors.ts'
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import { referenceNames } from '../../job/stored-names.ts'
import type { Stores } from '../../job/stores.ts'
import { loadCard } from '../../models/bundle.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'
import { columnMissing } from '../parts/category-column.ts'
import { checkLabelColumns } from '../parts/label-columns.ts'
import type { LabelFacts, WorkflowRules } from '../workflow.ts'
import { recordOf } from './network-plan.ts'

export const fitReferenceRules: WorkflowRules<FitReferenceSettings> = {
  inputs: ({ atlas }) => [{ role: 'atlas', location: atlas }],
  documents: ({ gene_panel }) =>
    gene_panel === undefined ? [] : [{ role: 'gene_panel', location: gene_panel }],
  places: () => [],
  relocated: (settings, [atlas = settings.atlas, panel]) => ({
    ...settings,
    atlas,
    ...(settings.gene_panel !== undefined && { gene_panel: panel ?? settings.gene_panel }),
  }),
  models: () => null,
  labelColumns: ({ label_column }) =>
    label_column === undefined ? null : { labels: label_column, ids: 'cell_type_ontology_term_id' },
  check({ inspection, labels }, settings) {
    const { place, nObs } = inspection
    if (nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
    requireColumns(inspection, settings)
    refuseSecondRun(inspection, settings)
    return labels === null ? [] : checkLabels(labels, { place, settings })
  },
  admit: (settings, { stores }) => refuseTakenName(settings, stores),
  afterPrepare: 'Fit',
  overwrites: ({ overwrite }) => overwrite,
}

/** Before hours of training, not after. A model that this very job made earlier is no obstacle. */
async function refuseTakenName(settings: FitReferenceSettings, { models }: Stores): Promise<void> {
  if (settings.overwrite || !(await isTaken(settings, models))) return
  throw new BadInput(
    'MODEL_EXISTS',
    `${models.place}/${settings.name}`,
    'the name stands for another model already',
    'Choose another name, or set overwrite: true (the old model stays there under its id)',
  )
}

async function isTaken(settings: FitReferenceSettings, models: Stores['models']): Promise<boolean> {
  try {
    const card = await loadCard(models, settings.name)
    if (card.kind === 'linear') return true
    return JSON.stringify(card.training.settings) !== JSON.stringify(recordOf(settings))
  } catch (error) {
    if (isCoded(error) && error.code === 'MODEL_MISSING') return false
    throw error
  }
}

function requireColumns({ place, obs }: Inspection, settings: FitReferenceSettings): void {
  const available = obs.map(({ name }) => name)
  const { batch_key, label_column, categorical_covariate_keys, continuous_covariate_keys } = settings
  const wanted: [string, string][] = [
    ['batch_key', batch_key],
    ...(label_column === undefined ? [] : [['label_column', label_column] as [string, string]]),
    ...categorical_covariate_keys.map((name): [string, string] => ['categorical_covariate_keys', name]),
    ...continuous_covariate_keys.map((name): [string, string] => ['continuous_covariate_keys', name]),
  ]
  for (const [setting, column] of wanted)
    if (!available.includes(column)) throw columnMissing(column, { setting, place, available })
  checkLabelColumns(obs, { columns: settings.transfer_columns, setting: 'transfer_columns', place })
}

/** What an earlier run wrote is replaced only when that is asked for. */
function refuseSecondRun({ place, obs }: Inspection, settings: FitReferenceSettings): void {
  if (settings.overwrite) return
  const kind = settings.label_column === undefined ? 'scvi' : 'scanvi'
  const names = Object.values(referenceNames(kind).obs)
  const taken = obs.find(({ name }) => names.includes(name))
  if (taken === undefined) return
  throw new BadInput(
    'OUTPUT_EXISTS',
    `${place}:/obs/${taken.name}`,
    'the file has a column of this name already, of an earlier run',
    'Give the file as it was before, or set overwrite: true',
  )
}

/** Labels with fewer cells are told of: what is held out of them says little, and the classifier hardly sees them. */
const fewCells = 10

/** @throws BadInput LABELS_NONE, LABELS_ONE */
function checkLabels(
  { column, labels, missing, cells }: LabelFacts,
  { place, settings }: { place: string; settings: FitReferenceSettings },
): ErrorReport[] {
  const known = labels.filter(({ label }) => label !== settings.unlabeled_category)
  requireLabels(known.length, { place: `${place}:/obs/${column}`, settings })
  const rare = known.filter((one) => one.cells < fewCells).map(({ label }) => label)
  const at = `${place}:/obs/${column}`
  const notices: ErrorReport[] = []
  if (missing > 0)
    notices.push({
      code: 'LABELS_MISSING',
      place: at,
      problem: `${missing} of ${cells} cells have no value there and count as "${settings.unlabeled_category}"`,
      remedy: 'Nothing need be done: they are learnt from without a label',
    })
  if (rare.length > 0)
    notices.push({
      code: 'LABELS_FEW_CELLS',
      place: at,
      problem: `${rare.length} labels have fewer than ${fewCells} cells: ${rare.slice(0, 10).join(', ')}`,
      remedy: 'Join them to others, or look at how they were called in the held-out cells',
    })
  return notices
}

/** @throws BadInput LABELS_NONE, LABELS_ONE */
export function requireLabels(
  known: number,
  { place, settings }: { place: string; settings: FitReferenceSettings },
): void {
  const category = settings.unlabeled_category
  if (known === 0)
    throw new BadInput(
      'LABELS_NONE',
      place,
      `no cell has a label: all are without one or "${category}"`,
      'Name another label_column, or leave it out for a scVI without labels',
    )
  if (known === 1)
    throw new BadInput(
      'LABELS_ONE',
      place,
      `all cells with a label have the same one, besides "${category}": there is nothing to tell apart`,
      'Name a label_column with more than one cell type, or leave it out',
    )
}
