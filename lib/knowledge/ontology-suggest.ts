/**
 * Terms that a label without a match may mean, best first: by shared words, rare words counting more, and by spelling. They are
 * offered, never taken unless the user says from which score on; all scores lie below those of matches.
 */
import { distance } from 'fastest-levenshtein'
import { plainText, wordsOf } from './label-text.ts'
import type { Ontology } from './ontology.ts'

export interface Candidate {
  id: string
  name: string
  score: number
}

/** no suggestion is as sure as the weakest match (0.85) */
const ceiling = 0.84
const leastScore = 0.3
const mostCandidates = 5
/** spelling is compared for labels of these lengths */
const spelled = { least: 5, most: 60 }

interface Entry {
  id: string
  plain: string
  words: ReadonlySet<string>
  weight: number
}

interface WordIndex {
  entries: Entry[]
  byWord: Map<string, Entry[]>
  byLength: Map<number, Entry[]>
  weightOf: (word: string) => number
}

const made = new WeakMap<Ontology, WordIndex>()

export function suggestTerms(label: string, ontology: Ontology): Candidate[] {
  const index = wordIndexOf(ontology)
  const plain = plainText(label)
  const best = new Map<string, number>()
  const offer = (id: string, score: number) => {
    if (score >= leastScore) best.set(id, Math.max(best.get(id) ?? 0, score))
  }
  const words = meaningful(plain)
  const weight = sum(words, index.weightOf)
  const seen = new Set<Entry>()
  for (const word of words)
    for (const entry of index.byWord.get(word) ?? []) {
      if (seen.has(entry)) continue
      seen.add(entry)
      const shared = sum(
        [...words].filter((one) => entry.words.has(one)),
        index.weightOf,
      )
      offer(entry.id, (ceiling * shared) / (weight + entry.weight - shared))
    }
  if (plain.length >= spelled.least && plain.length <= spelled.most) offerBySpelling(plain, { index, offer })
  return [...best]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, mostCandidates)
    .map(([id, score]) => ({ id, name: ontology.byId.get(id)!.name, score: Math.round(score * 1000) / 1000 }))
}

function offerBySpelling(
  plain: string,
  given: { index: WordIndex; offer: (id: string, score: number) => void },
): void {
  const most = Math.max(1, Math.floor(plain.length / 6))
  for (let length = plain.length - most; length <= plain.length + most; length++)
    for (const entry of given.index.byLength.get(length) ?? []) {
      const edits = distance(plain, entry.plain)
      if (edits <= most) given.offer(entry.id, ceiling * (1 - edits / plain.length))
    }
}

/** Words but "cell", which nearly every name holds. */
function meaningful(plain: string): Set<string> {
  const words = new Set(wordsOf(plain))
  words.delete('cell')
  return words
}

function wordIndexOf(ontology: Ontology): WordIndex {
  const known = made.get(ontology)
  if (known !== undefined) return known
  const texts = ontology.terms.flatMap((term) => [
    { id: term.id, text: term.name },
    ...term.synonyms.filter(({ scope }) => scope === 'exact').map(({ text }) => ({ id: term.id, text })),
  ])
  const entries = texts.map(({ id, text }): Entry => {
    const plain = plainText(text)
    return { id, plain, words: meaningful(plain), weight: 0 }
  })
  const counts = new Map<string, number>()
  for (const { words } of entries) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const weightOf = (word: string) => Math.log(1 + entries.length / (1 + (counts.get(word) ?? 0)))
  const index: WordIndex = { entries, byWord: new Map(), byLength: new Map(), weightOf }
  for (const entry of entries) {
    entry.weight = sum(entry.words, weightOf)
    for (const word of entry.words) push(index.byWord, word, entry)
    push(index.byLength, entry.plain.length, entry)
  }
  made.set(ontology, index)
  return index
}

function push<Key>(map: Map<Key, Entry[]>, key: Key, entry: Entry): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [entry])
  else list.push(entry)
}

function sum(words: Iterable<string>, weightOf: (word: string) => number): number {
  let total = 0
  for (const word of words) total += weightOf(word)
  return total
}
