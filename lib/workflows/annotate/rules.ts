/** What can be refused of an `annotate` job before any machine is started for it, and the keys that it writes. */
import { BadInput } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { type AnnotationNames, annotationNames, annotationPrefix } from '../../job/stored-names.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'
import { clusterColumnMissing } from '../parts/cluster-column.ts'
import type { WorkflowRules } from '../workflow.ts'

export const annotateRules: WorkflowRules<AnnotateSettings> = {
  inputs: ({ query }) => [{ role: 'query', location: query }],
  documents: () => [],
  relocated: (settings, [query = settings.query]) => ({ ...settings, query }),
  model: ({ model }) => model,
  labelColumns: () => null,
  check({ inspection }, settings) {
    const { place, obs, nObs } = inspection
    if (nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
    refuseSecondRun(inspection, settings)
    const column = settings.majority_voting ? settings.over_clustering : undefined
    if (column !== undefined && !obs.some(({ name }) => name === column))
      throw clusterColumnMissing(column, place)
    if (settings.classifier !== 'default') {
      const problem = `a linear model has no classifier "${settings.classifier}"`
      throw new BadInput('CLASSIFIER_UNKNOWN', 'classifier', problem, 'Leave it out, or write "default"')
    }
    return []
  },
  trains: () => false,
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
