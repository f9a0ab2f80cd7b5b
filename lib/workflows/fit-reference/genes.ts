/**
 * MapGenes of `fit-reference`: the genes that may be learnt from, by the names that the model will know them by: those of the panel, or the
 * atlas's own, each once and without control probes. Which of these vary is found out in Prepare, where the counts are.
 */
import { BadInput } from '../../job/errors.ts'
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import { detectGeneIds, isControlProbe } from '../../knowledge/gene-ids.ts'
import { planGenes } from '../../knowledge/gene-plan.ts'
import { zeroFilledNotices } from '../../prep/zero-filled.ts'
import type { MapRequest } from '../lambda-parts.ts'
import { requireCounts } from '../parts/require-counts.ts'
import type { GeneMaps } from '../workflow.ts'
import { readPanel } from './gene-panel.ts'

const fewestGenes = 2

/** @throws BadInput COUNTS_NEEDED, GENE_PANEL, GENES_NONE_WANTED, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING */
export async function fitReferenceGenes(request: MapRequest<FitReferenceSettings>) {
  const { settings, inputs, documents } = request
  const [atlas] = inputs
  if (atlas === undefined) throw new Error('fit-reference without an atlas')
  const { facts, candidates } = atlas
  requireCounts(facts)
  const place = `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`
  const organism = settings.organism
  const panel = documents.gene_panel
  const column = settings.gene_column ?? facts.inspection.geneIdDetails.column ?? 'index'
  if (panel !== undefined) {
    const genes = readPanel(panel)
    const ids = await detectGeneIds(genes)
    const plan = await planGenes({
      place,
      query: { candidates, chosen: settings.gene_column },
      model: { genes, type: ids.type, species: ids.species },
      whose: 'the panel',
      matching: settings.gene_matching,
      organism,
      minGeneFraction: settings.min_gene_fraction,
      minGenes: settings.min_genes,
    })
    const notices = [...plan.notices, ...zeroFilledNotices(plan, { place, whose: 'the panel' })]
    return { maps: { genes, plans: { atlas: plan }, models: [] } satisfies GeneMaps, notices }
  }
  const own = candidates.find((one) => (one.column ?? 'index') === (column === '_index' ? 'index' : column))
  const genes = [...new Set(own?.names ?? [])].filter((name) => name !== '' && !isControlProbe(name))
  if (own !== undefined && genes.length < fewestGenes)
    throw new BadInput('GENES_NONE_WANTED', place, `it names ${genes.length} genes`, 'Check the gene column')
  const plan = await planGenes({
    place,
    query: { candidates, chosen: column },
    // an unknown column is refused there, with those that there are
    model: { genes: genes.length === 0 ? ['none'] : genes, type: 'unknown', species: null },
    whose: 'the atlas',
    matching: 'exact',
    organism,
    minGeneFraction: 0,
    minGenes: 1,
  })
  return { maps: { genes, plans: { atlas: plan }, models: [] } satisfies GeneMaps, notices: plan.notices }
}
