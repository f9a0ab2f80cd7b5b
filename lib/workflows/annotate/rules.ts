/** What can be refused of an `annotate` job before any machine is started for it, and the keys that it writes. */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { type AnnotationNames, annotationNames, annotationPrefix } from '../../job/stored-names.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'
import { requireBatchColumn } from '../parts/batch-column.ts'
import { clusterColumnMissing } from '../parts/cluster-column.ts'
import type { NamedModels, WorkflowRules } from '../workflow.ts'
import { modelsOfTissue, presetTissues } from './tissue-models.ts'

export const annotateRules: WorkflowRules<AnnotateSettings> = {
  inputs: ({ query }) => [{ role: 'query', location: query }],
  documents: () => [],
  places: () => [],
  relocated: (settings, [query = settings.query]) => ({ ...settings, query }),
  models: namedModels,
  labelColumns: () => null,
  check({ inspection }, settings) {
    const { place, obs, nObs } = inspection
    if (nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
    refuseSecondRun(inspection, settings)
    const column = settings.majority_voting ? settings.over_clustering : undefined
    if (column !== undefined && !obs.some(({ name }) => name === column))
      throw clusterColumnMissing(column, place)
    if (settings.batch_key !== undefined)
      requireBatchColumn(inspection, {
        wanted: settings.batch_key,
        otherwise: 'a file of one batch can do without',
      })
    return []
  },
  afterPrepare: ({ mapping }) => (mapping === 'surgery' ? 'Fit' : 'Embed'),
  overwrites: ({ overwrite }) => overwrite,
}

/** What is named has to be there; of what a tissue stands for, whatever is. */
function namedModels({ model, tissue, ensemble_mode }: AnnotateSettings): NamedModels {
  if (tissue === undefined)
    return { names: [model ?? []].flat(), mayLack: false, alone: 'network', notices: [] }
  const { names, isListed } = modelsOfTissue(tissue, { isEnsemble: ensemble_mode })
  const notices = isListed || !ensemble_mode ? [] : [unlisted(tissue)]
  return { names, mayLack: true, family: 'linear', notices }
}

function unlisted(tissue: string): ErrorReport {
  return {
    code: 'TISSUE_UNLISTED',
    place: 'tissue',
    problem: `"${printable(tissue)}" has no models of its own: those of "unknown" are used`,
    remedy: `Name models under "model", or take one of: ${presetTissues.join(', ')}`,
  }
}

/** What the map is made of; scores of a linear model are its labels over again, the places of a network more than that. */
export function umapSpace(
  { umap_space }: AnnotateSettings,
  { isNetwork = false }: { isNetwork?: boolean | undefined },
): 'pca' | 'latent' {
  return umap_space ?? (isNetwork ? 'latent' : 'pca')
}

export function namesFor({
  annotation_prefix,
  annotation_type,
  run_name,
}: AnnotateSettings): AnnotationNames {
  return annotationNames(
    annotationPrefix({ prefix: annotation_prefix, type: annotation_type, run: run_name }),
  )
}

/** What an earlier run wrote is replaced only when that is asked for. */
function refuseSecondRun(inspection: Inspection, settings: AnnotateSettings): void {
  const { predicted } = namesFor(settings)
  if (settings.overwrite || !inspection.obs.some(({ name }) => name === predicted)) return
  throw new BadInput(
    'OUTPUT_EXISTS',
    `${inspection.place}:/obs/${predicted}`,
    'the file has annotations of this name already',
    'Give this run a run_name of its own, or set overwrite: true',
  )
}
