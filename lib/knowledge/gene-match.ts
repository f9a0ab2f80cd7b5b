/**
 * Which gene of a model each gene of a file is. Names that are equal come first; then the same gene under another kind of name
 * (Ensembl id, symbol); then, only for model genes that nothing better has claimed, orthologues, former symbols, aliases and
 * names that differ in case. Whatever may mean two genes means none. The order of the genes changes nothing.
 */
import { ensemblId, isControlProbe } from './gene-ids.ts'
import type { GeneTable, Species } from './genes.ts'
import type { Orthologues } from './orthologues.ts'

/** How many genes of the file were matched in each way. */
export interface MatchCounts {
  exact: number
  unversioned: number
  symbolFromEnsembl: number
  ensemblFromSymbol: number
  orthologue: number
  previousSymbol: number
  alias: number
  caseFolded: number
}

export interface Knowledge {
  /** null where the species is not known: then only equal names match */
  query: GeneTable | null
  model: GeneTable | null
  /** given when the two species differ */
  orthologues: Orthologues | null
}

export interface GeneMatch {
  /** of each gene of the file: its number in the model, or -1 */
  target: Int32Array
  how: MatchCounts
  /** genes of the file that could be several genes of the model, or that share an old name: left out */
  ambiguous: string[]
  /** genes of the file with several orthologues: left out */
  manyOrthologues: number
  controls: number
}

export interface ModelIndex {
  exact: Map<string, number>
  /** by Ensembl id without version */
  unversioned: Map<string, number>
  /** by symbol of today; made only when a name is not found otherwise */
  bySymbol: Map<string, { gene: number; kind: NameKind }[]>
}

type NameKind = 'symbol' | 'ensembl' | 'previous' | 'alias' | 'folded'

/** What a name stands for: a symbol of today, and how that is known. */
interface Meaning {
  symbol: string
  kind: NameKind
}

type Tier = keyof MatchCounts

/** Tiers that may claim a model gene only when no better one has, in this order; the others may be summed. */
const laterTiers: readonly Tier[] = ['orthologue', 'previousSymbol', 'alias', 'caseFolded']

export function indexModel(genes: readonly string[], table: GeneTable | null): ModelIndex {
  const index: ModelIndex = { exact: new Map(), unversioned: new Map(), bySymbol: new Map() }
  for (const [gene, name] of genes.entries()) {
    if (!index.exact.has(name)) index.exact.set(name, gene)
    const id = ensemblId(name)
    if (id !== undefined && !index.unversioned.has(id)) index.unversioned.set(id, gene)
    const meaning = meaningOf(name, table)
    if (meaning === undefined) continue
    const entries = index.bySymbol.get(meaning.symbol)
    if (entries === undefined) index.bySymbol.set(meaning.symbol, [{ gene, kind: meaning.kind }])
    else entries.push({ gene, kind: meaning.kind })
  }
  return index
}

/**
 * @param names of the genes of the file
 * @param model made by `indexModel` with `knowledge.model`
 */
export function matchGenes(
  names: readonly string[],
  given: { model: ModelIndex; knowledge: Knowledge },
): GeneMatch {
  const { model, knowledge } = given
  const found: GeneMatch = {
    target: new Int32Array(names.length).fill(-1),
    how: noCounts(),
    ambiguous: [],
    manyOrthologues: 0,
    controls: 0,
  }
  const claimed = new Set<number>()
  const later = new Map<Tier, Claim[]>(laterTiers.map((tier) => [tier, []]))
  for (const [row, name] of names.entries()) {
    if (name === '') continue
    if (isControlProbe(name)) {
      found.controls++
      continue
    }
    const claim = equalName(name, model) ?? otherName(name, { model, knowledge, found })
    if (claim === undefined) continue
    const waiting = later.get(claim.tier)
    if (waiting !== undefined) waiting.push({ ...claim, row, name })
    else {
      found.target[row] = claim.gene
      found.how[claim.tier]++
      claimed.add(claim.gene)
    }
  }
  for (const [tier, claims] of later) settle(claims, { tier, claimed, found })
  return found
}

interface Claim {
  tier: Tier
  gene: number
  row: number
  name: string
}

type Found = Omit<Claim, 'row' | 'name'> | undefined

function equalName(name: string, model: ModelIndex): Found {
  const gene = model.exact.get(name)
  if (gene !== undefined) return { tier: 'exact', gene }
  const id = ensemblId(name)
  const unversioned = id === undefined ? undefined : model.unversioned.get(id)
  return unversioned === undefined ? undefined : { tier: 'unversioned', gene: unversioned }
}

function otherName(
  name: string,
  given: { model: ModelIndex; knowledge: Knowledge; found: GeneMatch },
): Found {
  const { model, knowledge, found } = given
  const meaning = meaningOf(name, knowledge.query) ?? foldedMeaning(name, knowledge.query)
  if (meaning === undefined || knowledge.query === null) return undefined
  const symbol = symbolInModel(meaning.symbol, { knowledge, from: knowledge.query.species, found })
  if (symbol === undefined) return undefined
  const entries = model.bySymbol.get(symbol) ?? []
  const best = nameKinds.find((kind) => entries.some((entry) => entry.kind === kind))
  const genes = new Set(entries.filter((entry) => entry.kind === best).map((entry) => entry.gene))
  if (best === undefined) return undefined
  if (genes.size > 1) {
    found.ambiguous.push(name)
    return undefined
  }
  const tier = knowledge.orthologues === null ? tierOf(meaning.kind, best) : 'orthologue'
  return tier === undefined ? undefined : { tier, gene: entries.find((entry) => entry.kind === best)!.gene }
}

/** From the surest to the least sure. */
const nameKinds: readonly NameKind[] = ['symbol', 'ensembl', 'previous', 'alias', 'folded']

/** The weaker of the two names decides; two Ensembl ids of one symbol are two genes. */
function tierOf(query: NameKind, model: NameKind): Tier | undefined {
  const weaker = nameKinds[Math.max(nameKinds.indexOf(query), nameKinds.indexOf(model))]
  if (weaker === 'previous') return 'previousSymbol'
  if (weaker === 'alias') return 'alias'
  if (weaker === 'folded') return 'caseFolded'
  if (query === model) return undefined
  return query === 'ensembl' ? 'symbolFromEnsembl' : 'ensemblFromSymbol'
}

function symbolInModel(
  symbol: string,
  given: { knowledge: Knowledge; from: Species; found: GeneMatch },
): string | undefined {
  const { orthologues } = given.knowledge
  if (orthologues === null) return symbol
  if (orthologues.isManyToMany(symbol, given.from)) given.found.manyOrthologues++
  return orthologues.partnerOf(symbol, given.from)
}

function meaningOf(name: string, table: GeneTable | null): Meaning | undefined {
  if (table === null) return undefined
  const id = ensemblId(name)
  if (id !== undefined) {
    const symbol = table.symbolOf(id)
    return symbol === undefined ? undefined : { symbol, kind: 'ensembl' }
  }
  if (table.idsOf(name).length > 0) return { symbol: name, kind: 'symbol' }
  const current = table.currentOf(name)
  return current
}

function foldedMeaning(name: string, table: GeneTable | null): Meaning | undefined {
  const symbol = table?.foldedSymbol(name)
  return symbol === undefined ? undefined : { symbol, kind: 'folded' }
}

/** Gives unclaimed model genes to the only name of this tier that asks for them. */
function settle(claims: Claim[], given: { tier: Tier; claimed: Set<number>; found: GeneMatch }): void {
  const { tier, claimed, found } = given
  const namesOf = new Map<number, Set<string>>()
  for (const { gene, name } of claims) {
    if (claimed.has(gene)) continue
    const names = namesOf.get(gene)
    if (names === undefined) namesOf.set(gene, new Set([name]))
    else names.add(name)
  }
  for (const { gene, name, row } of claims) {
    const names = namesOf.get(gene)
    if (names === undefined) continue
    if (names.size > 1) found.ambiguous.push(name)
    else {
      found.target[row] = gene
      found.how[tier]++
      claimed.add(gene)
    }
  }
}

function noCounts(): MatchCounts {
  return {
    exact: 0,
    unversioned: 0,
    symbolFromEnsembl: 0,
    ensemblFromSymbol: 0,
    orthologue: 0,
    previousSymbol: 0,
    alias: 0,
    caseFolded: 0,
  }
}
