/** What the pages of several workflows have in common: colours by the query's own columns, settings, expected cost. */
import type { Column, Table } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import type { Settings } from '../../job/manifest.ts'
import { shownLocation } from '../../job/web-address.ts'
import type { Colouring, Fact, ReportContent } from '../../report/content.ts'
import type { StepContext } from '../workflow.ts'

/** obs columns that the page offers unless the job says which. */
const mostColumns = 20
/** A column with more values than this, or than half of the cells, names cells and not groups: it has no place in a report. */
const mostCategories = 200

/** Columns of the query that the page can colour by: those wanted, or the first of a usable kind. */
export function obsColourings(obs: Table, wanted: readonly string[] | undefined): Colouring[] {
  const found: Colouring[] = []
  for (const [name, column] of obs.columns) {
    if (wanted !== undefined && !wanted.includes(name)) continue
    const colouring = colouringOf(name, column)
    if (colouring !== undefined) found.push(colouring)
    if (wanted === undefined && found.length === mostColumns) break
  }
  return found
}

function colouringOf(column: string, content: Column): Colouring | undefined {
  const name = `obs: ${column}`
  if (content.kind === 'number') {
    const { mask } = content
    const values = Float32Array.from(content.values as ArrayLike<number>, (value, row) =>
      mask?.[row] === 1 ? Number.NaN : Number(value),
    )
    return { kind: 'number', name, values }
  }
  if (content.kind === 'boolean') {
    const codes = Int32Array.from(content.values, (value, row) => (content.mask?.[row] === 1 ? -1 : value))
    return { kind: 'categorical', name, codes, categories: ['false', 'true'] }
  }
  const texts = columnTexts(content)
  if (texts === undefined) {
    if (content.kind !== 'categorical') return undefined
    const categories = Array.from(content.categories.values as ArrayLike<number>, String)
    return { kind: 'categorical', name, codes: content.codes, categories }
  }
  const categories = [...new Set(texts)].filter((text) => text !== '').sort()
  if (categories.length > mostCategories || 2 * categories.length > texts.length) return undefined
  const codeOf = new Map(categories.map((text, code) => [text, code]))
  return {
    kind: 'categorical',
    name,
    codes: Int32Array.from(texts, (text) => codeOf.get(text) ?? -1),
    categories,
  }
}

export function costOf({ road }: StepContext): ReportContent['cost'] {
  const { minutes, dollars } = road.expected
  if (dollars === null) return null
  const text = 'Expected before the run, from list prices: look at the bill of the account for what it was.'
  return {
    text,
    lines: [
      ['Expected cost', `${dollars.toFixed(2)} USD`],
      ['Expected time', `${minutes} minutes`],
    ],
  }
}

export function settingFacts(settings: Settings): Fact[] {
  return Object.entries(settings).map(([name, value]): Fact => [name, shownValue(value)])
}

/** Of a list of genes or files, what the page shows. */
const mostListed = 20

function shownValue(value: unknown): string {
  if (typeof value === 'string') return shownLocation(value) || '(empty)'
  if (Array.isArray(value) && value.length > mostListed)
    return `${JSON.stringify(value.slice(0, mostListed)).slice(0, -1)}, ... ] (${value.length})`
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'string' ? shownLocation(part) : part))
}
