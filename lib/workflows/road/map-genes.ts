/** MapGenes: which genes a job works over, and which gene of each input is which of them; the plans are what Prepare goes by. */
import type { Settings, SettingsOf, WorkflowName } from '../../job/manifest.ts'
import type { RoadState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { annotateGenes } from '../annotate/genes.ts'
import { fitReferenceGenes } from '../fit-reference/genes.ts'
import type { GeneMapMaker } from '../lambda-parts.ts'
import { mapAtlasGenes } from '../map-atlas/genes.ts'
import { typeCellsGenes } from '../type-cells/genes.ts'
import { readFacts, readGeneNames } from './facts.ts'
import { missingPart } from './failure.ts'
import { readJob } from './validate-job.ts'

const makers: { [Name in WorkflowName]: GeneMapMaker<SettingsOf<Name>> } = {
  annotate: annotateGenes,
  'type-cells': typeCellsGenes,
  'fit-reference': fitReferenceGenes,
  'map-atlas': mapAtlasGenes,
  // nothing is known yet of the files that are to be found
  acquire: async () => ({ maps: { genes: null, plans: {}, models: [] }, notices: [] }),
}

export async function mapGenes(state: RoadState, environment: Environment): Promise<RoadState> {
  const { job, facts = [] } = state
  if (job === undefined || facts.length !== job.inputs.length) throw missingPart('facts')
  const { work, models } = await openStores(environment)
  const { settings, models: modelIds, documents } = await readJob(work, job)
  const code = setting(environment, 'CELLDROP_CODE')
  const keys = facts.map(({ key }) => key)
  const step = openStep(work, { state: 'MapGenes', code, dependsOn: [keys, modelIds, settings, documents] })
  const genes = { key: `${step.prefix}genes.json` }
  if ((await step.record()) !== undefined) return { ...state, genes }
  const inputs = await Promise.all(
    job.inputs.map(async ({ role }) => {
      const part = facts.find((made) => made.role === role)
      if (part === undefined) throw missingPart(`facts of ${role}`)
      return { role, facts: await readFacts(work, part), candidates: await readGeneNames(work, part) }
    }),
  )
  const make = makers[settings.workflow] as unknown as GeneMapMaker<Settings>
  const { maps, notices } = await make({ settings, inputs, documents, models, modelIds })
  await step.write('genes.json', new TextEncoder().encode(JSON.stringify(maps)))
  await step.finish({ value: null, notices, seconds: 0, peakMemory: 0 })
  return { ...state, genes }
}
