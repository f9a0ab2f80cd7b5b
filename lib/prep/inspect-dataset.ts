/**
 * Everything that is known of a file before a job starts: shapes and columns, where the raw counts are, the state of X, what
 * kind of gene names it has and of which species. This is what `celldrop inspect --json` prints and the state InspectInput
 * hands on; by ranges it reads some megabytes of a file of any size.
 */
import type { CellFile, Column, Table } from '../data/cells.ts'
import { type DatasetFacts, gatherFacts } from '../data/facts.ts'
import type { ErrorReport } from '../job/errors.ts'
import { detectGeneIds, type GeneIds } from '../knowledge/gene-ids.ts'
import { type CountsState, type DetectOptions, detectCounts } from './counts-state.ts'

export interface GeneIdCandidate extends GeneIds {
  /** of var; null = its index */
  column: string | null
}

export interface Inspection extends DatasetFacts {
  rawCounts: CountsState['rawCounts']
  normalisation: CountsState['normalisation']['state']
  normalisationDetails: CountsState['normalisation'] & { checked: CountsState['checked'] }
  geneIds: GeneIds['type']
  /** the candidate that was taken, and all of them, the index first */
  geneIdDetails: GeneIdCandidate & { candidates: GeneIdCandidate[] }
  species: GeneIds['species']
  notices: ErrorReport[]
}

/** @throws BadInput COUNTS_LAYER_MISSING, and what reading throws */
export async function inspectDataset(file: CellFile, options: DetectOptions): Promise<Inspection> {
  const facts = await gatherFacts(file)
  const counts = await detectCounts(file, options)
  const candidates = await geneIdCandidates(await file.var())
  const chosen = chooseGeneIds(candidates)
  const notices = [...file.notices, ...counts.notices, ...geneIdNotices(file, chosen)]
  return {
    ...facts,
    rawCounts: counts.rawCounts,
    normalisation: counts.normalisation.state,
    normalisationDetails: { ...counts.normalisation, checked: counts.checked },
    geneIds: chosen.type,
    geneIdDetails: { ...chosen, candidates },
    species: chosen.species ?? candidates.find(({ species }) => species !== null)?.species ?? null,
    // those of the file are among the warnings already
    warnings: [...facts.warnings, ...notices.slice(file.notices.length).map(({ problem }) => problem)],
    notices,
  }
}

/** a column in which fewer names are known is taken for something else than gene names */
const leastShare = 0.5
const mostColumns = 32

async function geneIdCandidates(genes: Table): Promise<GeneIdCandidate[]> {
  const candidates: GeneIdCandidate[] = [{ column: null, ...(await detectGeneIds(genes.index)) }]
  const columns = [...genes.columns].filter(([, column]) => isText(column)).slice(0, mostColumns)
  for (const [name, column] of columns) {
    const found = await detectGeneIds(textsOf(column))
    if (found.type !== 'unknown' && found.share >= leastShare) candidates.push({ column: name, ...found })
  }
  return candidates
}

/** The index where most of its names are known, else what has most known names; of equals, a column that is called so. */
function chooseGeneIds(candidates: GeneIdCandidate[]): GeneIdCandidate {
  const index = candidates[0]!
  const named = candidates.filter(({ type }) => type === 'symbol' || type === 'ensembl')
  if (named[0] === index && index.share >= leastShare) return index
  const rank = ({ share, column }: GeneIdCandidate): number =>
    share + (/gene|ensembl|feature|symbol/i.test(column ?? '') ? 1e-6 : 0)
  return named.reduce((best, next) => (rank(next) > rank(best) ? next : best), named[0] ?? index)
}

function geneIdNotices(file: CellFile, chosen: GeneIdCandidate): ErrorReport[] {
  const place = `${file.place}:var`
  if (chosen.type === 'unknown') {
    const problem = `the gene names are no symbols, Ensembl or Entrez ids: the index holds ${chosen.looksLike}`
    const remedy = 'Name the column of var that holds symbols or Ensembl ids as the gene column'
    return [{ code: 'GENE_IDS_UNKNOWN', place, problem, remedy }]
  }
  if (chosen.column === null) return []
  const problem = `column '${chosen.column}' of var holds ${chosen.looksLike}, which its index does not`
  const remedy = 'Name another column as the gene column if that is not what you want'
  return [{ code: 'GENE_IDS_IN_COLUMN', place, problem, remedy }]
}

function isText(column: Column): boolean {
  return column.kind === 'string' || (column.kind === 'categorical' && column.categories.kind === 'string')
}

/** One name a gene; '' where it is missing. */
function textsOf(column: Column): string[] {
  if (column.kind === 'string') return column.values.map((value) => value ?? '')
  if (column.kind !== 'categorical' || column.categories.kind !== 'string') return []
  const names = column.categories.values
  return Array.from(column.codes, (code) => names[code] ?? '')
}
