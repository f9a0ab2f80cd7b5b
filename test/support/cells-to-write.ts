/** Tables and matrices with every kind of column and value, small, for tests of writing. */
import fc from 'fast-check'
import type { Column, RowSlab, Table } from '../../lib/data/cells.ts'
import type { MatrixToWrite } from '../../lib/data/h5ad-matrix.ts'
import { NUMBERS, type StoredNumber } from '../../lib/data/hdf5/write/datatype.ts'

export const numberTypes = Object.keys(NUMBERS) as StoredNumber[]

const cycle = <Value>(count: number, values: readonly Value[]): Value[] =>
  Array.from({ length: count }, (_, i) => values[i % values.length]!)

function extremes(type: StoredNumber, count: number): Column {
  const values = NUMBERS[type].make(count)
  const bits = NUMBERS[type].bytes * 8
  const top = BigInt(type.startsWith('u') ? bits : bits - 1)
  const integers = [2n ** top - 1n, type.startsWith('u') ? 0n : -(2n ** top), 1n]
  const floats = [0.1, Number.NaN, Number.POSITIVE_INFINITY, -0, Number.NEGATIVE_INFINITY, 5e-324]
  for (let i = 0; i < count; i++) {
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) values[i] = integers[i % 3]!
    else values[i] = type.startsWith('float') ? floats[i % 6]! : Number(integers[i % 3])
  }
  return { kind: 'number', type, values }
}

/** One column of each kind that there is. */
export function everyColumn(rows: number): Map<string, Column> {
  const mask = Uint8Array.from({ length: rows }, (_, i) => Number(i % 3 === 1))
  const codes = (count: number) => Int32Array.from({ length: rows }, (_, i) => (i % (count + 1)) - 1)
  const many = Array.from({ length: 300 }, (_, i) => `type ${String(i).padStart(3, '0')}`)
  const columns: [string, Column][] = [
    ...numberTypes.map((type): [string, Column] => [type, extremes(type, rows)]),
    ['nullable int', { kind: 'number', type: 'int64', values: new BigInt64Array(rows).fill(7n), mask }],
    ['nullable uint8', { kind: 'number', type: 'uint8', values: new Uint8Array(rows).fill(200), mask }],
    ['masked float', { kind: 'number', type: 'float32', values: new Float32Array(rows).fill(0.5), mask }],
    ['flag', { kind: 'boolean', values: Uint8Array.from({ length: rows }, (_, i) => i % 2) }],
    ['nullable flag', { kind: 'boolean', values: Uint8Array.from({ length: rows }, (_, i) => i % 2), mask }],
    ['text γδ', { kind: 'string', values: cycle(rows, ['', 'a b', 'γδ T', '日本', '🧬', 'None']) }],
    ['text with gaps', { kind: 'string', values: cycle(rows, ['z', null, 'a', 'ä']) }],
    [
      'label',
      {
        kind: 'categorical',
        codes: codes(2),
        categories: { kind: 'string', values: ['B cell', 'T γδ'] },
        ordered: false,
      },
    ],
    [
      'ordered',
      {
        kind: 'categorical',
        codes: codes(3),
        categories: { kind: 'string', values: ['lo', 'mid', 'hi'] },
        ordered: true,
      },
    ],
    [
      'many',
      {
        kind: 'categorical',
        codes: codes(300),
        categories: { kind: 'string', values: many },
        ordered: false,
      },
    ],
    [
      'cluster',
      {
        kind: 'categorical',
        codes: codes(2),
        categories: { kind: 'number', type: 'int64', values: BigInt64Array.of(10n, 2n) },
        ordered: false,
      },
    ],
    [
      'yes no',
      {
        kind: 'categorical',
        codes: codes(2),
        categories: { kind: 'boolean', values: Uint8Array.of(0, 1) },
        ordered: false,
      },
    ],
    [
      'no categories',
      {
        kind: 'categorical',
        codes: new Int32Array(rows).fill(-1),
        categories: { kind: 'string', values: [] },
        ordered: false,
      },
    ],
  ]
  return new Map(columns)
}

export function tableOf(
  rows: number,
  options: { prefix: string; columns?: Map<string, Column>; indexName?: string },
): Table {
  const index = Array.from({ length: rows }, (_, i) => `${options.prefix}${i}`)
  return { rows, indexName: options.indexName ?? '_index', index, columns: options.columns ?? new Map() }
}

/** A matrix from dense rows, in slabs of the given heights (the last one again and again). */
export function matrixOf(
  dense: readonly number[][],
  options: { columns: number; type: StoredNumber; slabs?: number[]; layout?: 'csr' | 'dense' },
): MatrixToWrite {
  const { columns, type, slabs = [3], layout = 'csr' } = options
  const stored = dense.flat().filter((value) => value !== 0).length
  return {
    rows: dense.length,
    columns,
    type,
    stored,
    layout,
    async *slabs() {
      for (let start = 0, i = 0; start < dense.length; i++) {
        const rows = dense.slice(start, start + Math.max(1, slabs[Math.min(i, slabs.length - 1)]!))
        yield slabOf(rows, { start, columns })
        start += rows.length
      }
    },
  }
}

function slabOf(rows: readonly number[][], { start, columns }: { start: number; columns: number }): RowSlab {
  const indptr = [0]
  const indices: number[] = []
  const values: number[] = []
  for (const row of rows) {
    for (const [column, value] of row.entries()) {
      if (value === 0) continue
      indices.push(column)
      values.push(value)
    }
    indptr.push(indices.length)
  }
  return {
    start,
    rows: rows.length,
    columns,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

/** Whole numbers that every type holds, many of them zero. */
export const denseRows = (rows: number, columns: number): fc.Arbitrary<number[][]> => {
  const value = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 100 }))
  const row = fc.array(value, { minLength: columns, maxLength: columns })
  return fc.array(row, { minLength: rows, maxLength: rows })
}
