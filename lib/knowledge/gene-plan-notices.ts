/** What a user must know about a gene plan: everything that was guessed, translated, left out or is missing, with numbers. */
import type { ErrorReport } from '../job/errors.ts'
import type { GeneIds } from './gene-ids.ts'
import type { GeneMatch, MatchCounts } from './gene-match.ts'
import type { GenePlan } from './gene-plan.ts'
import type { Species } from './genes.ts'

export interface NoticeContext {
  ids: GeneIds
  match: GeneMatch
  species: Species | null
  organism: Species | undefined
  modelSpecies: Species | null
  chosen: boolean
  minGeneFraction: number
  /** 'the model' */
  whose: string
  place: string
}

export function planNotices(plan: GenePlan, context: NoticeContext): ErrorReport[] {
  const { ids, match, place, whose } = context
  const notices: ErrorReport[] = []
  const say = (code: string, problem: string, remedy: string) =>
    notices.push({ code, place, problem, remedy })
  if (plan.share < context.minGeneFraction)
    say(
      'GENES_LOW_OVERLAP',
      `${plan.found} of the ${plan.modelGenes} genes of ${whose} are in the file (${percent(plan.share)}), fewer than ${percent(context.minGeneFraction)}`,
      'Answers rest on fewer genes than there could be: check the gene column, or use a file or model with more of them',
    )
  if (plan.column !== null && !context.chosen)
    say(
      'GENE_COLUMN_GUESSED',
      `genes are named by the column '${plan.column}', which fits ${whose} best`,
      'Name the gene column if it should be another',
    )
  const translated = plan.how
  const ways = translations
    .filter(([way]) => translated[way] > 0)
    .map(([way, words]) => `${translated[way]} ${words}`)
  if (ways.length > 0)
    say(
      'GENES_TRANSLATED',
      `genes were matched otherwise than by equal names: ${ways.join(', ')}`,
      'Nothing to do',
    )
  sayOfSpecies(context, say)
  if (plan.summed > 0)
    say(
      'GENES_SUMMED',
      `${plan.summed} genes of the file are the same gene of ${whose} as another one; their counts are added`,
      'Nothing to do',
    )
  if (match.ambiguous.length > 0)
    say(
      'GENES_AMBIGUOUS',
      `${match.ambiguous.length} genes could be several genes of ${whose} and are left out: ${match.ambiguous.slice(0, 5).join(', ')}`,
      `Name them as ${whose} does`,
    )
  if (match.controls > 0)
    say(
      'GENES_CONTROL_PROBES',
      `${match.controls} of the ${plan.queryGenes} names are control probes, not genes, and take no part`,
      'Nothing to do',
    )
  if (ids.type === 'unknown' && plan.found > 0)
    say(
      'GENE_NAMES_UNKNOWN',
      `the names of the genes are of no kind that is known (${ids.looksLike}); they were compared letter by letter`,
      `Check that ${whose} has the same names`,
    )
  return notices
}

const translations: readonly [keyof MatchCounts, string][] = [
  ['unversioned', 'Ensembl ids without their version'],
  ['symbolFromEnsembl', 'from Ensembl id to symbol'],
  ['ensemblFromSymbol', 'from symbol to Ensembl id'],
  ['orthologue', 'to the orthologue'],
  ['previousSymbol', 'by a former symbol'],
  ['alias', 'by an alias'],
  ['caseFolded', 'in spite of upper and lower case'],
]

function sayOfSpecies(
  context: NoticeContext,
  say: (code: string, problem: string, remedy: string) => void,
): void {
  const { ids, match, organism, species, modelSpecies, whose } = context
  if (organism !== undefined && ids.species !== null && ids.species !== organism)
    say(
      'ORGANISM_CONTRADICTED',
      `the job says ${organism}, but the file holds ${ids.looksLike}`,
      'Check the organism; the one of the job was used',
    )
  if (species !== null && modelSpecies !== null && species !== modelSpecies) {
    const left = match.manyOrthologues
    const several = left > 0 ? `; ${left} genes with several partners are left out` : ''
    say(
      'GENES_OTHER_SPECIES',
      `the cells are of ${species} and ${whose} is of ${modelSpecies}: genes were joined by orthologues of one to one${several}`,
      'Labels across species are less sure; prefer a model of the same species',
    )
  }
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`
