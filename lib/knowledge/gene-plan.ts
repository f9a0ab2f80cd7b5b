/**
 * The gene plan of a file and a model: which column of the file names the genes, and which gene of the model each of them is.
 * CellTypist matches equal strings only, so ids against symbols, version suffixes, mouse data or yesterday's symbols end in
 * "9 genes used"; here each is translated, counted and said. Genes of the file that are one gene of the model are summed later.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import type { GeneIds, GeneIdType } from './gene-ids.ts'
import { detectGeneIds } from './gene-ids.ts'
import type { GeneMatch, Knowledge, MatchCounts } from './gene-match.ts'
import { indexModel, matchGenes } from './gene-match.ts'
import { planNotices } from './gene-plan-notices.ts'
import type { GeneTable, Species } from './genes.ts'
import { loadGenes } from './genes.ts'
import { loadOrthologues } from './orthologues.ts'

/** Names of the genes of a file: of the index (column null) or of a text column; '' where a gene has none. */
export interface GeneNames {
  column: string | null
  names: readonly string[]
}

export interface GenePlanRequest {
  /** every column that may name the genes, the index first; `chosen` is the user's ('index' for the index) */
  query: { candidates: readonly GeneNames[]; chosen?: string | undefined }
  model: { genes: readonly string[]; type: GeneIdType; species: Species | null }
  /** what these genes are in messages: 'the model' unless told */
  whose?: string
  /** 'exact' takes equal names only, as CellTypist does; 'translated' unless told */
  matching?: 'translated' | 'exact'
  /** what the user says the cells are; else the names tell */
  organism?: Species | undefined
  /** below this share of the model's genes there is a notice; 0.8 unless told */
  minGeneFraction?: number
  /** below this many genes (or half of a smaller model) there is no answer; 50 unless told */
  minGenes?: number
  /** where the genes stand, for messages: 'query.h5ad:/var' */
  place?: string
}

export interface GenePlan {
  /** the column that names the genes, null for the index */
  column: string | null
  idType: GeneIdType
  /** of the file */
  species: Species | null
  /** of each gene of the file its number in the model, or -1 */
  target: number[]
  queryGenes: number
  modelGenes: number
  /** genes of the model that the file has, and their share */
  found: number
  share: number
  /** genes of the file that are added to another one of the same model gene: matched genes - found */
  summed: number
  how: MatchCounts
  /** genes of the model that the file has not, in the model's order */
  missing: string[]
  notices: ErrorReport[]
}

/**
 * @throws BadInput GENE_COLUMN_MISSING, GENES_NO_OVERLAP, GENES_TOO_FEW
 * Notices: GENES_LOW_OVERLAP, GENE_COLUMN_GUESSED, GENES_TRANSLATED, GENES_OTHER_SPECIES, GENES_SUMMED, GENES_AMBIGUOUS,
 * GENES_CONTROL_PROBES, ORGANISM_CONTRADICTED.
 */
export async function planGenes(request: GenePlanRequest): Promise<GenePlan> {
  const place = request.place ?? 'var'
  const { model } = request
  const modelSpecies = model.species ?? (await detectGeneIds(model.genes)).species
  const isExact = request.matching === 'exact'
  const modelTable = modelSpecies === null || isExact ? null : await loadGenes(modelSpecies)
  const index = indexModel(model.genes, modelTable)
  const choices: Choice[] = []
  for (const candidate of candidatesOf(request, place)) {
    const ids = await detectGeneIds(candidate.names)
    const species = request.organism ?? ids.species ?? modelSpecies
    const knowledge = await knowledgeOf(isExact ? null : species, modelTable)
    const match = matchGenes(candidate.names, { model: index, knowledge })
    const found = new Set(match.target)
    found.delete(-1)
    choices.push({ candidate, ids, species, match, found })
  }
  const best = choices.reduce((best, next) => (isBetter(next, best) ? next : best))
  const plan = planOf(best, model.genes)
  refuseTooFew(plan, { request, choices, place })
  plan.notices = planNotices(plan, {
    ...best,
    organism: request.organism,
    modelSpecies,
    chosen: request.query.chosen !== undefined,
    minGeneFraction: request.minGeneFraction ?? 0.8,
    whose: request.whose ?? 'the model',
    place,
  })
  return plan
}

interface Choice {
  candidate: GeneNames
  ids: GeneIds
  species: Species | null
  match: GeneMatch
  found: Set<number>
}

/** More genes of the model; then more by equal names; then the column that comes first. */
const isBetter = (a: Choice, b: Choice) =>
  a.found.size > b.found.size || (a.found.size === b.found.size && a.match.how.exact > b.match.how.exact)

function candidatesOf(request: GenePlanRequest, place: string): readonly GeneNames[] {
  const { candidates, chosen } = request.query
  if (candidates.length === 0) throw new RangeError('a gene plan needs at least the index')
  if (chosen === undefined) return candidates
  const named = candidates.filter(({ column }) => column === chosen)
  if (named.length > 0) return named
  const index = candidates.filter(({ column }) => column === null)
  if (index.length > 0 && (chosen === 'index' || chosen === '_index')) return index
  const columns = candidates.map(({ column }) => column ?? 'index').join(', ')
  throw new BadInput(
    'GENE_COLUMN_MISSING',
    place,
    `there is no text column '${chosen.slice(0, 100)}' that could name the genes`,
    `Choose one of: ${columns}`,
  )
}

async function knowledgeOf(species: Species | null, model: GeneTable | null): Promise<Knowledge> {
  const query = species === null ? null : await loadGenes(species)
  const differ = query !== null && model !== null && query.species !== model.species
  return { query, model, orthologues: differ ? await loadOrthologues() : null }
}

function planOf(choice: Choice, genes: readonly string[]): GenePlan {
  const { candidate, ids, species, match, found } = choice
  const matched = match.target.reduce((count, gene) => count + (gene >= 0 ? 1 : 0), 0)
  return {
    column: candidate.column,
    idType: ids.type,
    species,
    target: Array.from(match.target),
    queryGenes: candidate.names.length,
    modelGenes: genes.length,
    found: found.size,
    share: genes.length === 0 ? 0 : found.size / genes.length,
    summed: matched - found.size,
    how: match.how,
    missing: genes.filter((_, gene) => !found.has(gene)),
    notices: [],
  }
}

function refuseTooFew(
  plan: GenePlan,
  given: { request: GenePlanRequest; choices: Choice[]; place: string },
): void {
  const { request, choices, place } = given
  const { whose = 'the model' } = request
  const seen = choices
    .map(({ candidate, ids }) => `${candidate.column ?? 'the index'} holds ${ids.looksLike}`)
    .slice(0, 10)
    .join('; ')
  const wanted = `${whose} has ${kindOf(request.model)}, such as ${request.model.genes.slice(0, 3).join(', ')}`
  if (plan.found === 0)
    throw new BadInput(
      'GENES_NO_OVERLAP',
      place,
      `none of the ${plan.modelGenes} genes of ${whose} is in the file: ${seen}; ${wanted}`,
      request.query.chosen === undefined
        ? 'Name the column of var that holds gene symbols or Ensembl ids as the gene column'
        : 'Leave the gene column out, so that every column is tried, or name another one',
    )
  const least = Math.min(request.minGenes ?? 50, Math.ceil(plan.modelGenes / 2))
  if (plan.found < least)
    throw new BadInput(
      'GENES_TOO_FEW',
      place,
      `only ${plan.found} of the ${plan.modelGenes} genes of ${whose} are in the file, at least ${least} are needed: ${seen}; ${wanted}`,
      'Use a model of the same genes (train one on the genes of this panel), or check the gene column',
    )
}

function kindOf(model: GenePlanRequest['model']): string {
  const kind = { symbol: 'symbols', ensembl: 'Ensembl ids', entrez: 'Entrez ids', unknown: 'names' }[
    model.type
  ]
  return model.species === null ? kind : `${kind} of ${model.species}`
}
