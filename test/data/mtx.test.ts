import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type MtxHeader, mtxEntries, readMtxHeader } from '../../lib/data/mtx.ts'
import { plainBytes, type TextFile } from '../../lib/data/mtx-text.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

type Entry = [row: number, column: number, value: number]

/** A file whose reader hands out pieces of the given size. */
function fileOf(content: string | Uint8Array, pieceSize = 65_536): TextFile {
  const bytes = Buffer.from(content)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceSize) pieces.push(bytes.subarray(at, at + pieceSize))
  return { place: 'matrix.mtx', open: async () => Readable.from(pieces, { objectMode: false }) }
}

async function readAll(file: TextFile): Promise<{ header: MtxHeader; entries: Entry[] }> {
  const header = await readMtxHeader(plainBytes(file), file.place)
  const entries: Entry[] = []
  for await (const { rows, columns, values } of mtxEntries(plainBytes(file), { header, place: file.place })) {
    for (let i = 0; i < rows.length; i++) entries.push([rows[i]!, columns[i]!, values[i]!])
  }
  return { header, entries }
}

const banner = (field: string) => `%%MatrixMarket matrix coordinate ${field} general\n`

describe('entries of an MTX file', () => {
  it('are those that were written, however lines end, blanks lie, bytes are cut and packed', async () => {
    const entry = fc.tuple(fc.nat(8), fc.nat(5), fc.integer({ min: -(2 ** 40), max: 2 ** 40 }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 40 }),
        fc.record({
          end: fc.constantFrom('\n', '\r\n', ' \n', '\t\r\n'),
          gap: fc.constantFrom(' ', '\t', '   '),
          start: fc.constantFrom('', '  '),
          comments: fc.constantFrom('', '%\n', '% one\n%two\r\n'),
          lastEnd: fc.boolean(),
          pieceSize: fc.integer({ min: 1, max: 40 }),
          packed: fc.boolean(),
        }),
        async (entries, { end, gap, start, comments, lastEnd, pieceSize, packed }) => {
          const lines = entries.map(([row, column, value]) => start + [row + 1, column + 1, value].join(gap))
          const size = `9${gap}6${gap}${entries.length}`
          fc.pre(entries.length <= 54)
          const text = banner('integer') + comments + [size, ...lines].join(end) + (lastEnd ? end : '')
          const read = await readAll(fileOf(packed ? gzipSync(text) : text, pieceSize))
          expect(read.entries).toEqual(entries)
          expect(read.header).toMatchObject({
            rows: 9,
            columns: 6,
            entries: entries.length,
            field: 'integer',
          })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('hold exactly the double that the text of a number stands for', async () => {
    const written = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value.toExponential()),
      fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => value.toFixed(6)),
      fc.tuple(fc.nat(), fc.nat()).map(([whole, part]) => `${whole}.${part}`),
      fc.constantFrom(
        '0.',
        '.5',
        '+3',
        '-0.0',
        '007',
        '1E3',
        '+.5e-3',
        '123456789012345',
        '1234567890123456',
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(written, { minLength: 1, maxLength: 30 }), async (numbers) => {
        const lines = numbers.map((text, i) => `${i + 1} 1 ${text}\n`)
        const { entries } = await readAll(
          fileOf(`${banner('real')}${numbers.length} 1 ${numbers.length}\n${lines.join('')}`),
        )
        expect(entries.map(([, , value]) => value)).toEqual(numbers.map(Number))
      }),
      { numRuns: 200 },
    )
  })

  it('are 1 where only the pattern is stored', async () => {
    const { entries } = await readAll(fileOf(`${banner('pattern')}3 2 2\n3 1\n1 2\n`))
    expect(entries).toEqual([
      [2, 0, 1],
      [0, 1, 1],
    ])
  })

  it('come in batches, and blank lines at the end are no entries', async () => {
    const count = 150_000
    const lines = Array.from({ length: count }, (_, i) => `${i + 1} 1 ${i % 7}\n`)
    const { entries } = await readAll(
      fileOf(`${banner('integer')}${count} 1 ${count}\n${lines.join('')}\n \r\n`),
    )
    expect(entries.length).toBe(count)
    expect(entries.at(-1)).toEqual([count - 1, 0, (count - 1) % 7])
  })

  it('follow a header in any letters, and may be none', async () => {
    const { header, entries } = await readAll(fileOf('%%matrixmarket MATRIX Coordinate Real GENERAL\n0 0 0'))
    expect(header).toMatchObject({ rows: 0, columns: 0, entries: 0, field: 'real' })
    expect(entries).toEqual([])
  })

  it('of gzip members one after another are one file', async () => {
    const text = `${banner('integer')}2 2 2\n1 1 5\n2 2 6\n`
    const packed = Buffer.concat([gzipSync(text.slice(0, 60)), gzipSync(text.slice(60))])
    expect((await readAll(fileOf(packed))).entries).toEqual([
      [0, 0, 5],
      [1, 1, 6],
    ])
  })
})

const good = `${banner('integer')}3 4 2\n`

describe('an MTX file that is not right is refused', () => {
  it.each([
    ['an empty file', '', 'MTX_HEADER', 'the file is empty'],
    ['no header', '3 4 2\n1 1 1\n', 'MTX_HEADER', '"3 4 2"'],
    ['a web page', '<!DOCTYPE html>\n<html>\n', 'MTX_HEADER', '<!DOCTYPE html>'],
    ['an array', '%%MatrixMarket matrix array real general\n1 1\n1\n', 'MTX_UNSUPPORTED', 'array'],
    ['complex numbers', `${banner('complex')}1 1 1\n1 1 1 0\n`, 'MTX_UNSUPPORTED', 'complex'],
    [
      'a symmetric matrix',
      '%%MatrixMarket matrix coordinate real symmetric\n',
      'MTX_UNSUPPORTED',
      'symmetric',
    ],
    ['no size line', `${banner('real')}%\n%\n`, 'MTX_SIZE', 'no size line'],
    ['letters in the size line', `${banner('real')}80 t 4352\n`, 'MTX_SIZE', 'line 2 ("80 t 4352")'],
    ['a size line of two numbers', `${banner('real')}80 4352\n`, 'MTX_SIZE', 'line 2'],
    ['a blank line before the size', `${banner('real')}%\n\n1 1 0\n`, 'MTX_SIZE', 'line 3 ("")'],
    ['more entries than places', `${banner('real')}2 2 5\n`, 'MTX_SIZE', '5 entries do not fit in 2 x 2'],
    ['too many rows', `${banner('real')}3000000000 2 5\n`, 'MTX_SIZE', 'too large'],
    ['a negative size', `${banner('real')}-3 2 5\n`, 'MTX_SIZE', 'line 2'],
    ['endless comments', `${banner('real')}%${'x'.repeat(2 ** 21)}`, 'MTX_SIZE', 'no size line'],
    ['a row number 0', `${good}0 1 1\n`, 'MTX_ENTRY', 'line 3 ("0 1 1") lies outside the 3 x 4'],
    ['a row beyond the last', `${good}1 1 1\n4 1 1\n`, 'MTX_ENTRY', 'line 4 ("4 1 1") lies outside'],
    ['a column beyond the last', `${good}1 5 1\n`, 'MTX_ENTRY', 'lies outside'],
    ['an endless row number', `${good}${'9'.repeat(400)} 1 1\n`, 'MTX_ENTRY', 'lies outside'],
    ['a word in place of a row', `${good}a 1 1\n`, 'MTX_ENTRY', 'line 3 ("a 1 1") is not a row'],
    ['a fraction in place of a row', `${good}1.5 1 1\n`, 'MTX_ENTRY', 'line 3'],
    ['a missing value', `${good}1 1\n`, 'MTX_ENTRY', 'one integer number'],
    ['a value too many', `${good}1 1 1 1\n`, 'MTX_ENTRY', 'line 3'],
    ['a value where there is none', `${banner('pattern')}3 4 2\n1 1 1\n`, 'MTX_ENTRY', 'a row and a column'],
    ['a fraction among integers', `${good}1 1 1.5\n`, 'MTX_ENTRY', 'one integer number'],
    ['an exponent among integers', `${good}1 1 1e3\n`, 'MTX_ENTRY', 'one integer number'],
    ['an integer that no double holds', `${good}1 1 9007199254740993\n`, 'MTX_ENTRY', 'one integer number'],
    ['NaN', `${banner('real')}3 4 2\n1 1 nan\n`, 'MTX_ENTRY', 'one real number'],
    ['infinity', `${banner('real')}3 4 2\n1 1 1e999\n`, 'MTX_ENTRY', 'one real number'],
    ['two points', `${banner('real')}3 4 2\n1 1 1.2.3\n`, 'MTX_ENTRY', 'one real number'],
    ['a lone sign', `${banner('real')}3 4 2\n1 1 -\n`, 'MTX_ENTRY', 'one real number'],
    ['commas', `${good}1,1,1\n`, 'MTX_ENTRY', 'line 3'],
    ['a comment among entries', `${good}1 1 1\n% two\n2 1 1\n`, 'MTX_ENTRY', 'line 4'],
    ['a blank line among entries', `${good}1 1 1\n\n2 1 1\n`, 'MTX_ENTRY', 'line 4 is blank'],
    ['a line without end', `${good}1 1 ${'1'.repeat(70_000)}`, 'MTX_ENTRY', 'more than 1024 characters'],
    ['control characters, shown as ?', `${good}1 1 \u001b[2J\n`, 'MTX_ENTRY', '("1 1 ?[2J")'],
    ['fewer entries than promised', `${good}1 1 1\n`, 'MTX_COUNT', 'only 1 are there'],
    ['more entries than promised', `${good}1 1 1\n2 2 2\n3 3 3\n`, 'MTX_COUNT', 'more entries follow'],
  ])('%s', async (_, text, code, problem) => {
    for (const pieceSize of [3, 65_536]) {
      const read = readAll(fileOf(text, text.length > 10_000 ? 65_536 : pieceSize))
      await expect(read).rejects.toMatchObject({ name: 'BadInput', code, place: 'matrix.mtx' })
      await expect(read).rejects.toThrow(problem)
    }
  })

  it('gzip data cut short or damaged in the middle', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `${i + 1} 1 ${(i * 7919) % 1000}\n`)
    const packed = gzipSync(`${banner('integer')}5000 1 5000\n${lines.join('')}`)
    const cut = readAll(fileOf(packed.subarray(0, packed.length / 2)))
    await expect(cut).rejects.toMatchObject({ name: 'BadInput', code: 'GZIP_DAMAGED', place: 'matrix.mtx' })
    const damaged = Buffer.from(packed)
    damaged.fill(0xff, 2000, 2100)
    await expect(readAll(fileOf(damaged))).rejects.toMatchObject({ name: 'BadInput' })
  })

  it('a small gzip file that unpacks without end stops at the promised number of entries', async () => {
    const bomb = gzipSync(`${banner('integer')}1 1 1\n${'1 1 1\n'.repeat(2_000_000)}`)
    await expect(readAll(fileOf(bomb))).rejects.toMatchObject({ code: 'MTX_COUNT' })
  })

  it('a stream that breaks is a failure of the store, not of the file', async () => {
    const file: TextFile = {
      place: 'matrix.mtx',
      open: async () =>
        Readable.from(
          (async function* () {
            yield Buffer.from(good)
            throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
          })(),
        ),
    }
    await expect(readAll(file)).rejects.toMatchObject({ name: 'StoreFailure', code: 'READ_FAILED' })
  })
})

describe.runIf(hasShared)('MTX files found in the wild', () => {
  const found = (...path: string[]): TextFile => {
    const place = sharedPath('data', ...path)
    return { place, open: async () => createReadStream(place, { highWaterMark: 1000 }) }
  }

  it.each([
    ['AB_toy_data_toy.matrix.mtx', 'MTX_COUNT'],
    ['AB_toy_data_toy.unsorted_mtx.mtx', 'MTX_COUNT'],
    ['bad_dimensions.mtx.txt', 'MTX_SIZE'],
    ['bad_format_has_character.mtx', 'MTX_SIZE'],
    ['bad_format_has_space.mtx', 'MTX_SIZE'],
    ['matrix_with_header.mtx', 'MTX_COUNT'],
    ['no_data.mtx.txt', 'MTX_SIZE'],
    ['one_column_feature_file_data_models.mtx', 'MTX_SIZE'],
    ['sorted_matrix.mtx', 'MTX_HEADER'],
    ['unsorted_matrix.mtx', 'MTX_SIZE'],
    ['unsorted_matrix.mtx.gz', 'MTX_SIZE'],
    ['unsorted_mtx.mtx.txt', 'MTX_COUNT'],
    ['unsorted_mtx.txt.gzip', 'MTX_COUNT'],
  ])('%s is refused as %s', async (name, code) => {
    await expect(readAll(found('edge', 'mtx', name))).rejects.toMatchObject({ name: 'BadInput', code })
  })

  it('matrix.mtx of 33694 genes and 25 cells is read', async () => {
    const { header, entries } = await readAll(found('edge', 'mtx', 'matrix.mtx'))
    expect(header).toEqual({ rows: 33694, columns: 25, entries: 25, field: 'integer', lines: 3, bytes: 63 })
    expect(entries[0]).toEqual([16010, 0, 1])
    expect(entries.length).toBe(25)
  })
})
