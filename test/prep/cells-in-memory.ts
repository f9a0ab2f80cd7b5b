/** Files of cells made from dense rows, for tests of what is done with them. */
import type { CellFile, Matrix, RowSlab } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { matrixOf, tableOf } from '../support/cells-to-write.ts'

export type Rows = number[][]

/** A matrix that gives the rows asked for, in slabs of `slabRows`; its arrays are wiped when the next slab is asked for. */
export function matrixInMemory(
  rows: Rows,
  {
    columns = rows[0]?.length ?? 0,
    name = 'X',
    slabRows = 7,
  }: { columns?: number; name?: string; slabRows?: number } = {},
): Matrix {
  const stored = rows.flat().filter((value) => value !== 0).length
  return {
    name,
    rows: rows.length,
    columns,
    encoding: 'csr',
    type: 'float64',
    stored,
    async *slabs({ from = 0, to = rows.length, transient = false } = {}) {
      const part = matrixOf(rows.slice(from, to), { columns, type: 'float64', slabs: [slabRows] })
      for await (const slab of part.slabs()) {
        yield { ...slab, start: slab.start + from }
        if (!transient) continue
        slab.values.fill(Number.NaN)
        slab.indices.fill(-1)
      }
    },
  }
}

/** Matrices by name: 'X', 'layers/counts', 'raw/X'. */
export function cellsInMemory(matrices: Record<string, Rows>): CellFile {
  const names = Object.keys(matrices)
  const first = matrices.X ?? Object.values(matrices)[0] ?? []
  const columns = first[0]?.length ?? 0
  const genes = async () => tableOf(columns, { prefix: 'gene' })
  return {
    place: 'cells',
    format: '10x-hdf5',
    rows: first.length,
    columns,
    obs: async () => tableOf(first.length, { prefix: 'cell' }),
    var: genes,
    matrices: names,
    matrix: async (name) => matrixInMemory(matrices[name]!, { name }),
    genesOf: genes,
    notices: [],
    close: async () => {},
  }
}

export function poissonRows(
  rows: number,
  { columns, mean = 2, seed = 8 }: { columns: number; mean?: number; seed?: number },
): Rows {
  const generator = random(seed)
  const draw = (): number => {
    let count = 0
    for (let left = generator.uniform(); left > Math.exp(-mean); left *= generator.uniform()) count++
    return count
  }
  return Array.from({ length: rows }, () => Array.from({ length: columns }, draw))
}

export const each = (rows: Rows, change: (value: number, row: number, column: number) => number): Rows =>
  rows.map((values, row) => values.map((value, column) => change(value, row, column)))

export const totalOf = (row: readonly number[]): number => row.reduce((sum, value) => sum + value, 0)

/** Counts of each cell scaled to the target. */
export const linear = (rows: Rows, target: number): Rows =>
  rows.map((row) => {
    const total = totalOf(row)
    return row.map((value) => (total === 0 ? 0 : (value / total) * target))
  })

export const logged = (rows: Rows, target = 1e4): Rows => each(linear(rows, target), Math.log1p)

/** Rows of slabs, dense. */
export async function denseOf(slabs: AsyncIterable<RowSlab>): Promise<Rows> {
  const rows: Rows = []
  for await (const slab of slabs) {
    for (let row = 0; row < slab.rows; row++) {
      const dense = new Array<number>(slab.columns).fill(0)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        dense[slab.indices[i]!] = slab.values[i]!
      rows.push(dense)
    }
  }
  return rows
}
