/**
 * MapGenes of `map-atlas`: genes of the query and of the atlas onto those of the model, and for `extend` those of the query onto those of
 * the atlas, which the joint file has in common. Genes that a file lacks count as zero for the model, and are told: the more of them, the
 * less a place in latent space is worth.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { type GenePlan, planGenes } from '../../knowledge/gene-plan.ts'
import { speciesOf } from '../../knowledge/genes.ts'
import { zeroFilledNotices } from '../../prep/zero-filled.ts'
import type { MapRequest } from '../lambda-parts.ts'
import { requireCovariates } from '../parts/covariate-columns.ts'
import { requireCounts } from '../parts/require-counts.ts'
import type { GeneNames } from '../road/facts.ts'
import type { GeneMaps } from '../workflow.ts'
import { loadAtlasCard } from './atlas-card.ts'

type Request = MapRequest<MapAtlasSettings>
type Input = Request['inputs'][number]

/** Name of the plan of the query's genes onto the atlas's. */
export const jointPlan = 'joint'

/** @throws BadInput MODEL_KIND, COUNTS_NEEDED, COVARIATE_COLUMN, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING */
export async function mapAtlasGenes({ settings, inputs, models, modelIds }: Request) {
  const [id] = modelIds
  const [query, atlas] = inputs
  if (id === undefined || query === undefined) throw new Error('map-atlas without a model or a query')
  const card = await loadAtlasCard(models, id)
  const plans: GeneMaps['plans'] = {}
  for (const input of inputs) {
    requireCounts(input.facts)
    requireCovariates(input.facts, card.setup)
    plans[input.role] = await planGenes({
      place: placeOf(input),
      query: { candidates: input.candidates, ...chosenColumn(settings) },
      model: { genes: card.genes, type: card.geneIds, species: speciesOf(card.organism) },
      ...(settings.organism !== undefined && { organism: settings.organism }),
      ...(input.role === 'atlas' && { whose: 'the model, in the atlas,' }),
      matching: settings.gene_matching,
      minGeneFraction: settings.min_gene_fraction,
      minGenes: settings.min_genes,
    })
  }
  const notices = inputs.flatMap((input) => {
    const plan = plans[input.role]!
    return [...plan.notices, ...zeroFilledNotices(plan, { place: placeOf(input), whose: 'the model' })]
  })
  if (settings.mode === 'extend' && atlas !== undefined) {
    const joint = await planJoint({ query, atlas }, { settings, ofAtlas: plans.atlas! })
    plans[jointPlan] = joint.plan
    notices.push(...joint.notices, ...differingGenes(plans))
  }
  const maps: GeneMaps = { genes: null, plans, models: [{ id, plan: 'query' }] }
  return { maps, notices }
}

/** A gene column is the query's: the atlas names its genes in its own way. */
function chosenColumn({ gene_column }: MapAtlasSettings) {
  return gene_column === undefined ? {} : { chosen: gene_column }
}

function placeOf({ facts }: Pick<Input, 'facts'>): string {
  return `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`
}

/** Every gene that both files have, whatever they call it: the joint file goes by the names of the atlas. */
async function planJoint(
  { query, atlas }: { query: Input; atlas: Input },
  { settings, ofAtlas }: { settings: MapAtlasSettings; ofAtlas: GenePlan },
): Promise<{ plan: GenePlan; notices: ErrorReport[] }> {
  const { names } = namesBy(ofAtlas.column, atlas.candidates)
  const plan = await planGenes({
    place: placeOf(query),
    query: { candidates: query.candidates, ...chosenColumn(settings) },
    model: { genes: names, type: ofAtlas.idType, species: ofAtlas.species },
    whose: 'the atlas',
    matching: settings.gene_matching,
    minGeneFraction: 0,
    minGenes: 1,
  })
  const dropped = plan.target.filter((gene) => gene < 0).length
  const problem = `the joint file has the ${plan.found} genes that both files have: ${names.length - plan.found} of the atlas (of ${names.length}) and ${dropped} of the query (of ${plan.queryGenes}) are not in it`
  const remedy = 'They are still in the files that were given; dropped_genes.csv lists them'
  const notices = [{ code: 'GENES_DROPPED', place: placeOf(query), problem, remedy }]
  return { plan, notices: dropped > 0 || names.length > plan.found ? notices : [] }
}

function namesBy(column: string | null, candidates: readonly GeneNames[]): GeneNames {
  const found = candidates.find((candidate) => candidate.column === column)
  if (found === undefined) throw new Error(`no gene names in ${column ?? 'the index'}`)
  return found
}

/** A gene of the model that only one of both has is zero in the other: that alone sets their cells apart. */
function differingGenes(plans: GeneMaps['plans']): ErrorReport[] {
  const [query, atlas] = [new Set(plans.query!.missing), new Set(plans.atlas!.missing)]
  const onlyAtlas = [...query].filter((gene) => !atlas.has(gene)).length
  const onlyQuery = [...atlas].filter((gene) => !query.has(gene)).length
  if (onlyAtlas + onlyQuery === 0) return []
  return [
    {
      code: 'ATLAS_GENES_DIFFER',
      place: 'atlas',
      problem: `of the genes of the model, ${onlyAtlas} are in the atlas and not in the query, ${onlyQuery} in the query and not in the atlas: where a file lacks a gene it counts as zero`,
      remedy: 'Few do no harm; of many, cells of both files lie apart for no reason of biology',
    },
  ]
}
