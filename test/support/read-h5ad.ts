/** What a test wants to know of an opened h5ad, as plain values. */
import type { Element } from '../../lib/data/anndata/element.ts'
import type { Column } from '../../lib/data/cells.ts'

/** One text a row; undefined where it is missing. */
export function textsOf(column: Column | undefined): (string | undefined)[] {
  if (column?.kind !== 'categorical') throw new Error('no categorical column')
  const { values } = column.categories
  return Array.from(column.codes, (code) => (code < 0 ? undefined : String(values[code])))
}

/** One number a row; booleans are 0 and 1. */
export function numbersOf(column: Column | undefined): number[] {
  if (column?.kind !== 'number' && column?.kind !== 'boolean') throw new Error('no column of numbers')
  return Array.from(column.values as ArrayLike<number>, Number)
}

export function arrayOf(elements: Map<string, Element>, name: string, shape: number[]): number[] {
  const element = elements.get(name)
  if (element?.kind !== 'array') throw new Error(`no array ${name}`)
  if (element.shape.join() !== shape.join()) throw new Error(`${name} is ${element.shape.join(' x ')}`)
  return Array.from(element.values as ArrayLike<number>, Number)
}

/** As JSON has it: scalars alone, lists as lists. */
export function plain(element: Element): unknown {
  if (element.kind === 'dict')
    return Object.fromEntries([...element.entries].map(([name, entry]) => [name, plain(entry)]))
  if (element.kind !== 'array' && element.kind !== 'text') return element.kind
  const values = Array.from(element.values as ArrayLike<unknown>)
  return element.shape.length === 0 ? values[0] : values
}
