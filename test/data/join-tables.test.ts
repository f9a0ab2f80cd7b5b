/** Law: joined columns say of every row what its table said, and nothing of rows whose table did not have them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Column, Table } from '../../lib/data/cells.ts'
import { joinColumn } from '../../lib/data/join-columns.ts'
import { joinTables } from '../../lib/data/join-tables.ts'
import { columnRows, tableRows } from '../../lib/data/table-rows.ts'
import type { NumberArray, NumberType } from '../../lib/data/tree.ts'
import { everyColumn, tableOf } from '../support/cells-to-write.ts'

const number = (type: NumberType, values: NumberArray, mask?: number[]): Column => ({
  ...{ kind: 'number', type, values },
  ...(mask !== undefined && { mask: Uint8Array.from(mask) }),
})
const string = (...values: (string | null)[]): Column => ({ kind: 'string', values })
const coded = (values: string[], codes: number[], ordered = false): Column => ({
  ...{ kind: 'categorical', codes: Int32Array.from(codes), ordered },
  categories: { kind: 'string', values },
})
const levels = (type: NumberType, values: NumberArray, codes: number[]): Column => ({
  ...{ kind: 'categorical', codes: Int32Array.from(codes), ordered: false },
  categories: { kind: 'number', type, values },
})

type Value = string | number | bigint | null

function lengthOf(column: Column): number {
  return column.kind === 'categorical' ? column.codes.length : column.values.length
}

/** What each row says; null where it is missing. */
function said(column: Column): Value[] {
  if (column.kind === 'string') return column.values
  if (column.kind === 'categorical') {
    const values = Array.from(column.categories.values as ArrayLike<Value>)
    return Array.from(column.codes, (code) => (code < 0 ? null : values[code]!))
  }
  const { mask } = column
  const values = Array.from(column.values as ArrayLike<number | bigint>)
  return values.map((value, i) => (mask?.[i] === 1 || Number.isNaN(value) ? null : value))
}

function join(...columns: (Column | number)[]) {
  return joinColumn(
    columns.map((column) =>
      typeof column === 'number' ? { rows: column, column: undefined } : { rows: lengthOf(column), column },
    ),
  )
}

function joined(...columns: (Column | number)[]): Column {
  const result = join(...columns)
  if ('reason' in result) throw new Error(result.reason)
  return result.column
}

describe('numbers of several tables', () => {
  it.each<[NumberType, NumberType, string]>([
    ['int8', 'int8', 'int8'],
    ['uint8', 'uint16', 'uint16'],
    ['int8', 'uint8', 'int16'],
    ['int16', 'uint8', 'int16'],
    ['int32', 'uint32', 'int64'],
    ['float32', 'int16', 'float32'],
    ['float32', 'int32', 'float64'],
    ['float16', 'uint8', 'float32'],
    ['float64', 'int64', 'float64'],
    ['uint64', 'uint8', 'uint64'],
    ['int64', 'uint64', 'int64'],
  ])('of %s and %s become %s', (first, second, wanted) => {
    const of = (type: NumberType) =>
      number(type, type.endsWith('int64') ? BigInt64Array.of(3n) : Float64Array.of(3))
    const column = joined(of(first), of(second))
    expect(column).toMatchObject({ kind: 'number', type: wanted })
    expect(said(column).map(Number)).toEqual([3, 3])
  })

  it('are masked where whole ones are missing, and not-a-number where others are', () => {
    const whole = joined(number('int32', Int32Array.of(1, 2), [0, 1]), 2, number('int8', Int8Array.of(-3)))
    expect(whole).toMatchObject({ type: 'int32', mask: Uint8Array.of(0, 1, 1, 1, 0) })
    expect(said(whole)).toEqual([1, null, null, null, -3])
    const part = joined(
      1,
      number('float32', Float32Array.of(0.5)),
      number('uint8', Uint8Array.of(7, 9), [1, 0]),
    )
    expect(part).toMatchObject({ type: 'float32' })
    expect(part).not.toHaveProperty('mask')
    expect(said(part)).toEqual([null, 0.5, null, 9])
  })

  it('are left out where no type would hold them', () => {
    const far = number('int64', BigInt64Array.of(2n ** 53n + 1n))
    const refused = { reason: expect.stringContaining('no type holds') }
    expect(join(far, number('float32', Float32Array.of(1)))).toEqual(refused)
    expect(joined(far, number('int8', Int8Array.of(1)))).toMatchObject({ type: 'int64' })
    expect(join(number('uint64', BigUint64Array.of(2n ** 63n)), number('int8', Int8Array.of(1)))).toEqual(
      refused,
    )
    const wide = levels('uint64', BigUint64Array.of(2n ** 64n - 1n), [0])
    expect(join(wide, levels('int8', Int8Array.of(1), [0]))).toEqual(refused)
  })

  it('are the same numbers whatever their types', () => {
    const types = fc.constantFrom<NumberType>(
      'int8',
      'uint8',
      'int16',
      'uint16',
      'int32',
      'uint32',
      'float64',
    )
    const part = fc.tuple(types, fc.array(fc.integer({ min: 0, max: 127 }), { maxLength: 5 }))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const columns = parts.map(([type, values]) => number(type, Float64Array.from(values)))
        expect(said(joined(...columns)).map(Number)).toEqual(parts.flatMap(([, values]) => values))
      }),
    )
  })
})

describe('texts and categories of several tables', () => {
  it('become one categorical, with the categories in the order in which they come', () => {
    const column = joined(coded(['b', 'a'], [1, -1, 0]), string('c', null, 'a'), 1, coded(['c', 'z'], [0]))
    expect(column).toEqual(coded(['b', 'a', 'c', 'z'], [1, -1, 0, 2, -1, 1, -1, 2]))
  })

  it('stay text where all are, and hold names of prototypes', () => {
    expect(joined(string('__proto__'), 1, string('constructor', null))).toEqual(
      string('__proto__', null, 'constructor', null),
    )
    expect(said(joined(coded(['__proto__'], [0]), string('toString')))).toEqual(['__proto__', 'toString'])
  })

  it('keep an order on which all agree, and say when it is lost', () => {
    const low = coded(['lo', 'hi'], [0, 1], true)
    expect(join(low, low)).toEqual({ column: coded(['lo', 'hi'], [0, 1, 0, 1], true) })
    const other = join(low, coded(['hi', 'lo'], [0], true))
    expect(other).toEqual({
      column: coded(['lo', 'hi'], [0, 1, 1]),
      remark: expect.stringContaining('order'),
    })
    expect(join(low, string('hi'))).toHaveProperty('remark')
  })

  it('of numbers become categories of the wider type, each once', () => {
    const column = joined(
      levels('int64', BigInt64Array.of(10n, 2n), [0, 1]),
      levels('int8', Int8Array.of(2, 5), [1, 0]),
    )
    expect(column).toEqual(levels('int64', BigInt64Array.of(10n, 2n, 5n), [0, 1, 2, 1]))
    const mixed = joined(
      levels('int64', BigInt64Array.of(2n), [0]),
      levels('float32', Float32Array.of(2, 0.5), [0, 1]),
    )
    expect(mixed).toEqual(levels('float64', Float64Array.of(2, 0.5), [0, 0, 1]))
  })
})

describe('columns of several kinds', () => {
  it.each([
    ['numbers and text', number('int8', Int8Array.of(1)), string('1')],
    [
      'numbers and categories of numbers',
      number('int8', Int8Array.of(1)),
      levels('int8', Int8Array.of(1), [0]),
    ],
    ['categories of numbers and of text', levels('int8', Int8Array.of(1), [0]), coded(['1'], [0])],
    [
      'flags and numbers',
      { kind: 'boolean', values: Uint8Array.of(1) } as Column,
      number('int8', Int8Array.of(1)),
    ],
  ])('are not joined: %s', (_, first, second) => {
    expect(join(first, second)).toEqual({ reason: expect.stringMatching(/ in 1, .* in 1$/) })
  })

  it('are joined where one of them says nothing, as pandas leaves an empty column', () => {
    const nothing = number('float64', Float64Array.of(Number.NaN, Number.NaN))
    expect(joined(nothing, coded(['a'], [0]))).toEqual(coded(['a'], [-1, -1, 0]))
    expect(joined(string(null), number('int8', Int8Array.of(4)))).toMatchObject({
      type: 'int8',
      mask: Uint8Array.of(1, 0),
    })
    expect(said(joined(nothing, 1))).toEqual([null, null, null])
    expect(join(1, 2)).toEqual({ reason: 'no table has it' })
  })

  it('say of flags which are missing', () => {
    const flags = joined({ kind: 'boolean', values: Uint8Array.of(1, 0) }, 1)
    expect(flags).toEqual({ kind: 'boolean', values: Uint8Array.of(1, 0, 0), mask: Uint8Array.of(0, 0, 1) })
  })
})

describe('tables, one under the other', () => {
  it('have all columns of all, and names with the number of their table', () => {
    const first = tableOf(2, {
      prefix: 'a',
      columns: new Map([
        ['x', string('p', 'q')],
        ['only', string('1', '2')],
      ]),
    })
    const second: Table = {
      ...tableOf(1, {
        prefix: 'a',
        columns: new Map([
          ['y', string('r')],
          ['x', string('s')],
          ['torn', string('')],
        ]),
      }),
      unread: [
        { name: 'odd', reason: 'it is a picture' },
        { name: 'torn', reason: 'damaged' },
      ],
    }
    const { table, leftOut, changed, renamed } = joinTables([first, second])
    expect(table).toMatchObject({ rows: 3, indexName: '_index', index: ['a0-0', 'a1-0', 'a0-1'] })
    expect([...table.columns]).toEqual([
      ['x', string('p', 'q', 's')],
      ['only', string('1', '2', null)],
      ['y', string(null, null, 'r')],
    ])
    expect(leftOut).toEqual([
      { name: 'odd', reason: 'it is a picture' },
      { name: 'torn', reason: 'damaged' },
    ])
    expect([changed, renamed]).toEqual([[], 0])
  })

  it('have no name twice, whatever names their tables have', () => {
    const names = fc.array(fc.constantFrom('a', 'a-1', 'a-0', 'a-1-0', '', '__proto__', 'b'), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(fc.array(names, { maxLength: 12 }), (all) => {
        const tables = all.map((index) => ({ ...tableOf(index.length, { prefix: '' }), index }))
        const { table, renamed } = joinTables(tables)
        expect(new Set(table.index).size).toBe(table.rows)
        expect(table.rows).toBe(all.flat().length)
        expect(renamed).toBe(all.reduce((sum, index) => sum + index.length - new Set(index).size, 0))
      }),
    )
  })

  it('are what they were when cut and joined again, for every kind of column', () => {
    const rows = 12
    const whole = tableOf(rows, { prefix: 'r', columns: everyColumn(rows) })
    const cut = (from: number, to: number) =>
      tableRows(
        whole,
        Int32Array.from({ length: to - from }, (_, i) => from + i),
      )
    const { table, leftOut } = joinTables([cut(0, 5), cut(5, 5), cut(5, rows)])
    expect(leftOut).toEqual([])
    for (const [name, column] of whole.columns) {
      expect([name, said(table.columns.get(name)!)]).toEqual([name, said(column)])
      expect(table.columns.get(name)!.kind).toBe(column.kind)
    }
  })
})

describe('some rows of a column', () => {
  it('keep no category that none of them has, but for those in an order', () => {
    expect(columnRows(coded(['a', 'b', 'c'], [2, 1, -1, 0]), Int32Array.of(2, 0))).toEqual(
      coded(['c'], [-1, 0]),
    )
    expect(columnRows(coded(['a', 'b'], [0, 1], true), Int32Array.of(1))).toEqual(
      coded(['a', 'b'], [1], true),
    )
    expect(columnRows(levels('int64', BigInt64Array.of(4n, 9n), [1, 0]), Int32Array.of(0))).toEqual(
      levels('int64', BigInt64Array.of(9n), [0]),
    )
  })
})
