/** MapGenes of `annotate`: genes of the query onto genes of the model. */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { planGenes } from '../../knowledge/gene-plan.ts'
import type { Species } from '../../knowledge/genes.ts'
import { loadCard } from '../../models/bundle.ts'
import type { MapRequest } from '../lambda-parts.ts'
import type { GeneMaps } from '../workflow.ts'

/** @throws BadInput GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING */
export async function annotateGenes({ settings, inputs, models, model: id }: MapRequest<AnnotateSettings>) {
  const [query] = inputs
  if (query === undefined || id === null) throw new Error('annotate without query or model')
  const model = await loadCard(models, id)
  const { facts, candidates } = query
  const plan = await planGenes({
    place: `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`,
    query: { candidates, ...(settings.gene_column !== undefined && { chosen: settings.gene_column }) },
    model: { genes: model.genes, type: model.geneIds, species: speciesOf(model.organism) },
    ...(settings.organism !== undefined && { organism: settings.organism }),
    matching: settings.gene_matching,
    minGeneFraction: settings.min_gene_fraction,
    minGenes: settings.min_genes,
  })
  const { scaledOver } = model
  const maps: GeneMaps = {
    genes: null,
    ...(scaledOver !== undefined && { scaledOver }),
    plans: { query: plan },
  }
  return { maps, notices: plan.notices }
}

/** Models say their organism in words; of others than these two there is no table of genes. */
function speciesOf(organism: string): Species | null {
  return organism === 'Homo sapiens' || organism === 'Mus musculus' ? organism : null
}
