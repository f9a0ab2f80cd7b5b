/**
 * What a label means, surest reading first: the name of a term, an EXACT synonym, an alias of ours, a NARROW synonym; then the same
 * without words that say what the cell is doing, a remark in brackets or a running number. A reading that could be two terms is
 * no match: both are given. Nothing here matches a part of a label, which is how SpatialCore makes monocytes of
 * monocyte-derived dendritic cells.
 */
import type { AliasLine, LabelIndex } from './label-index.ts'
import { separators } from './label-index.ts'
import { plainText, squeeze, wordsOf } from './label-text.ts'
import { shortForms, stateWords } from './label-vocabulary.ts'
import type { Tissue } from './ontology-aliases.ts'

export interface Reading {
  /** one id is a match; several are candidates */
  ids: readonly string[]
  tier: 'name' | 'synonym' | 'alias'
  /** 1 for a name as it stands, down to 0.85 for an alias after words were left out */
  score: number
  reason?: string
}

export interface Reader {
  index: LabelIndex
  /** tissue of the data, where it is known */
  tissue: Tissue | undefined
}

const mostParts = 8

export function readLabel(label: string, reader: Reader): Reading | undefined {
  const plain = plainText(label)
  const literal = asItStands(plain, reader)
  if (literal !== undefined) return literal
  const words = wordsOf(plain)
  if (!reader.index.separated.has(words.join(' '))) {
    const several = severalTypes(plain, reader)
    if (several !== undefined) return several
  }
  return byWords(words, reader) ?? withoutExtras(plain, reader)
}

function asItStands(plain: string, reader: Reader): Reading | undefined {
  const { names, exact } = reader.index
  return (
    reading(names.plain.get(plain), { tier: 'name', score: 1 }) ??
    agreed(reading(exact.plain.get(plain), { tier: 'synonym', score: 0.97 }), {
      words: wordsOf(plain),
      reader,
    })
  )
}

/**
 * A synonym of the ontology, unless people use the word for another cell: DC2 is an EXACT synonym of plasmacytoid dendritic cell,
 * and the usual name of CD1c-positive ones. Then it is a tie. A more general or more special term is no other cell.
 */
function agreed(
  synonym: Reading | undefined,
  given: { words: readonly string[]; reader: Reader },
): Reading | undefined {
  if (synonym?.ids.length !== 1) return synonym
  const id = synonym.ids[0]!
  const usual = byAlias(given.words, given.reader)?.ids ?? []
  const { ontology } = given.reader.index
  const others = usual.filter(
    (other) => other !== id && !ontology.ancestors(other).has(id) && !ontology.ancestors(id).has(other),
  )
  if (others.length === 0) return synonym
  return { ...synonym, ids: [id, ...others], reason: 'the ontology and common usage mean different cells' }
}

/** "NK/T cells", "B and plasma cells": each part is a cell type of its own, so the whole is none. */
function severalTypes(plain: string, reader: Reader): Reading | undefined {
  if (!separators.test(plain)) return undefined
  const parts = plain.split(separators).filter((part) => part.trim() !== '')
  if (parts.length < 2 || parts.length > mostParts) return undefined
  const ids = new Set<string>()
  for (const part of parts) {
    const text = part.trim()
    const read = asItStands(text, reader) ?? byWords(wordsOf(text), reader) ?? withoutExtras(text, reader)
    if (read === undefined) return undefined
    for (const id of read.ids) ids.add(id)
  }
  if (ids.size < 2) return undefined
  return { ids: [...ids], tier: 'alias', score: 0.9, reason: 'the label names several cell types' }
}

function byWords(words: readonly string[], reader: Reader): Reading | undefined {
  if (words.length === 0) return undefined
  const { names, exact, narrow } = reader.index
  const key = words.join(' ')
  const squeezed = squeeze(words)
  return (
    reading(names.words.get(key), { tier: 'name', score: 0.98 }) ??
    agreed(reading(exact.words.get(key), { tier: 'synonym', score: 0.96 }), { words, reader }) ??
    byAlias(words, reader) ??
    reading(narrow.words.get(key), { tier: 'synonym', score: 0.88 }) ??
    (squeezed.length < 2 ? undefined : bySqueezed(squeezed, reader)) ??
    inFull(words, reader)
  )
}

/** With short forms written out, as a name or EXACT synonym. */
function inFull(words: readonly string[], { index }: Reader): Reading | undefined {
  const full = words.flatMap((word) => (Object.hasOwn(shortForms, word) ? shortForms[word]! : [word]))
  if (full.length === words.length && full.every((word, i) => word === words[i])) return undefined
  const squeezed = squeeze(full)
  return (
    reading(index.names.squeezed.get(squeezed), { tier: 'alias', score: 0.88 }) ??
    reading(index.exact.squeezed.get(squeezed), { tier: 'alias', score: 0.88 })
  )
}

/** The words run together, less a last "cell": "dendritic" and "tcells" too. */
function bySqueezed(squeezed: string, reader: Reader): Reading | undefined {
  const { names, exact, aliasSqueezed } = reader.index
  return (
    reading(names.squeezed.get(squeezed), { tier: 'name', score: 0.9 }) ??
    reading(exact.squeezed.get(squeezed), { tier: 'synonym', score: 0.88 }) ??
    ofLines(
      (aliasSqueezed.get(squeezed) ?? []).filter((line) => isOf(line, reader.tissue)),
      0.88,
    )
  )
}

/** The line with most words of which every one is in the label, and that accounts for all the label's words. */
function byAlias(words: readonly string[], reader: Reader): Reading | undefined {
  const given = new Set(words)
  const fitting: AliasLine[] = []
  for (const word of given)
    for (const line of reader.index.aliasLines.get(word) ?? [])
      if (isOf(line, reader.tissue) && accountsFor(line, given)) fitting.push(line)
  const most = Math.max(...fitting.map((line) => line.words.length))
  return ofLines(
    fitting.filter((line) => line.words.length === most),
    0.9,
  )
}

const isOf = (line: AliasLine, tissue: Tissue | undefined) =>
  (line.onlyIn === undefined || line.onlyIn === tissue) &&
  (tissue === undefined || !line.notIn.includes(tissue))

function accountsFor(line: AliasLine, given: ReadonlySet<string>): boolean {
  if (!line.words.every((word) => given.has(word))) return false
  for (const word of given) if (!line.words.includes(word) && !line.beside.has(word)) return false
  return true
}

function ofLines(lines: readonly AliasLine[], score: number): Reading | undefined {
  return reading(new Set(lines.map((line) => line.id)), { tier: 'alias', score })
}

/** words before which a number belongs to the name */
const numbered = new Set(['type', 'group', 'layer', 'stage', 'class', 'fraction', 'zone', 'cluster'])

/** The label without a remark in brackets, without state words, without a running number; then without all of them. */
function withoutExtras(plain: string, reader: Reader): Reading | undefined {
  const bare = plain.replace(/\([^()]*\)|\[[^[\]]*\]/g, ' ').trim()
  const attempts = [
    wordsOf(bare),
    withoutState(wordsOf(plain)),
    withoutNumber(wordsOf(plain)),
    withoutNumber(withoutState(wordsOf(bare))),
  ]
  const whole = wordsOf(plain)
  for (const words of attempts) {
    if (words.length === 0 || words.length === whole.length) continue
    const read = byWords(words, reader)
    if (read === undefined) continue
    const left = whole.filter((word) => !words.includes(word))
    return {
      ...read,
      score: Math.min(read.score, 0.85),
      reason: `without ${left.join(', ') || 'repeated words'}`,
    }
  }
  return undefined
}

const withoutState = (words: readonly string[]) => words.filter((word) => !stateWords.has(word))

function withoutNumber(words: readonly string[]): string[] {
  const isNumber = (word: string | undefined) => word !== undefined && /^\d{1,3}$/.test(word)
  const from = isNumber(words[0]) ? 1 : 0
  const last = words.length - 1
  const to = isNumber(words[last]) && !numbered.has(words[last - 1] ?? '') ? last : words.length
  return words.slice(from, to)
}

function reading(
  ids: ReadonlySet<string> | undefined,
  as: Pick<Reading, 'tier' | 'score'>,
): Reading | undefined {
  if (ids === undefined || ids.size === 0) return undefined
  const several = ids.size > 1 ? { reason: `${ids.size} terms of the ontology have this name` } : {}
  return { ids: [...ids].sort(), ...as, ...several }
}

/** Terms of which the label is a RELATED or BROAD synonym. */
export function hintsOf(label: string, { hints: forms }: LabelIndex): string[] {
  const words = wordsOf(plainText(label))
  return [...(forms.words.get(words.join(' ')) ?? forms.squeezed.get(squeeze(words)) ?? [])].sort()
}
