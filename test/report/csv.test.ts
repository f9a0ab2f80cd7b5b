import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CsvColumn, writeCsv } from '../../lib/report/csv.ts'

async function written(columns: CsvColumn[]): Promise<string> {
  const pieces: string[] = []
  for await (const piece of writeCsv(columns)) pieces.push(piece)
  return pieces.join('')
}

/** RFC 4180, by the book: a machine over characters, independent of the writer. */
function parse(text: string): string[][] {
  const rows: string[][] = []
  let [row, cell, isQuoted] = [[] as string[], '', false]
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!
    if (isQuoted) {
      if (character !== '"') cell += character
      else if (text[i + 1] === '"') cell += text[++i]
      else isQuoted = false
    } else if (character === '"') isQuoted = true
    else if (character === ',') {
      row.push(cell)
      cell = ''
    } else if (character === '\r' && text[i + 1] === '\n') {
      i++
      rows.push([...row, cell])
      row = []
      cell = ''
    } else cell += character
  }
  expect([row, cell, isQuoted], 'the text ends after a line').toEqual([[], '', false])
  return rows
}

const startsFormula = /^[=+\-@\t\r\n＝＋－＠]/
const isNumber = (text: string): boolean => text.trim() !== '' && Number.isFinite(Number(text))
const unguarded = (cell: string): string => (/^'+[=+\-@\t\r\n＝＋－＠]/.test(cell) ? cell.slice(1) : cell)

const awkward = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '=1+1',
    "'=1",
    '-5',
    '+cmd',
    '@a',
    '\t=x',
    '\r\n',
    '"',
    'a,b',
    '',
    ' ',
    '＝1',
    '-inf',
    "''-x",
    '-2.5e3',
  ),
  fc
    .tuple(fc.constantFrom('=', '+', '-', '@', '\t', "'"), fc.string({ unit: 'grapheme' }))
    .map((parts) => parts.join('')),
)

describe('tables as CSV', () => {
  it('give back every text by an RFC 4180 reader and the removal of one apostrophe', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(awkward, awkward), { maxLength: 20 }), async (rows) => {
        const text = await written([
          { name: 'a', values: rows.map(([left]) => left) },
          { name: 'b', values: rows.map(([, right]) => right) },
        ])
        const [header, ...body] = parse(text)
        expect(header).toEqual(['a', 'b'])
        expect(body.map((row) => row.map(unguarded))).toEqual(rows)
      }),
      { numRuns: 300 },
    )
  })

  it('hold no cell that a spreadsheet would run, in names of columns and categories neither', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(awkward, { minLength: 1, maxLength: 20 }), async (texts) => {
        const codes = texts.map((_, i) => i)
        const text = await written([
          { name: texts[0]!, values: texts },
          { name: 'code', codes, categories: texts },
        ])
        const wrong = parse(text)
          .flat()
          .filter((cell) => startsFormula.test(cell) && !isNumber(cell))
        expect(wrong).toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('keep numbers as numbers, negative ones too, and leave missing ones empty', async () => {
    const text = await written([
      { name: 'score', values: [-1.5, Number.NaN, -0, 1e21, Number.NEGATIVE_INFINITY] },
      { name: 'text', values: ['-7', null, '', '+x', true] },
    ])
    expect(text).toBe('score,text\r\n-1.5,-7\r\n,\r\n0,""\r\n1e+21,\'+x\r\n-inf,true\r\n')
  })

  it('write a float32 with the fewest digits that give it back', async () => {
    const some = Float32Array.of(0.1, 1 / 3, 16_777_216, 1e-30, -2.5)
    const text = await written([{ name: 'v', values: some }])
    const cells = text.trim().split('\r\n').slice(1)
    expect(cells).toEqual(['0.1', '0.33333334', '16777216', '1e-30', '-2.5'])
  })

  it('write float32 values that read back as the same float32', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.float32Array({ minLength: 1, maxLength: 30, noNaN: true, noDefaultInfinity: true }),
        async (values) => {
          const cells = parse(await written([{ name: 'v', values }])).slice(1)
          expect(Float32Array.from(cells, ([cell]) => Number(cell))).toEqual(values.map((value) => value + 0))
        },
      ),
    )
  })

  it('write missing codes as empty cells, and a line of one missing cell as a line that readers see', async () => {
    const categories = ['T, naive', 'B']
    expect(await written([{ name: 'label', codes: [1, -1, 0], categories }])).toBe(
      'label\r\nB\r\n""\r\n"T, naive"\r\n',
    )
  })

  it('come in pieces, so that a million rows never lie in memory as one text', async () => {
    const values = new Float32Array(100_000).fill(1.25)
    const lengths: number[] = []
    for await (const piece of writeCsv([{ name: 'v', values }])) lengths.push(piece.length)
    expect(lengths.length).toBeGreaterThan(5)
    expect(Math.max(...lengths)).toBeLessThan(70_000)
  })

  it('refuse columns of unequal length', async () => {
    await expect(
      written([
        { name: 'a', values: [1] },
        { name: 'b', values: [1, 2] },
      ]),
    ).rejects.toThrow(RangeError)
  })
})
