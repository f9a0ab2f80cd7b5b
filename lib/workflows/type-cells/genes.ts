/**
 * MapGenes of `type-cells`: the genes that the query and all references have in common, by symbol, and which gene of each file is which of
 * them. Whatever a file calls its genes, they meet under one name; genes that one reference lacks are no genes of this job.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import { ensemblId, isControlProbe } from '../../knowledge/gene-ids.ts'
import { type GenePlan, planGenes } from '../../knowledge/gene-plan.ts'
import { type GeneTable, loadGenes, type Species } from '../../knowledge/genes.ts'
import type { MapRequest } from '../lambda-parts.ts'
import type { GeneNames } from '../road/facts.ts'
import type { GeneMaps, InputFacts } from '../workflow.ts'

type Request = MapRequest<TypeCellsSettings>
type Input = Request['inputs'][number]

/** @throws BadInput GENES_NO_SHARED, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING, GENES_NONE_WANTED */
export async function typeCellsGenes({ settings, inputs }: Request) {
  const [query, ...references] = inputs
  if (query === undefined) throw new Error('type-cells without a query')
  const species = settings.organism ?? query.facts.inspection.species
  const table = species === null ? null : await loadGenes(species)
  const named = namesOf(query, settings.gene_column)
  const panel = panelGenes(named.names, { table, wanted: settings.target_genes, place: placeOf(query) })
  const ofQuery = await planOf(query, { candidates: [named], panel, species, settings, chosen: true })
  const ofReferences: GenePlan[] = []
  for (const reference of references)
    ofReferences.push(
      await planOf(reference, { candidates: reference.candidates, panel, species, settings, chosen: false }),
    )
  const shared = sharedGenes(panel, [ofQuery, ...ofReferences])
  const notices = [...ofQuery.notices, ...ofReferences.flatMap(({ notices: told }) => told)]
  notices.push(...checkShared({ shared, panel, plans: ofReferences, inputs, settings }))
  const genes = shared.map((gene) => panel[gene]!)
  const plans = Object.fromEntries(
    inputs.map(({ role }, i) => [role, onto(i === 0 ? ofQuery : ofReferences[i - 1]!, { shared, panel })]),
  )
  return { maps: { genes, plans, models: [] } satisfies GeneMaps, notices }
}

/** The column that was said to name the genes, else the one that InspectInput took. */
function namesOf({ facts, candidates }: Input, wanted: string | undefined): GeneNames {
  const isIndex = wanted === 'index' || wanted === '_index'
  const column = isIndex ? null : (wanted ?? facts.inspection.geneIdDetails.column)
  const found = candidates.find((candidate) => candidate.column === column)
  if (found !== undefined) return found
  if (wanted === undefined) return candidates[0]!
  const columns = candidates.map((candidate) => candidate.column ?? 'index').join(', ')
  const problem = `there is no text column "${wanted}" that could name the genes`
  throw new BadInput('GENE_COLUMN_MISSING', placeOf({ facts }), problem, `Choose one of: ${columns}`)
}

/** The genes of the query by their symbols, each once, in its order; control probes are none. */
function panelGenes(
  names: readonly string[],
  { table, wanted, place }: { table: GeneTable | null; wanted: readonly string[]; place: string },
): string[] {
  const only = wanted.length === 0 ? null : new Set(wanted)
  const panel = new Set<string>()
  for (const name of names) {
    if (name === '' || isControlProbe(name)) continue
    const id = ensemblId(name)
    const symbol = (id === undefined ? undefined : table?.symbolOf(id)) ?? name
    if (only === null || only.has(symbol) || only.has(name)) panel.add(symbol)
  }
  if (panel.size > 0) return [...panel]
  const problem =
    only === null
      ? 'the file has no genes but control probes'
      : `none of the ${only.size} target_genes is in the file`
  throw new BadInput('GENES_NONE_WANTED', place, problem, 'Check the gene column and target_genes')
}

async function planOf(
  input: Pick<Input, 'facts'>,
  of: {
    candidates: GeneNames[]
    panel: readonly string[]
    species: Species | null
    settings: TypeCellsSettings
    chosen: boolean
  },
): Promise<GenePlan> {
  const { candidates, panel, species, settings, chosen } = of
  return planGenes({
    place: placeOf(input),
    query: { candidates, ...(chosen && { chosen: candidates[0]!.column ?? 'index' }) },
    model: { genes: panel, type: 'symbol', species },
    whose: 'the query',
    // the query is translated into the names of the panel, which are its own
    matching: chosen ? 'translated' : settings.gene_matching,
    minGeneFraction: 0,
    minGenes: 1,
  })
}

function placeOf({ facts }: { facts: InputFacts }): string {
  return `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`
}

/** Numbers of the panel's genes that every file has, in the order of their names. */
function sharedGenes(panel: readonly string[], plans: readonly GenePlan[]): number[] {
  const files = new Uint32Array(panel.length)
  for (const { target } of plans) for (const gene of new Set(target)) if (gene >= 0) files[gene]! += 1
  const shared = [...panel.keys()].filter((gene) => files[gene] === plans.length)
  return shared.sort((a, b) => (panel[a]! < panel[b]! ? -1 : 1))
}

/** The same plan with the shared genes for its genes. */
function onto(plan: GenePlan, { shared, panel }: { shared: number[]; panel: readonly string[] }): GenePlan {
  const place = new Int32Array(panel.length).fill(-1)
  for (const [at, gene] of shared.entries()) place[gene] = at
  const target = plan.target.map((gene) => (gene < 0 ? -1 : place[gene]!))
  const matched = target.reduce((count, gene) => count + Number(gene >= 0), 0)
  return {
    ...plan,
    target,
    modelGenes: shared.length,
    found: shared.length,
    share: 1,
    summed: matched - shared.length,
    missing: [],
  }
}

function checkShared(of: {
  shared: number[]
  panel: readonly string[]
  plans: readonly GenePlan[]
  inputs: readonly Input[]
  settings: TypeCellsSettings
}): ErrorReport[] {
  const { shared, panel, plans, inputs, settings } = of
  const [query, ...references] = inputs
  const place = placeOf(query!)
  const seen = plans.map(({ found }, i) => `${references[i]!.facts.inspection.place} has ${found}`).join(', ')
  const counted = `of the ${panel.length} genes of the query ${seen}`
  const least = settings.min_genes
  const remedy = 'Leave out the reference that has the fewest, or check how its genes are called'
  if (shared.length === 0)
    throw new BadInput('GENES_NO_SHARED', place, `no gene is in all files: ${counted}`, remedy)
  if (shared.length < least) {
    const problem = `only ${shared.length} genes are in all files, at least ${least} are needed: ${counted}`
    throw new BadInput('GENES_TOO_FEW', place, problem, `${remedy}; or lower min_genes`)
  }
  if (shared.length === panel.length) return []
  const problem = `${shared.length} of the ${panel.length} genes of the query are in all references and are used: ${counted}`
  const isFew = shared.length < settings.min_gene_fraction * panel.length
  return [{ code: isFew ? 'GENES_LOW_OVERLAP' : 'GENES_NOT_SHARED', place, problem, remedy }]
}
