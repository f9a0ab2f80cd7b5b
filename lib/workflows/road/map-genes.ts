/** MapGenes: genes of the inputs onto genes of the model; the plan is what Prepare goes by. */
import type { RoadState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { planGenes } from '../../knowledge/gene-plan.ts'
import type { Species } from '../../knowledge/genes.ts'
import { loadCard } from '../../models/bundle.ts'
import { readFacts, readGeneNames } from './facts.ts'
import { missingPart } from './failure.ts'
import { readJob } from './validate-job.ts'

/** @throws BadInput GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING */
export async function mapGenes(state: RoadState, environment: Environment): Promise<RoadState> {
  const [part] = state.facts ?? []
  if (state.job === undefined || part === undefined) throw missingPart('facts')
  const { work, models } = await openStores(environment)
  const { settings, model: id } = await readJob(work, state.job)
  const code = setting(environment, 'CELLDROP_CODE')
  const step = openStep(work, { state: 'MapGenes', code, dependsOn: [part.key, id, settings] })
  const genes = { key: `${step.prefix}genes.json` }
  if ((await step.record()) !== undefined) return { ...state, genes }
  const [facts, candidates, model] = [
    await readFacts(work, part),
    await readGeneNames(work, part),
    await loadCard(models, id),
  ]
  const plan = await planGenes({
    place: `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`,
    query: { candidates, ...(settings.gene_column !== undefined && { chosen: settings.gene_column }) },
    model: { genes: model.genes, type: model.geneIds, species: speciesOf(model.organism) },
    ...(settings.organism !== undefined && { organism: settings.organism }),
    matching: settings.gene_matching,
    minGeneFraction: settings.min_gene_fraction,
    minGenes: settings.min_genes,
  })
  await step.write('genes.json', new TextEncoder().encode(JSON.stringify(plan)))
  await step.finish({ value: null, notices: plan.notices, seconds: 0, peakMemory: 0 })
  return { ...state, genes }
}

/** Models say their organism in words; of others than these two there is no table of genes. */
function speciesOf(organism: string): Species | null {
  return organism === 'Homo sapiens' || organism === 'Mus musculus' ? organism : null
}
