import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvRows, csvTable } from '../../lib/knowledge/csv-table.ts'
import { writeCsv } from '../../lib/report/csv.ts'

describe('a CSV table', () => {
  it('is read as our own writer writes it', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ';', 'é', '𝒜', ' ') })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 6 }), async (rows) => {
        let written = ''
        for await (const piece of writeCsv([
          { name: 'x', values: rows.map(([first]) => first) },
          { name: 'y', values: rows.map(([, second]) => second) },
        ]))
          written += piece
        const plain = (value: string) => (/^'*[\r\n]/.test(value) ? `'${value}` : value)
        expect(csvRows(written).map(({ fields }) => fields)).toEqual([
          ['x', 'y'],
          ...rows.map((row) => row.map(plain)),
        ])
      }),
    )
  })

  it('counts the lines of its rows, whatever ends them', () => {
    expect(csvRows('a,b\r\n"c\nd",e\r\rf,g').map(({ line, fields }) => [line, ...fields])).toEqual([
      [1, 'a', 'b'],
      [2, 'c\nd', 'e'],
      [5, 'f', 'g'],
    ])
    expect(csvRows('')).toEqual([])
    expect(csvRows('a,').map(({ fields }) => fields)).toEqual([['a', '']])
  })

  it.each([
    ['A"B,x', 'line 1 has a quote', ['A"B', 'x']],
    ['"A" B,x', 'line 1 has text behind a closing quote', ['A B', 'x']],
    ['"A"B"C,x', 'line 1 has text behind a closing quote', ['AB"C', 'x']],
  ])(
    'that may be read in two ways, as %j, is refused, or leniently read as a spreadsheet does',
    (text, problem, fields) => {
      expect(() => csvRows(text)).toThrow(problem)
      expect(csvRows(text, { lenient: true }).map((row) => row.fields)).toEqual([fields])
    },
  )

  it('whose quote is never closed is refused either way', () => {
    for (const lenient of [false, true])
      expect(() => csvRows('a\n"b\nc', { lenient })).toThrow('opens in line 2 is never closed')
  })

  it('is found under the separator that gives the columns, whatever else is in the header', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', '\t', '\n', 'é', ' '), minLength: 1 })
    await fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { maxLength: 6 }),
        fc.constantFrom(',', ';', '\t'),
        fc.constantFrom('', 'sep'),
        fc.constantFrom('\n', '\r\n', '\r'),
        (rows, separator, first, end) => {
          const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
          const lines = [['x, y; z', 'name'], ...rows].map((fields) => fields.map(quoted).join(separator))
          const text = [...(first === '' ? [] : [`sep=${separator}`]), ...lines].join(end)
          const table = csvTable(text, { required: ['name'], nameOf: (field) => field })!
          expect(table).toMatchObject({ names: ['x, y; z', 'name'], separator })
          const filled = rows.filter((fields) => fields.join('').trim() !== '')
          expect(table.rows.map(({ fields }) => fields)).toEqual(filled)
          expect(table.rows.every(({ row }) => row > (first === '' ? 1 : 2))).toBe(true)
        },
      ),
    )
    expect(csvTable('a,b\n1,2', { required: ['c'], nameOf: (field) => field })).toBeUndefined()
  })
})
