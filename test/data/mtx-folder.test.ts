import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Matrix, RowSlab } from '../../lib/data/cells.ts'
import { localFolder, storeFolder } from '../../lib/data/folder.ts'
import { openTenxFolder } from '../../lib/data/tenx-folder.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tenx-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

const banner = '%%MatrixMarket matrix coordinate integer general\n'
/** 3 genes x 2 cells: cell 1 has genes 1 (5) and 3 (1), cell 2 has gene 2 (7) */
const small = {
  'matrix.mtx': `${banner}3 2 3\n3 1 1\n1 1 5\n2 2 7\n`,
  'barcodes.tsv': 'AAA-1\nCCC-1\n',
  'genes.tsv': 'ENSG1\tCD3E\nENSG2\tMS4A1\nENSG3\tCD3E\n',
}

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
}

async function dense(
  matrix: Matrix,
  options?: { slabBytes?: number; from?: number; to?: number },
): Promise<number[][]> {
  const rows: number[][] = []
  for await (const slab of matrix.slabs(options)) {
    for (let row = 0; row < slab.rows; row++) {
      const values = new Array<number>(slab.columns).fill(0)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        values[slab.indices[i]!] = slab.values[i]!
      rows.push(values)
    }
  }
  return rows
}

describe('a 10x folder', () => {
  it('gives cells x genes, barcodes as index and feature ids with their symbols, unchanged', async () => {
    await write(small)
    const file = await openTenxFolder(folder)
    expect(file).toMatchObject({
      place: folder,
      format: 'mtx',
      rows: 2,
      columns: 3,
      matrices: ['X'],
      notices: [],
    })
    expect((await file.obs()).index).toEqual(['AAA-1', 'CCC-1'])
    const genes = await file.genesOf('X')
    expect(genes.index).toEqual(['ENSG1', 'ENSG2', 'ENSG3'])
    expect([...genes.columns]).toEqual([
      ['gene_symbols', { kind: 'string', values: ['CD3E', 'MS4A1', 'CD3E'] }],
    ])
    const matrix = await file.matrix('X')
    expect(matrix).toMatchObject({
      name: 'X',
      rows: 2,
      columns: 3,
      encoding: 'mtx',
      type: 'int32',
      stored: 3,
    })
    expect(await dense(matrix)).toEqual([
      [5, 0, 1],
      [0, 7, 0],
    ])
    await expect(file.matrix('raw/X')).rejects.toMatchObject({ code: 'MATRIX_MISSING' })
  })

  it('is the same packed, with the sample in front, under names of Cell Ranger 3 and in a store', async () => {
    await mkdir(join(folder, 'inbox'))
    await write({
      'inbox/GSM1_a_matrix.mtx.gz': gzipSync(small['matrix.mtx']),
      'inbox/GSM1_a_barcodes.tsv.gz': gzipSync(small['barcodes.tsv']),
      'inbox/GSM1_a_features.tsv.gz': gzipSync(small['genes.tsv']),
      'inbox/GSM1_a.metadata.csv': 'cell,type\n',
    })
    const local = await openTenxFolder(localFolder(join(folder, 'inbox')))
    const stored = await openTenxFolder(storeFolder(await openFolderStore(folder), 'inbox'))
    for (const file of [local, stored]) {
      expect(await dense(await file.matrix('X'))).toEqual([
        [5, 0, 1],
        [0, 7, 0],
      ])
      expect((await file.var()).index).toEqual(['ENSG1', 'ENSG2', 'ENSG3'])
    }
  })

  it('tells gzip by content: a file that a browser unpacked keeps its name', async () => {
    await write({ ...small, 'genes.tsv': gzipSync(small['genes.tsv']) })
    await rm(join(folder, 'barcodes.tsv'))
    await write({ 'barcodes.tsv.gz': small['barcodes.tsv'] })
    expect((await openTenxFolder(folder)).rows).toBe(2)
  })

  it('reads one of several samples when it is named', async () => {
    const named = (sample: string) =>
      Object.fromEntries(Object.entries(small).map(([name, text]) => [`${sample}${name}`, text]))
    await write({ ...named('a.'), ...named('b_') })
    await expect(openTenxFolder(folder)).rejects.toMatchObject({
      code: 'TENX_SEVERAL',
      problem: 'it holds 2 samples ("a", "b")',
    })
    expect((await openTenxFolder(folder, { sample: 'b' })).rows).toBe(2)
    await expect(openTenxFolder(folder, { sample: 'c' })).rejects.toMatchObject({ code: 'TENX_MISSING' })
  })

  it('reads feature types, genomes and coordinates where there are such columns', async () => {
    await write({ ...small, 'genes.tsv': 'E1\tA\tGene Expression\tGRCh38\n'.repeat(3) })
    expect([...(await (await openTenxFolder(folder)).var()).columns.keys()]).toEqual([
      'gene_symbols',
      'feature_types',
      'genome',
    ])
    await write({ 'genes.tsv': 'E1\tA\tPeaks\tchr1\t100\t200\r\n'.repeat(3) })
    const { columns } = await (await openTenxFolder(folder)).var()
    expect(columns.get('end')).toEqual({ kind: 'string', values: ['200', '200', '200'] })
    await write({ 'genes.tsv': 'CD3E\nMS4A1\nCD19' })
    expect(await (await openTenxFolder(folder)).var()).toMatchObject({
      index: ['CD3E', 'MS4A1', 'CD19'],
      columns: new Map(),
    })
  })

  it('reads a matrix that lies the other way round, and says so', async () => {
    await write({ ...small, 'matrix.mtx': `${banner}2 3 3\n1 3 1\n2 2 7\n1 1 5\n` })
    const file = await openTenxFolder(folder)
    expect(file).toMatchObject({ rows: 2, columns: 3, notices: [{ code: 'MTX_TRANSPOSED' }] })
    expect(await dense(await file.matrix('X'))).toEqual([
      [5, 0, 1],
      [0, 7, 0],
    ])
  })

  it('takes a square matrix as genes x cells', async () => {
    await write({
      'matrix.mtx': `${banner}2 2 1\n1 2 9\n`,
      'barcodes.tsv': 'A\nB\n',
      'genes.tsv': 'g1\ng2\n',
    })
    const file = await openTenxFolder(folder)
    expect(file.notices).toEqual([])
    expect(await dense(await file.matrix('X'))).toEqual([
      [0, 0],
      [9, 0],
    ])
  })

  it('keeps integers beyond 32 bits and fractions exactly', async () => {
    await write({ ...small, 'matrix.mtx': `${banner}3 2 2\n1 1 4294967297\n2 2 7\n` })
    const large = await (await openTenxFolder(folder)).matrix('X')
    expect(large.type).toBe('float64')
    expect((await dense(large))[0]).toEqual([4294967297, 0, 0])
    await write({ 'matrix.mtx': `${banner.replace('integer', 'real')}3 2 2\n1 1 0.1\n2 2 7\n` })
    const real = await (await openTenxFolder(folder)).matrix('X')
    expect(real.type).toBe('float64')
    expect((await dense(real))[0]).toEqual([0.1, 0, 0])
  })
})

describe('a 10x folder gives the same rows', () => {
  it('whatever the order of its entries, the size of slabs and the range of rows', async () => {
    const matrices = fc.array(fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }), {
      minLength: 1,
      maxLength: 12,
    })
    await fc.assert(
      fc.asyncProperty(
        matrices,
        fc.infiniteStream(fc.nat()),
        fc.record({
          isSorted: fc.boolean(),
          slabBytes: fc.integer({ min: 1, max: 200 }),
          from: fc.nat(12),
          to: fc.nat(14),
        }),
        async (cells, keys, { isSorted, slabBytes, from, to }) => {
          const entries = cells.flatMap((values, cell) =>
            values.map((value, gene) => ({ cell, gene, value, key: isSorted ? cell : keys.next().value! })),
          )
          const stored = entries.filter(({ value }) => value > 0).sort((a, b) => a.key - b.key)
          const lines = stored.map(({ cell, gene, value }) => `${gene + 1} ${cell + 1} ${value}\n`)
          await write({
            'matrix.mtx': `${banner}4 ${cells.length} ${stored.length}\n${lines.join('')}`,
            'barcodes.tsv': cells.map((_, i) => `cell${i}\n`).join(''),
            'genes.tsv': 'a\nb\nc\nd\n',
          })
          const matrix = await (await openTenxFolder(folder)).matrix('X')
          if (cells.length !== 4) expect(await dense(matrix, { slabBytes })).toEqual(cells)
          expect(await dense(matrix, { slabBytes, from, to })).toEqual(cells.slice(from, Math.max(from, to)))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('however often they are asked for, and when the reader stops early', async () => {
    await write(small)
    const matrix = await (await openTenxFolder(folder)).matrix('X')
    for await (const slab of matrix.slabs({ slabBytes: 1 })) {
      expect(slab.rows).toBe(1)
      break
    }
    expect(await dense(matrix)).toEqual(await dense(matrix, { slabBytes: 1 }))
  })
})

describe('a 10x folder that is not right is refused:', () => {
  const cases: [string, Record<string, string | undefined>, string, string][] = [
    ['no genes', { 'genes.tsv': undefined }, 'TENX_MISSING', 'the features file is not there'],
    [
      'nothing in it',
      { 'genes.tsv': undefined, 'barcodes.tsv': undefined, 'matrix.mtx': undefined },
      'TENX_MISSING',
      'matrix',
    ],
    ['genes twice', { 'features.tsv': 'a\nb\nc\n' }, 'TENX_SEVERAL', 'features.tsv and genes.tsv'],
    ['too few barcodes', { 'barcodes.tsv': 'A\n' }, 'TENX_COUNTS', '3 genes and 1 barcodes'],
    ['far too many barcodes', { 'barcodes.tsv': 'A\n'.repeat(9) }, 'TENX_COUNTS', 'more than 3 barcodes'],
    ['a header over the barcodes', { 'barcodes.tsv': 'x\nA\nB\n' }, 'TENX_COUNTS', 'without header lines'],
    ['a barcode without letters', { 'barcodes.tsv': 'A\n\n' }, 'TENX_NAMES', 'line 2 has no name'],
    [
      'barcodes with a second column',
      { 'barcodes.tsv': 'A\t1\nB\t2\n' },
      'TENX_NAMES',
      '2 tab-separated columns',
    ],
    ['quoted barcodes', { 'barcodes.tsv': '"A"\n"B"\n' }, 'TENX_NAMES', 'line 1 is in quotes'],
    ['genes of uneven lines', { 'genes.tsv': 'a\tA\nb\nc\tC\n' }, 'TENX_NAMES', 'line 2 has 1 tab-separated'],
    ['genes of seven columns', { 'genes.tsv': 'a\t\t\t\t\t\t\n' }, 'TENX_NAMES', '7 tab-separated'],
    ['an endless name', { 'barcodes.tsv': 'A'.repeat(200_000) }, 'TEXT_LINE', 'line 1 has more than'],
    [
      'a matrix of too many cells',
      { 'matrix.mtx': `${banner}3 2000000000 0\n` },
      'TENX_TOO_LARGE',
      '2000000000',
    ],
  ]
  it.each(cases)('%s', async (_, changes, code, problem) => {
    const files: Record<string, string | undefined> = { ...small, ...changes }
    for (const [name, text] of Object.entries(files)) if (text !== undefined) await write({ [name]: text })
    const opened = openTenxFolder(folder)
    await expect(opened).rejects.toMatchObject({ name: 'BadInput', code })
    await expect(opened).rejects.toThrow(problem)
  })

  it('a prefix with more objects than any sample has', async () => {
    const store = await openFolderStore(folder)
    let listed = 0
    const endless = {
      ...store,
      async *list() {
        for (;;) yield { key: `a/b/${listed++}`, size: 1, etag: 'x', modified: 0 }
      },
    }
    await expect(openTenxFolder(storeFolder(endless, 'a'))).rejects.toMatchObject({ code: 'FOLDER_TOO_MANY' })
    expect(listed).toBe(400_001)
  })

  it('names that are not UTF-8', async () => {
    await write({ ...small, 'barcodes.tsv': Buffer.from([0x41, 0x0a, 0xff, 0x0a]) })
    await expect(openTenxFolder(folder)).rejects.toMatchObject({ code: 'TEXT_ENCODING' })
  })

  it('a folder that is not there', async () => {
    await expect(openTenxFolder(join(folder, 'absent'))).rejects.toMatchObject({ code: 'FOLDER_MISSING' })
  })

  it('an entry given twice, in files sorted by cell and in others', async () => {
    for (const lines of ['1 1 5\n3 1 1\n1 1 6\n', '1 2 5\n3 1 1\n1 2 6\n']) {
      await write({ ...small, 'matrix.mtx': `${banner}3 2 3\n${lines}` })
      const matrix = await (await openTenxFolder(folder)).matrix('X')
      await expect(dense(matrix)).rejects.toMatchObject({ name: 'BadInput', code: 'DUPLICATE_ENTRY' })
    }
  })

  it('a matrix that is changed between two passes', async () => {
    await write(small)
    const matrix = await (await openTenxFolder(folder)).matrix('X')
    await appendFile(join(folder, 'matrix.mtx'), '1 2 3\n')
    await expect(dense(matrix)).rejects.toMatchObject({ name: 'StoreFailure', code: 'OBJECT_CHANGED' })
  })
})

/** Numbers that depend on where every value stands; recorded with scipy 1.17.1 from `mmread(path).T.tocsr()`. */
async function fingerprint(slabs: AsyncIterable<RowSlab>): Promise<Record<string, number>> {
  const total = { stored: 0, sum: 0, columns: 0, values: 0 }
  for await (const { indices, values } of slabs) {
    for (let i = 0; i < indices.length; i++) {
      total.columns += indices[i]! * (total.stored % 97)
      total.values += values[i]! * (total.stored % 89)
      total.sum += values[i]!
      total.stored++
    }
  }
  return total
}

describe.runIf(hasShared)('real 10x folders', () => {
  it.each([
    ['v3_mtx', 1107, 507, { stored: 23866, sum: 41549, columns: 352380497, values: 1837398 }],
    ['soupx_raw_mtx', 1289, 226, { stored: 57957, sum: 112078, columns: 258356942, values: 4942928 }],
    ['soupx_filtered_mtx', 62, 226, { stored: 3683, sum: 18209, columns: 20918397, values: 784553 }],
  ])('%s holds what scipy reads from it', async (name, rows, columns, expected) => {
    const file = await openTenxFolder(sharedPath('data', 'tenx', name))
    expect(file).toMatchObject({ rows, columns, notices: [] })
    const matrix = await file.matrix('X')
    expect(matrix.type).toBe('int32')
    expect(await fingerprint(matrix.slabs())).toEqual(expected)
    expect(await fingerprint(matrix.slabs({ slabBytes: 4000 }))).toEqual(expected)
  })

  it('v3_mtx has its barcodes, ids, symbols and feature types', async () => {
    const file = await openTenxFolder(sharedPath('data', 'tenx', 'v3_mtx'))
    expect((await file.obs()).index[0]).toBe('AAACCCAAGGAGAGTA-1')
    const { index, columns } = await file.var()
    expect(index[1]).toBe('ENSG00000277117')
    expect(columns.get('gene_symbols')).toMatchObject({ values: expect.arrayContaining(['CH507-9B2.1']) })
    expect(columns.get('feature_types')).toMatchObject({
      values: expect.arrayContaining(['Gene Expression']),
    })
  })

  it('v1.2.0_mtx and intids_mtx are read, with whole and real values and numbers as ids', async () => {
    const old = await openTenxFolder(sharedPath('data', 'tenx', 'v1.2.0_mtx'))
    expect(old).toMatchObject({ rows: 12, columns: 343 })
    expect(await fingerprint((await old.matrix('X')).slabs())).toMatchObject({ stored: 12, sum: 12 })
    const integers = await openTenxFolder(sharedPath('data', 'tenx', 'intids_mtx'))
    expect((await integers.var()).index[0]).toBe('574405')
    expect(await dense(await integers.matrix('X'), { from: 2, to: 3 })).toEqual([[0, 0, 0, 6, 1, 1]])
  })

  it('soupx_raw_mtx with its lines shuffled gives the same rows', async () => {
    const source = sharedPath('data', 'tenx', 'soupx_raw_mtx')
    const [head = '', size = '', ...lines] = (await readFile(join(source, 'matrix.mtx'), 'utf8'))
      .trim()
      .split('\n')
    const shuffled = lines.map((_, i) => lines[(i * 7919) % lines.length])
    expect(new Set(shuffled).size).toBe(new Set(lines).size)
    await write({
      'matrix.mtx.gz': gzipSync([head, size, ...shuffled].join('\n')),
      'barcodes.tsv': await readFile(join(source, 'barcodes.tsv')),
      'genes.tsv': await readFile(join(source, 'genes.tsv')),
    })
    const matrix = await (await openTenxFolder(folder)).matrix('X')
    const expected = { stored: 57957, sum: 112078, columns: 258356942, values: 4942928 }
    expect(await fingerprint(matrix.slabs({ slabBytes: 10_000 }))).toEqual(expected)
  })

  it('edge/mtx: each of its samples is refused for its own reason', async () => {
    const open = (sample?: string) =>
      openTenxFolder(sharedPath('data', 'edge', 'mtx'), sample === undefined ? {} : { sample })
    await expect(open()).rejects.toMatchObject({ code: 'TENX_SEVERAL' })
    await expect(open('')).rejects.toMatchObject({ code: 'TENX_MISSING' })
    await expect(open('one_column_feature_file_data_models')).rejects.toMatchObject({ code: 'MTX_SIZE' })
    const toy = await open('AB_toy_data_toy')
    expect((await toy.var()).index.length).toBe(80)
    await expect(toy.matrix('X')).rejects.toMatchObject({ code: 'MTX_COUNT' })
  })

  it('genes of one column are an index, and unpacked names are the packed ones', async () => {
    const edge = (name: string) =>
      sharedPath('data', 'edge', 'mtx', `one_column_feature_file_data_models.${name}`)
    await write({
      'matrix.mtx': `${banner}4 429 0\n`,
      'genes.tsv': await readFile(edge('genes.tsv')),
      'barcodes.tsv': await readFile(edge('barcodes.tsv')),
    })
    expect((await (await openTenxFolder(folder)).var()).index).toEqual([
      '0610007P14Rik',
      '0610009B22Rik',
      '0610009O20Rik',
      '0610010F05Rik',
    ])
    const packed = await readFile(sharedPath('data', 'tenx', 'v3_mtx', 'barcodes.tsv.gz'))
    const names = gunzipSync(packed).toString().trim().split('\n')
    expect((await (await openTenxFolder(sharedPath('data', 'tenx', 'v3_mtx'))).obs()).index).toEqual(names)
  })
})
