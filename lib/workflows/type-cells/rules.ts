/** What can be refused of a `type-cells` job before any machine is started for it, and the keys that it writes. */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { cellTypingNames } from '../../job/stored-names.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'
import { checkLabels } from '../../prep/label-check.ts'
import type { LabelFacts, WorkflowRules } from '../workflow.ts'

/** the cluster column of scanpy */
export const usualClusters = 'leiden'

export const referenceRole = (index: number): string => `reference-${index + 1}`

export const typeCellsRules: WorkflowRules<TypeCellsSettings> = {
  inputs: ({ query, references }) => [
    { role: 'query', location: query },
    ...references.map((location, index) => ({ role: referenceRole(index), location })),
  ],
  documents: ({ target_proportions, ontology_review, markers }) =>
    Object.entries({ target_proportions, ontology_review, markers }).flatMap(([role, location]) =>
      typeof location === 'string' ? [{ role, location }] : [],
    ),
  places: () => [],
  relocated(settings, given) {
    const [query = settings.query, ...others] = given
    const references = others.slice(0, settings.references.length)
    const documents = typeCellsRules
      .documents(settings)
      .map(({ role }, index) => [role, others[references.length + index]])
    return { ...settings, query, references, ...Object.fromEntries(documents) }
  },
  models: () => null,
  labelColumns(settings, role) {
    const index = settings.references.findIndex((_, at) => referenceRole(at) === role)
    const labels = settings.label_columns[index]
    return labels === undefined ? null : { labels, ids: 'cell_type_ontology_term_id' }
  },
  check({ role, inspection, labels }, settings) {
    const { place, nObs } = inspection
    if (nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
    return role === 'query' ? checkQuery(inspection, settings) : checkReference(place, { labels, settings })
  },
  afterPrepare: 'Fit',
  overwrites: ({ overwrite }) => overwrite,
}

/** What an earlier run wrote is replaced only when that is asked for; a vote needs clusters. */
function checkQuery({ place, obs }: Inspection, settings: TypeCellsSettings): ErrorReport[] {
  const has = (name: string) => obs.some((column) => column.name === name)
  const names = Object.values(cellTypingNames(settings.annotation_prefix).obs)
  const taken = names.filter(has)
  if (!settings.overwrite && taken.length > 0)
    throw new BadInput(
      'OUTPUT_EXISTS',
      `${place}:/obs/${taken[0]}`,
      `the file has columns of this name already: ${taken.join(', ')}`,
      'Choose another annotation_prefix, or set overwrite: true to replace them',
    )
  if (settings.majority_voting) requireClusters(has, { place, wanted: settings.over_clustering })
  return []
}

/** SpatialCore's rule: a vote needs clusters that somebody has looked at. */
function requireClusters(
  has: (name: string) => boolean,
  { place, wanted }: { place: string; wanted: string | undefined },
): void {
  if (has(wanted ?? usualClusters)) return
  const problem =
    wanted === undefined
      ? 'majority_voting needs clusters: no over_clustering is named, and there is no column "leiden"'
      : `majority_voting needs clusters: there is no obs column "${wanted}"`
  const remedy = 'Name an obs column with clusters in over_clustering, or leave majority_voting out'
  throw new BadInput('VOTING_NO_CLUSTER', `${place}:/obs`, problem, remedy)
}

function checkReference(
  place: string,
  { labels, settings }: { labels: LabelFacts | null; settings: TypeCellsSettings },
): ErrorReport[] {
  if (labels === null || !settings.validate_labels) return []
  const counts = labels.labels.map(({ label, cells }) => [label, cells] as const)
  return checkLabels(
    { counts, missing: labels.missing, cells: labels.cells },
    {
      place: `${place}:/obs/${labels.column}`,
      column: labels.column,
      reference: place.slice(place.lastIndexOf('/') + 1),
      minCells: settings.min_cells_per_label,
      strict: settings.strict_validation,
    },
  ).notices
}
