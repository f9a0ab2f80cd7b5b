/**
 * The `annotate` workflow: CELLxGENE Annotate's promise (labels, uncertainty, a place in the space of the reference, a map) with linear
 * models as CellTypist trains them. Nothing is trained here; each state's method has a file of its own.
 */
import { BadInput } from '../../job/errors.ts'
import type { InputFacts, Workflow } from '../workflow.ts'
import { namesFor } from './annotations.ts'
import { embed } from './embed.ts'
import { label } from './label.ts'
import { clusterColumnMissing } from './map-cells.ts'
import { prepare } from './prepare.ts'
import { publish } from './publish.ts'

export const annotate: Workflow = {
  inputs: ({ query }) => [{ role: 'query', location: query }],
  check(facts, settings) {
    refuseSecondRun(facts, settings)
    const { place, obs } = facts.inspection
    const column = settings.majority_voting ? settings.over_clustering : undefined
    if (column !== undefined && !obs.some(({ name }) => name === column))
      throw clusterColumnMissing(column, place)
    if (settings.classifier !== 'default') {
      const problem = `a linear model has no classifier "${settings.classifier}"`
      throw new BadInput('CLASSIFIER_UNKNOWN', 'classifier', problem, 'Leave it out, or write "default"')
    }
    if (facts.inspection.nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
  },
  trains: () => false,
  prepare,
  fit: async () => {
    throw new Error('annotate with a linear model trains nothing')
  },
  embed,
  label,
  publish,
}

/** What an earlier run wrote is replaced only when that is asked for. */
function refuseSecondRun({ inspection }: InputFacts, settings: Parameters<Workflow['check']>[1]): void {
  const { predicted } = namesFor(settings)
  if (settings.overwrite || !inspection.obs.some(({ name }) => name === predicted)) return
  throw new BadInput(
    'OUTPUT_EXISTS',
    `${inspection.place}:/obs/${predicted}`,
    'the file has annotations of this name already',
    'Give this run a run_name of its own, or set overwrite: true',
  )
}
