/**
 * MatchOntology: the model's labels onto Cell Ontology terms. What the job file says comes first, then what the model brings along, then
 * the matcher; a label that fits several terms gets none, and the report lists them.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import type { RoadState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { loadOntology } from '../../knowledge/ontology.ts'
import { matchLabels } from '../../knowledge/ontology-match.ts'
import { loadCard } from '../../models/bundle.ts'
import type { LabelTerm } from '../workflow.ts'
import { missingPart } from './failure.ts'
import { readJob } from './validate-job.ts'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function matchOntology(state: RoadState, environment: Environment): Promise<RoadState> {
  if (state.job === undefined) throw missingPart('job')
  const { work, models } = await openStores(environment)
  const { settings, model: id } = await readJob(work, state.job)
  const code = setting(environment, 'CELLDROP_CODE')
  const dependsOn = [id, settings.ontology, settings.ontology_policy]
  const step = openStep(work, { state: 'MatchOntology', code, dependsOn })
  const ontology = { key: `${step.prefix}labels.json` }
  if ((await step.record()) !== undefined) return { ...state, ontology }
  const card = await loadCard(models, id)
  const existing = new Map<string, string>()
  for (const [label, term] of Object.entries(card.ontology ?? {})) if (term?.id) existing.set(label, term.id)
  for (const [label, term] of Object.entries(settings.ontology)) existing.set(label, term)
  await checkGiven(settings.ontology, card.labels)
  const matches = await matchLabels(card.labels, { policy: settings.ontology_policy, existing })
  const labels: Record<string, LabelTerm> = {}
  for (const { label, id: term, name, tier, candidates } of matches)
    labels[label] = { id: term, name, tier, candidates }
  await step.write('labels.json', new TextEncoder().encode(JSON.stringify(labels)))
  await step.finish({ value: null, notices: noticesOf(labels), seconds: 0, peakMemory: 0 })
  return { ...state, ontology }
}

async function checkGiven(given: Record<string, string>, labels: readonly string[]): Promise<void> {
  const { byId } = await loadOntology()
  for (const [label, id] of Object.entries(given)) {
    if (!labels.includes(label)) {
      const problem = 'the model has no such label'
      throw new BadInput(
        'ONTOLOGY_LABEL',
        `ontology: ${printable(label)}`,
        problem,
        `Labels: ${labels.slice(0, 50).join(', ')}`,
      )
    }
    if (!byId.has(id)) {
      const problem = `${id} is no current term of the Cell Ontology`
      throw new BadInput(
        'ONTOLOGY_ID',
        `ontology: ${printable(label)}`,
        problem,
        'Look it up at https://www.ebi.ac.uk/ols4',
      )
    }
  }
}

function noticesOf(labels: Record<string, LabelTerm>): ErrorReport[] {
  const unmapped = Object.entries(labels).filter(([, { id, tier }]) => id === null && tier !== 'skipped')
  if (unmapped.length === 0) return []
  const names = unmapped.map(([label]) => printable(label).slice(0, 100)).slice(0, 20)
  const problem = `${unmapped.length} of ${Object.keys(labels).length} labels have no Cell Ontology id: ${names.join(', ')}`
  const remedy = 'Give their ids under "ontology" in the job file; candidates are in the table of labels'
  return [{ code: 'ONTOLOGY_UNMAPPED', place: 'labels of the model', problem, remedy }]
}
