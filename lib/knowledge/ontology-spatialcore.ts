/**
 * The label search of SpatialCore 0.3.0, for parity: patterns first (searched anywhere in the label), then the exact name, then the
 * best of token rules over every term; the first in index order wins a tie. Its known faults are kept: "beta cell" becomes a
 * transit amplifying cell, and whatever stands in an index of other ontologies can come back as a cell type.
 */
import type { Ontology } from './ontology.ts'
import { spatialCorePatterns } from './spatialcore-patterns.ts'

export type SpatialCoreTier = 'tier0_pattern' | 'tier1_exact' | 'tier2_token' | 'tier3_overlap'

/** As SpatialCore's index file: terms by name in lower case, in the file's order. */
export interface SpatialCoreIndex {
  cl: Readonly<Record<string, { id: string; name: string }>>
}

export interface SpatialCoreHit {
  id: string
  name: string
  tier: SpatialCoreTier
  score: number
}

/** Labels that it does not search, as they are written. */
export const skippedBySpatialCore: ReadonlySet<string> = new Set(
  'Unassigned unassigned Unknown unknown NA N/A nan Other other Doublet doublet Doublets doublets Filtered filtered'
    .split(' ')
    .concat('Low quality', 'low quality'),
)

/** Our ontology as such an index: names, and EXACT synonyms where no term has the name. */
export function indexOfOntology(ontology: Ontology): SpatialCoreIndex {
  const known = ours.get(ontology)
  if (known !== undefined) return known
  const cl: Record<string, { id: string; name: string }> = {}
  for (const { id, name } of ontology.terms) cl[name.toLowerCase()] = { id, name }
  for (const { id, name, synonyms } of ontology.terms)
    for (const { text, scope } of synonyms) if (scope === 'exact') cl[text.toLowerCase()] ??= { id, name }
  const index = { cl }
  ours.set(ontology, index)
  return index
}

const ours = new WeakMap<Ontology, SpatialCoreIndex>()

export function searchSpatialCore(
  label: string,
  given: { index: SpatialCoreIndex; minScore: number },
): { hits: SpatialCoreHit[]; canonical: string | null } {
  const lower = label.toLowerCase().trim().replaceAll('_', ' ')
  const canonical = spatialCorePatterns.find(([pattern]) => pattern.test(lower))?.[1] ?? null
  const query = canonical ?? lower
  const exact = Object.hasOwn(given.index.cl, query) ? given.index.cl[query] : undefined
  if (exact !== undefined) {
    const found = canonical === null ? ['tier1_exact', 1] : ['tier0_pattern', 0.95]
    return { hits: [{ ...exact, tier: found[0] as SpatialCoreTier, score: found[1] as number }], canonical }
  }
  const asked = prepareQuery(query)
  const hits: SpatialCoreHit[] = []
  for (const term of termsOf(given.index)) {
    const score = scoreOf(asked, { term, fromPattern: canonical !== null })
    if (score >= given.minScore)
      hits.push({ id: term.id, name: term.name, tier: score >= 0.7 ? 'tier2_token' : 'tier3_overlap', score })
  }
  return { hits: hits.sort((a, b) => b.score - a.score), canonical }
}

/** Score of a query against the name of a term, both in lower case; 0.95 is the most for names that are not equal. */
export function spatialCoreScore(query: string, term: string, options?: { fromPattern?: boolean }): number {
  const fromPattern = options?.fromPattern ?? false
  if (query === term) return fromPattern ? 0.95 : 1
  return scoreOf(prepareQuery(query), { term: prepareTerm(term, { id: '', name: term }), fromPattern })
}

export interface SpatialCoreTokens {
  /** CD markers */
  markers: string[]
  /** IgA..IgM and names with a plus sign */
  proteins: string[]
  core: string[]
  modifiers: string[]
}

const modifierWords = new Set(
  (
    'positive negative high low like type mature immature activated resting proliferating pro pre post inflammatory naive ' +
    'memory effector resident circulating'
  ).split(' '),
)
const genericWords = new Set(['cell', 'cells', 'type', 'like'])
const shortWords = new Set('b t nk dc ec ve ta m1 m2 cd th ilc'.split(' '))

export function spatialCoreTokens(text: string): SpatialCoreTokens {
  const lower = text.toLowerCase()
  const markers = lower.match(/cd\d+/g) ?? []
  const immunoglobulins = lower.match(/ig[gamed]/g) ?? []
  const withoutMarkers = lower.replace(/cd\d+|ig[gamed]/g, ' ')
  const proteins = withoutMarkers.match(/[a-z0-9]{3,}(?=\+)/g) ?? []
  const words = withoutMarkers
    .replace(/[+-]/g, ' ')
    .replace(/\d/g, '')
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
  const tokens: SpatialCoreTokens = {
    markers,
    proteins: [...immunoglobulins, ...proteins],
    core: [],
    modifiers: [],
  }
  for (const word of words) {
    if (modifierWords.has(word)) tokens.modifiers.push(word)
    else if (!genericWords.has(word) && (word.length > 1 || shortWords.has(word))) tokens.core.push(word)
  }
  return tokens
}

interface Query {
  text: string
  folded: string
  tokens: SpatialCoreTokens
  words: Set<string>
  hasPrefix: boolean
}

interface PreparedTerm {
  id: string
  name: string
  text: string
  folded: string
  words: Set<string>
  spaced: Set<string>
  hasPrefix: boolean
}

const fold = (text: string) =>
  text
    .replace(/[+\-,]/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
const prefixes = /pro|pre|post|immature|ecto|endo/
const wordsIn = (text: string, apart: RegExp) => new Set(text.split(apart).filter((word) => word !== ''))

function prepareQuery(text: string): Query {
  const words = wordsIn(text, /\s+/)
  for (const word of genericWords) words.delete(word)
  return { text, folded: fold(text), tokens: spatialCoreTokens(text), words, hasPrefix: prefixes.test(text) }
}

function prepareTerm(text: string, term: { id: string; name: string }): PreparedTerm {
  return {
    ...term,
    text,
    folded: fold(text),
    words: wordsIn(text, /[\s,-]+/),
    spaced: wordsIn(text, /\s+/),
    hasPrefix: prefixes.test(text),
  }
}

/** cell, native cell, eukaryotic cell: never a match */
const tooWide = new Set(['CL:0000000', 'CL:0000003', 'CL:0000255'])
const prepared = new WeakMap<SpatialCoreIndex, PreparedTerm[]>()

function termsOf(index: SpatialCoreIndex): PreparedTerm[] {
  const known = prepared.get(index)
  if (known !== undefined) return known
  const terms = Object.entries(index.cl)
    .filter(([text, { id }]) => id.startsWith('CL:') && !tooWide.has(id) && !text.startsWith('obsolete'))
    .map(([text, term]) => prepareTerm(text, term))
  prepared.set(index, terms)
  return terms
}

function scoreOf(query: Query, given: { term: PreparedTerm; fromPattern: boolean }): number {
  const { term, fromPattern } = given
  if (query.folded === term.folded) return fromPattern ? 0.92 : 0.95
  if (query.text.length >= 4) {
    if (holdsAsWords(term.text, query.text)) return fromPattern ? 0.88 : 0.9
    if (holdsAsWords(query.text, term.text)) return fromPattern ? 0.86 : 0.88
  }
  const { core, markers } = query.tokens
  if (core.length > 0 && core.every((word) => term.words.has(word))) {
    let score = 0.7
    if (core.length === 1 && core[0]!.length <= 2) score -= 0.15
    if (term.hasPrefix && !query.hasPrefix) score -= 0.15
    if (markers.some((marker) => term.text.includes(marker))) score = Math.max(score, 0.75)
    if (core.length >= 2) score = Math.min(score + 0.05, 0.85)
    return score
  }
  let shared = 0
  for (const word of query.words) if (term.spaced.has(word)) shared++
  const union = query.words.size + term.spaced.size - shared
  return union === 0 ? 0 : 0.5 + (0.4 * shared) / union
}

/** True when `part` stands in `text` between word boundaries, as \b sees them. */
function holdsAsWords(text: string, part: string): boolean {
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1))
    if (isBoundary(text, at) && isBoundary(text, at + part.length)) return true
  return false
}

const isWord = (letter: string | undefined) => letter !== undefined && /\w/.test(letter)
const isBoundary = (text: string, at: number) => isWord(text[at - 1]) !== isWord(text[at])
