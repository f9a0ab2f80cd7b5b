/**
 * The ontology made ready to be looked up by label: names, EXACT synonyms, other synonyms and our aliases, each by the forms in which
 * a label may come. Made once per ontology.
 */
import { plainText, squeeze, wordsOf } from './label-text.ts'
import type { Ontology, Term } from './ontology.ts'
import type { Alias, Tissue } from './ontology-aliases.ts'
import { aliases } from './ontology-aliases.ts'

/** Ids of the terms that a text may mean. */
export type Meanings = Map<string, Set<string>>

export interface Forms {
  /** by text in lower case, by words in their order, by words run together */
  plain: Meanings
  words: Meanings
  squeezed: Meanings
}

export interface AliasLine {
  id: string
  words: readonly string[]
  beside: ReadonlySet<string>
  onlyIn: Tissue | undefined
  notIn: readonly Tissue[]
}

export interface LabelIndex {
  ontology: Ontology
  names: Forms
  /** EXACT synonyms */
  exact: Forms
  /** NARROW synonyms: what they name is a kind of the term */
  narrow: Forms
  /** RELATED and BROAD synonyms, never a match: "satellite cell" is RELATED to smooth muscle myoblast, "delta" to a cell of the retina */
  hints: Forms
  /** words of names and synonyms that hold a stroke or a comma themselves: no list of two cell types */
  separated: Set<string>
  /** aliases by their first word, and run together */
  aliasLines: Map<string, AliasLine[]>
  aliasSqueezed: Map<string, AliasLine[]>
}

export const separators = /[/&|;,]|\band\b|\bor\b/

/** "alpha retinal ganglion cell (Mmus)" has the EXACT synonyms "alpha cell" and "C42": too short to mean it in other data */
const ofOneSpecies = /\((?:mmus|homo sapiens|mus musculus|primates?|zebrafish)\)$/i
const tellingWords = 3

const made = new WeakMap<Ontology, LabelIndex>()

export function labelIndexOf(ontology: Ontology): LabelIndex {
  const known = made.get(ontology)
  if (known !== undefined) return known
  const index: LabelIndex = {
    ontology,
    names: noForms(),
    exact: noForms(),
    narrow: noForms(),
    hints: noForms(),
    separated: new Set(),
    aliasLines: new Map(),
    aliasSqueezed: new Map(),
  }
  for (const term of ontology.terms) addTerm(index, term)
  for (const alias of aliases) addAlias(index, alias)
  made.set(ontology, index)
  return index
}

const noForms = (): Forms => ({ plain: new Map(), words: new Map(), squeezed: new Map() })

function addTerm(index: LabelIndex, term: Term): void {
  addText(index, { forms: index.names, text: term.name, id: term.id })
  const oneSpecies = ofOneSpecies.test(term.name)
  for (const { text, scope } of term.synonyms) {
    const tells = !oneSpecies || wordsOf(plainText(text)).length >= tellingWords
    const forms =
      scope === 'exact' && tells ? index.exact : scope === 'narrow' && tells ? index.narrow : index.hints
    addText(index, { forms, text, id: term.id })
  }
}

function addText(index: LabelIndex, entry: { forms: Forms; text: string; id: string }): void {
  const plain = plainText(entry.text)
  const words = wordsOf(plain)
  const key = words.join(' ')
  add(entry.forms.plain, plain, entry.id)
  add(entry.forms.words, key, entry.id)
  add(entry.forms.squeezed, squeeze(words), entry.id)
  if (separators.test(plain)) index.separated.add(key)
}

function add(meanings: Meanings, key: string, id: string): void {
  const ids = meanings.get(key)
  if (ids === undefined) meanings.set(key, new Set([id]))
  else ids.add(id)
}

function addAlias(index: LabelIndex, alias: Alias): void {
  const beside = new Set([...wordsOf(alias.beside ?? ''), 'cell', 'human', 'mouse'])
  for (const text of alias.lines.split(', ')) {
    const words = wordsOf(text)
    const line = { id: alias.id, words, beside, onlyIn: alias.onlyIn, notIn: alias.notIn ?? [] }
    push(index.aliasLines, words[0]!, line)
    push(index.aliasSqueezed, squeeze(words), line)
    const key = words.join(' ')
    if (separators.test(text)) index.separated.add(key).add(`${key} cell`)
  }
}

function push(lines: Map<string, AliasLine[]>, key: string, line: AliasLine): void {
  const known = lines.get(key)
  if (known === undefined) lines.set(key, [line])
  else known.push(line)
}
