/** One category a cell, counted and as a column of obs. */
import type { Column } from '../../data/cells.ts'

/** -1 where a cell has none. */
export interface Coded {
  codes: Int32Array
  categories: string[]
}

/** Codes of texts, their categories sorted; '' is none. */
export function codedTexts(texts: readonly string[]): Coded {
  const categories = [...new Set(texts)].filter((text) => text !== '').sort()
  const codeOf = new Map(categories.map((text, code) => [text, code]))
  return { codes: Int32Array.from(texts, (text) => codeOf.get(text) ?? -1), categories }
}

/** Cells of each category that occurs, most first, equal ones by name. */
export function countsOf({ codes, categories }: Coded): [string, number][] {
  const counts = new Float64Array(categories.length)
  for (const code of codes) if (code >= 0) counts[code]! += 1
  return categories
    .map((label, code): [string, number] => [label, counts[code]!])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
}

/** A categorical column with the categories that occur, in the order of their names. */
export function categoricalColumn({ codes, categories }: Coded): Column {
  const used = new Set(codes)
  const kept = categories.map((label, code) => ({ label, code })).filter(({ code }) => used.has(code))
  kept.sort((a, b) => (a.label < b.label ? -1 : 1))
  const place = new Int32Array(categories.length)
  for (const [at, { code }] of kept.entries()) place[code] = at
  return {
    kind: 'categorical',
    codes: codes.map((code) => (code < 0 ? -1 : place[code]!)),
    categories: { kind: 'string', values: kept.map(({ label }) => label) },
    ordered: false,
  }
}

/** The same cells by another name of their categories; categories of one name become one, null is none. */
export function recoded({ codes, categories }: Coded, nameOf: (category: string) => string | null): Coded {
  const names = categories.map(nameOf)
  const distinct = [...new Set(names)].filter((name) => name !== null).sort()
  const codeOf = names.map((name) => (name === null ? -1 : distinct.indexOf(name)))
  return { codes: codes.map((code) => (code < 0 ? -1 : codeOf[code]!)), categories: distinct }
}
