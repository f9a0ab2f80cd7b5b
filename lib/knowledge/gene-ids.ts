/** What kind of names a list of genes holds, decided by the majority of the names (SpatialCore looks at the first name only). */
import { controlKind } from './control-probes.ts'
import type { GeneTable, Species } from './genes.ts'
import { loadGenes } from './genes.ts'

export type GeneIdType = 'symbol' | 'ensembl' | 'entrez' | 'unknown'

export interface GeneIds {
  type: GeneIdType
  /** null where nothing tells */
  species: Species | null
  /** share of the names that are of this type; of symbols, those that the tables know */
  share: number
  /** most Ensembl ids carry a version suffix, as ENSG00000141510.17 */
  versioned: boolean
  /** in words, for messages: 'Ensembl gene ids of Homo sapiens', 'numbers', 'genomic intervals' */
  looksLike: string
}

const ensemblGene = /^(ENS(?:[A-Z]{3,4})?G\d{11})(\.\d+(?:_PAR_Y)?)?$/
const wholeNumber = /^\d{1,15}$/
const interval = /^(?:chr)?[\w.]{1,40}[:_-]\d{1,12}[-_]\d{1,12}$/i
/** below this share of known names a list is not called a list of symbols */
const leastShare = 0.3
/** indexes of rows stay below this, and any longer list of Entrez ids goes beyond it */
const largestRow = 100_000

/** The id without version where the name is an Ensembl gene id; else undefined. */
export function ensemblId(name: string): string | undefined {
  return name.startsWith('ENS') ? ensemblGene.exec(name)?.[1] : undefined
}

/** Control probes and empty code words of imaging panels: they measure no gene. */
export function isControlProbe(name: string): boolean {
  return controlKind(name) !== undefined
}

const speciesOf = (id: string): Species | null =>
  id.startsWith('ENSG') ? 'Homo sapiens' : id.startsWith('ENSMUSG') ? 'Mus musculus' : null

/** Names that are empty or control probes are left out of every share. */
export async function detectGeneIds(names: readonly string[]): Promise<GeneIds> {
  const tally = { ensembl: 0, versioned: 0, numbers: 0, largest: 0, intervals: 0 }
  const species = { 'Homo sapiens': 0, 'Mus musculus': 0 }
  const words: string[] = []
  let total = 0
  for (const name of names) {
    if (name === '' || isControlProbe(name)) continue
    total++
    const id = ensemblId(name)
    if (id !== undefined) {
      tally.ensembl++
      if (id !== name) tally.versioned++
      const owner = speciesOf(id)
      if (owner !== null) species[owner]++
    } else if (wholeNumber.test(name)) {
      tally.numbers++
      tally.largest = Math.max(tally.largest, Number(name))
    } else if (interval.test(name)) tally.intervals++
    else words.push(name)
  }
  if (total === 0) return { ...nothing, looksLike: 'nothing' }
  const symbols = await countSymbols(words)
  const most = Math.max(tally.ensembl, tally.numbers, tally.intervals, symbols.known)
  const share = most / total
  if (most === 0 || share < leastShare)
    return { ...nothing, share: 0, looksLike: 'names of no kind that is known' }
  if (most === tally.ensembl)
    return ensemblIds(species, { share, versioned: tally.versioned * 2 > tally.ensembl })
  if (most === symbols.known)
    return { type: 'symbol', species: symbols.species, share, versioned: false, looksLike: symbols.words }
  if (most === tally.intervals) return { ...nothing, share, looksLike: 'genomic intervals' }
  if (tally.largest <= largestRow) return { ...nothing, share, looksLike: 'numbers' }
  return { type: 'entrez', species: null, share, versioned: false, looksLike: 'numbers, perhaps Entrez ids' }
}

const nothing: GeneIds = { type: 'unknown', species: null, share: 0, versioned: false, looksLike: '' }

function ensemblIds(counts: Record<Species, number>, rest: { share: number; versioned: boolean }): GeneIds {
  const [human, mouse] = [counts['Homo sapiens'], counts['Mus musculus']]
  const species = human === 0 && mouse === 0 ? null : human >= mouse ? 'Homo sapiens' : 'Mus musculus'
  const looksLike = `Ensembl gene ids${species === null ? ' of another species' : ` of ${species}`}`
  return { type: 'ensembl', species, ...rest, looksLike }
}

/** Symbols of the species that knows more of them; all upper-case ones can be human, or mouse symbols written so. */
async function countSymbols(
  words: string[],
): Promise<{ species: Species | null; known: number; words: string }> {
  if (words.length === 0) return { species: null, known: 0, words: '' }
  const [human, mouse] = await Promise.all([loadGenes('Homo sapiens'), loadGenes('Mus musculus')])
  const inHuman = words.filter((word) => isKnown(word, human)).length
  const inMouse = words.filter((word) => isKnown(word, mouse)).length
  const folded = words.filter((word) => mouse.foldedSymbol(word) !== undefined).length
  if (inHuman >= inMouse && inHuman >= folded)
    return { species: 'Homo sapiens', known: inHuman, words: 'symbols of Homo sapiens' }
  const upper = folded > inMouse && inHuman > inMouse
  const written = upper ? ', in upper case' : ''
  return {
    species: 'Mus musculus',
    known: upper ? folded : inMouse,
    words: `symbols of Mus musculus${written}`,
  }
}

const isKnown = (name: string, table: GeneTable) =>
  table.idsOf(name).length > 0 || table.currentOf(name) !== undefined
