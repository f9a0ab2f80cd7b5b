/**
 * A few columns of obs without the others: an atlas has forty, and whether a cell is wanted hangs on five. Each as codes and texts,
 * however it is stored.
 */
import { readColumn } from '../data/anndata/column.ts'
import type { CellFile, Column } from '../data/cells.ts'
import { isAnnData } from '../data/copy-cells.ts'

export interface CodedColumn {
  /** of each row, an index into `values`; -1 is missing */
  codes: Int32Array
  /** each once */
  values: readonly string[]
}

/** Those of the names that the file has. */
export async function readObsColumns(
  cells: CellFile,
  names: readonly string[],
): Promise<Map<string, CodedColumn>> {
  const known = isAnnData(cells) ? await cells.columnsOf('obs') : undefined
  const found = new Map<string, CodedColumn>()
  if (isAnnData(cells) && known !== undefined) {
    for (const name of new Set(names)) {
      if (!known.includes(name)) continue
      const column = await readColumn(cells.tree, `/obs/${name}`)
      const coded = codedColumn(column)
      // the table as a whole refuses it with the reason
      if (coded.codes.length !== cells.rows) await cells.obs()
      found.set(name, coded)
    }
    return found
  }
  const { columns } = await cells.obs()
  for (const name of names) {
    const column = columns.get(name)
    if (column !== undefined) found.set(name, codedColumn(column))
  }
  return found
}

/** Names of all columns of obs. */
export async function obsNames(cells: CellFile): Promise<string[]> {
  const known = isAnnData(cells) ? await cells.columnsOf('obs') : undefined
  return known ?? [...(await cells.obs()).columns.keys()]
}

/** Numbers and flags by what they are called in Python: '3', 'True'. A missing text, category or number is -1. */
export function codedColumn(column: Column): CodedColumn {
  if (column.kind === 'categorical') {
    const { categories, codes } = column
    const values =
      categories.kind === 'boolean'
        ? Array.from(categories.values, flagText)
        : Array.from(categories.values as ArrayLike<string | number | bigint>, String)
    return distinct(values, codes)
  }
  const { values } = column
  const texts = new Map<string | number | bigint, number>()
  const codes = new Int32Array(values.length)
  const isMissing = column.kind === 'string' ? undefined : column.mask
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value === null || isMissing?.[i] === 1 || Number.isNaN(value)) codes[i] = -1
    else {
      const code = texts.get(value) ?? texts.size
      if (code === texts.size) texts.set(value, code)
      codes[i] = code
    }
  }
  const named = column.kind === 'boolean' ? (value: unknown) => flagText(Number(value)) : String
  return { codes, values: [...texts.keys()].map(named) }
}

const flagText = (flag: number): string => (flag === 0 ? 'False' : 'True')

/** Categories that a file names twice are one. */
function distinct(values: readonly string[], codes: Int32Array): CodedColumn {
  const numbers = new Map<string, number>()
  const own = values.map((value) => {
    const known = numbers.get(value) ?? numbers.size
    numbers.set(value, known)
    return known
  })
  if (numbers.size === values.length) return { codes, values }
  return { codes: codes.map((code) => (code < 0 ? -1 : own[code]!)), values: [...numbers.keys()] }
}
