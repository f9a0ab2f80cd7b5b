/** MatchOntology: the labels that cells can get onto Cell Ontology terms; a label that fits several gets none, and the report lists them. */
import type { Settings, SettingsOf, WorkflowName } from '../../job/manifest.ts'
import type { RoadState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { annotateTerms } from '../annotate/terms.ts'
import { fitReferenceTerms } from '../fit-reference/terms.ts'
import type { TermMaker } from '../lambda-parts.ts'
import { mapAtlasTerms } from '../map-atlas/terms.ts'
import { typeCellsTerms } from '../type-cells/terms.ts'
import { readFacts } from './facts.ts'
import { missingPart } from './failure.ts'
import { readJob } from './validate-job.ts'

const makers: { [Name in WorkflowName]: TermMaker<SettingsOf<Name>> } = {
  annotate: annotateTerms,
  'type-cells': typeCellsTerms,
  'fit-reference': fitReferenceTerms,
  'map-atlas': mapAtlasTerms,
  // labels keep the terms that they come with
  acquire: async () => ({ labels: {}, notices: [] }),
}

export async function matchOntology(state: RoadState, environment: Environment): Promise<RoadState> {
  const { job, facts = [] } = state
  if (job === undefined) throw missingPart('job')
  const { work, models } = await openStores(environment)
  const { settings, models: modelIds, documents } = await readJob(work, job)
  const code = setting(environment, 'CELLDROP_CODE')
  const inputs = await Promise.all(
    facts.map(async (part) => ({ role: part.role, facts: await readFacts(work, part) })),
  )
  const labelled = inputs.map(({ facts: { labels } }) => labels)
  const dependsOn = [modelIds, settings, documents, labelled]
  const step = openStep(work, { state: 'MatchOntology', code, dependsOn })
  const ontology = { key: `${step.prefix}labels.json` }
  if ((await step.record()) !== undefined) return { ...state, ontology }
  const make = makers[settings.workflow] as unknown as TermMaker<Settings>
  const { labels, notices } = await make({ settings, inputs, documents, models, modelIds })
  await step.write('labels.json', new TextEncoder().encode(JSON.stringify(labels)))
  await step.finish({ value: null, notices, seconds: 0, peakMemory: 0 })
  return { ...state, ontology }
}
