/**
 * Labels of a data set to terms of the Cell Ontology, each with the reading it rests on. `exact-first`, the default, never guesses:
 * what may be two terms, or only resembles one, stays unmapped with its candidates. `spatialcore` does what SpatialCore 0.3.0 does.
 * A label's match depends on the set of labels only through the tissue they betray, never on their order.
 */
import { BadInput } from '../job/errors.ts'
import type { Reading } from './exact-first.ts'
import { hintsOf, readLabel } from './exact-first.ts'
import type { LabelIndex } from './label-index.ts'
import { labelIndexOf } from './label-index.ts'
import { plainText, squeeze, wordsOf } from './label-text.ts'
import { noCellType, tissueSigns } from './label-vocabulary.ts'
import type { Ontology } from './ontology.ts'
import { cellOntologyId, loadOntology } from './ontology.ts'
import type { Tissue } from './ontology-aliases.ts'
import type { Granularity } from './ontology-granularity.ts'
import { coarsen } from './ontology-granularity.ts'
import type { SpatialCoreIndex, SpatialCoreTier } from './ontology-spatialcore.ts'
import { indexOfOntology, searchSpatialCore, skippedBySpatialCore } from './ontology-spatialcore.ts'
import type { Candidate } from './ontology-suggest.ts'
import { suggestTerms } from './ontology-suggest.ts'

export type MatchTier =
  | 'existing'
  | 'reviewed'
  | 'name'
  | 'synonym'
  | 'alias'
  | 'suggestion'
  | 'unmapped'
  | 'skipped'
  | SpatialCoreTier

export interface LabelMatch {
  label: string
  /** null where there is no match, or the label names no cell type */
  id: string | null
  name: string | null
  tier: MatchTier
  /** 1 for an existing id or a name as it stands; null where there is no match */
  score: number | null
  /** what else, or what instead, it may be; at most 5, best first */
  candidates: Candidate[]
  /** why there is no match, or what was left out or coarsened to get it */
  reason?: string
  /** the lowest term that all candidates of a tie are: offered, not taken */
  fallback?: { id: string; name: string }
  /** of policy spatialcore: the canonical name that a pattern gave */
  canonical?: string
}

export interface MatchOptions {
  policy?: 'exact-first' | 'spatialcore'
  /** ids that the file already has, by label; valid ones are kept */
  existing?: ReadonlyMap<string, string>
  /** take the best suggestion when it is alone and scores at least this (suggestions lie below 0.85); never unless told */
  acceptSuggestions?: number
  granularity?: Granularity
  /** matches below are left unmapped; 0.7 with policy spatialcore, else 0 */
  minScore?: number
  /** of the data, in words: decides what "stellate" or "HSC" means; else told by the other labels, if they do */
  tissue?: string | undefined
  /** of policy spatialcore: another index than our own */
  index?: SpatialCoreIndex
}

/** more distinct labels than any annotation has, and few enough to compare each with every term */
const mostLabels = 10_000
/** longer labels are not read */
const longestLabel = 1000

/**
 * One match for each label, in the order given; equal labels have equal matches.
 * @throws BadInput LABELS_TOO_MANY when there are more than 10,000 distinct labels
 */
export async function matchLabels(
  labels: readonly string[],
  options: MatchOptions = {},
): Promise<LabelMatch[]> {
  const distinct = new Set(labels)
  if (distinct.size > mostLabels)
    throw new BadInput(
      'LABELS_TOO_MANY',
      'labels',
      `${distinct.size} different labels are no annotation of cell types`,
      'Name the column that holds cell types',
    )
  const ontology = await loadOntology()
  const match = matcherOf(distinct, { ontology, options })
  const matches = new Map(
    [...distinct].map((label) => [label, coarsened(match(label), { ontology, options })]),
  )
  return labels.map((label) => matches.get(label)!)
}

type Matcher = (label: string) => LabelMatch

function matcherOf(
  labels: ReadonlySet<string>,
  given: { ontology: Ontology; options: MatchOptions },
): Matcher {
  const { ontology, options } = given
  const read = options.policy === 'spatialcore' ? spatialCoreMatcher(given) : exactFirstMatcher(labels, given)
  return (label) => {
    const existing = options.existing?.get(label)
    if (existing === undefined || noCellType.has(plainText(existing))) return read(label)
    const kept = keptId(label, { id: existing, ontology })
    if (kept !== undefined) return kept
    const match = read(label)
    const reason = `the id it had, ${existing.slice(0, 50)}, is not in use`
    return { ...match, reason: match.reason === undefined ? reason : `${reason}; ${match.reason}` }
  }
}

/** The match for an id that is in use, or has a successor. */
function keptId(label: string, given: { id: string; ontology: Ontology }): LabelMatch | undefined {
  const { byId, replacedBy } = given.ontology
  const id = cellOntologyId(given.id) ?? ''
  const term = byId.get(id) ?? byId.get(replacedBy.get(id) ?? '')
  if (term === undefined) return undefined
  const reason = term.id === id ? {} : { reason: `${id} was replaced by ${term.id}` }
  return { label, id: term.id, name: term.name, tier: 'existing', score: 1, candidates: [], ...reason }
}

function exactFirstMatcher(
  labels: ReadonlySet<string>,
  given: { ontology: Ontology; options: MatchOptions },
): Matcher {
  const { ontology, options } = given
  const index = labelIndexOf(ontology)
  const tissue = options.tissue === undefined ? tissueOfLabels(labels) : tissueNamed(options.tissue)
  return (label) => {
    if (label.length > longestLabel) return without(label, `longer than ${longestLabel} characters`)
    if (noCellType.has(plainText(label)))
      return { ...without(label, 'the label names no cell type'), tier: 'skipped' }
    const kept = keptId(label, { id: label, ontology })
    if (kept !== undefined) return kept
    const reading = readLabel(label, { index, tissue })
    if (reading === undefined) return suggested(label, { index, options })
    return matchOf(label, { reading, ontology, minScore: options.minScore ?? 0 })
  }
}

function matchOf(
  label: string,
  given: { reading: Reading; ontology: Ontology; minScore: number },
): LabelMatch {
  const { reading, ontology } = given
  const candidates = reading.ids.slice(0, 5).map((id) => candidate(id, { ontology, score: reading.score }))
  const reason = reading.reason === undefined ? {} : { reason: reading.reason }
  if (reading.ids.length > 1) {
    const shared = ontology.lowestCommonAncestor(reading.ids)
    const fallback =
      shared === null ? {} : { fallback: { id: shared, name: ontology.byId.get(shared)!.name } }
    return { ...without(label, reading.reason ?? 'several terms fit'), candidates, ...fallback }
  }
  if (reading.score < given.minScore)
    return { ...without(label, `its score is below ${given.minScore}`), candidates }
  const { id, name, score } = candidates[0]!
  return { label, id, name, tier: reading.tier, score, candidates: [], ...reason }
}

function suggested(label: string, given: { index: LabelIndex; options: MatchOptions }): LabelMatch {
  const { index, options } = given
  const { ontology } = index
  const hints = hintsOf(label, index).map((id) => candidate(id, { ontology, score: 0.8 }))
  const found = suggestTerms(label, ontology).filter(({ id }) => !hints.some((hint) => hint.id === id))
  const candidates = [...hints, ...found].sort((a, b) => b.score - a.score).slice(0, 5)
  const [best, second] = candidates
  const from = options.acceptSuggestions
  if (
    best !== undefined &&
    from !== undefined &&
    best.score >= from &&
    best.score >= (options.minScore ?? 0)
  ) {
    if (second?.score === best.score)
      return { ...without(label, 'several suggestions fit equally'), candidates }
    const { id, name, score } = best
    return {
      label,
      id,
      name,
      tier: 'suggestion',
      score,
      candidates: candidates.slice(1),
      reason: 'a suggestion',
    }
  }
  return { ...without(label, 'no name, synonym or alias fits'), candidates }
}

function candidate(id: string, given: { ontology: Ontology; score: number }): Candidate {
  return { id, name: given.ontology.byId.get(id)!.name, score: given.score }
}

const without = (label: string, reason: string): LabelMatch => ({
  label,
  id: null,
  name: null,
  tier: 'unmapped',
  score: null,
  candidates: [],
  reason,
})

const tissues: readonly [Tissue, RegExp][] = [
  ['pancreas', /pancrea|islet/],
  ['liver', /liver|hepat/],
  ['breast', /breast|mammary/],
  ['salivary gland', /saliva|parotid|submandibular/],
  ['kidney', /kidney|renal/],
  ['retina', /retina/],
  ['brain', /brain|cortex|cerebell/],
]

const tissueNamed = (text: string): Tissue | undefined =>
  tissues.find(([, pattern]) => pattern.test(text.slice(0, longestLabel).toLowerCase()))?.[0]

/** The one tissue of which at least two telling labels are there. */
function tissueOfLabels(labels: ReadonlySet<string>): Tissue | undefined {
  const short = [...labels].filter((label) => label.length <= 60)
  const said = new Set(short.map((label) => squeeze(wordsOf(plainText(label)))))
  const told = Object.entries(tissueSigns).filter(
    ([, signs]) => signs.filter((sign) => said.has(sign)).length >= 2,
  )
  return told.length === 1 ? (told[0]![0] as Tissue) : undefined
}

function spatialCoreMatcher(given: { ontology: Ontology; options: MatchOptions }): Matcher {
  const index = given.options.index ?? indexOfOntology(given.ontology)
  const minScore = given.options.minScore ?? 0.7
  return (label) => {
    if (label.length > longestLabel) return without(label, `longer than ${longestLabel} characters`)
    if (skippedBySpatialCore.has(label))
      return { ...without(label, 'the label names no cell type'), tier: 'skipped' }
    const { hits, canonical } = searchSpatialCore(label, { index, minScore })
    const called = canonical === null ? {} : { canonical }
    const [best, ...others] = hits
    if (best === undefined) return { ...without(label, 'nothing reaches the least score'), ...called }
    const { id, name, tier, score } = best
    return { label, id, name, tier, score, candidates: others.slice(0, 5), ...called }
  }
}

function coarsened(match: LabelMatch, given: { ontology: Ontology; options: MatchOptions }): LabelMatch {
  const { ontology, options } = given
  if (match.id === null || options.granularity === undefined || !ontology.byId.has(match.id)) return match
  const id = coarsen(match.id, { ontology, granularity: options.granularity })
  if (id === match.id) return match
  const reason = `coarsened from ${match.name} (${match.id})`
  return {
    ...match,
    id,
    name: ontology.byId.get(id)!.name,
    reason: match.reason === undefined ? reason : `${match.reason}; ${reason}`,
  }
}
