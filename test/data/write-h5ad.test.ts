import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addToH5ad } from '../../lib/data/add-to-h5ad.ts'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Column, Table } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { denseRows, everyColumn, matrixOf, numberTypes, tableOf } from '../support/cells-to-write.ts'
import { openInLibrary } from '../support/hdf5-library.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fixture = (name: string): string => resolve(import.meta.dirname, `../fixtures/formats/${name}.h5ad`)

async function reading<Result>(path: string, use: (file: AnnDataFile) => Promise<Result>): Promise<Result> {
  const file = (await openCells(path)) as AnnDataFile
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

async function rowsOf(file: AnnDataFile, name: string): Promise<number[][]> {
  const rows: number[][] = []
  for await (const slab of (await file.matrix(name)).slabs()) {
    for (let row = 0; row < slab.rows; row++) {
      const dense = new Array<number>(slab.columns).fill(0)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        dense[slab.indices[i]!] = slab.values[i]!
      rows.push(dense)
    }
  }
  return rows
}

const few = (rows: number, columns: number): AnnDataToWrite => ({
  obs: tableOf(rows, { prefix: 'cell' }),
  var: tableOf(columns, { prefix: 'gene' }),
})

/** What a column reads as after it was written: missing text is a categorical, missing floats are not numbers. */
function asStored(name: string, column: Column): Column {
  if (name === 'masked float' && column.kind === 'number') {
    const values = Float32Array.from(column.values as Float32Array, (value, i) =>
      column.mask?.[i] ? Number.NaN : value,
    )
    return { kind: 'number', type: 'float32', values }
  }
  if (name !== 'text with gaps' || column.kind !== 'string') return column
  const values = ['a', 'z', 'ä']
  const codes = Int32Array.from(column.values, (value) => values.indexOf(value ?? ''))
  return { kind: 'categorical', codes, categories: { kind: 'string', values }, ordered: false }
}

describe('an h5ad', () => {
  it.each([undefined, 4])('keeps every kind of column, with gzip %s', async (gzip) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'x.h5ad')
    const columns = everyColumn(2000)
    const obs = tableOf(2000, { prefix: 'cell', columns, indexName: 'barcodes' })
    await writeH5ad(path, { obs, var: tableOf(0, { prefix: 'gene' }) }, { gzip })
    await reading(path, async (file) => {
      const table = await file.obs()
      expect(table).toEqual<Table>({
        ...obs,
        columns: new Map([...columns].map(([name, column]) => [name, asStored(name, column)])),
      })
      expect([...table.columns.keys()]).toEqual([...columns.keys()])
    })
  })

  it('keeps matrices of any type, layout and slabs', async () => {
    const matrices = fc
      .record({
        rows: fc.nat(12),
        columns: fc.integer({ min: 1, max: 9 }),
        slabs: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
      })
      .chain(({ rows, columns, slabs }) =>
        fc.record({
          dense: denseRows(rows, columns),
          columns: fc.constant(columns),
          slabs: fc.constant(slabs),
          type: fc.constantFrom(...numberTypes),
          layout: fc.constantFrom('csr' as const, 'dense' as const),
          gzip: fc.constantFrom(undefined, 1),
        }),
      )
    await fc.assert(
      fc.asyncProperty(matrices, async ({ dense, gzip, ...options }) => {
        await using folder = await temporaryFolder()
        const path = join(folder.path, 'x.h5ad')
        const x = matrixOf(dense, options)
        const gene = tableOf(options.columns, { prefix: 'raw' })
        await writeH5ad(
          path,
          {
            ...few(dense.length, options.columns),
            x,
            layers: new Map([['counts', x]]),
            raw: { x, var: gene },
          },
          { gzip },
        )
        await reading(path, async (file) => {
          expect(file.matrices).toEqual(['X', 'layers/counts', 'raw/X'])
          for (const name of file.matrices) expect(await rowsOf(file, name)).toEqual(dense)
          const matrix = await file.matrix('X')
          expect(matrix.type).toBe(options.type)
          expect(matrix.encoding).toBe(options.layout)
        })
      }),
      { numRuns: 25 },
    )
  })

  it('counts entries and columns in 64 bits once there may be more than 32 hold', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'x.h5ad')
    const dense = [[0, 5, 0], [], [7, 0, 9]].map((row) => [...row, 0, 0, 0].slice(0, 3))
    const x = { ...matrixOf(dense, { columns: 3, type: 'int64' }), stored: 2 ** 31 }
    await writeH5ad(path, { ...few(3, 3), x })
    await reading(path, async (file) => expect(await rowsOf(file, 'X')).toEqual(dense))
    using library = await openInLibrary(path)
    expect(library.dataset('X/indices').value).toEqual(BigInt64Array.of(1n, 0n, 2n))
    expect(library.dataset('X/indptr').value).toEqual(BigInt64Array.of(0n, 1n, 1n, 3n))
  })

  it('names the encoding of each part as anndata does', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'x.h5ad')
    await writeH5ad(path, {
      ...few(2, 1),
      x: matrixOf([[1], [2]], { columns: 1, type: 'float32' }),
      obsm: new Map([
        ['X_umap', { kind: 'array', type: 'float32', shape: [2, 2], values: new Float32Array(4) }],
      ]),
      uns: {
        text: 'a',
        whole: 3,
        part: 0.5,
        yes: true,
        list: ['a'],
        none: [],
        deep: { numbers: [1, 2], mixed: [1, 2.5], flags: [true] },
      },
    })
    using library = await openInLibrary(path)
    const found = library.paths().map((at) => {
      const isGroup =
        !['X/data', 'X/indices', 'X/indptr'].includes(at) &&
        /^(X|layers|obs|var|obsm|varm|obsp|varp|uns|uns\/deep)$/.test(at)
      const { attrs } = isGroup ? library.group(at) : library.dataset(at)
      return `${at} ${attrs['encoding-type']?.value ?? '-'} ${attrs['encoding-version']?.value ?? '-'}`
    })
    expect(found).toEqual([
      'X csr_matrix 0.1.0',
      'X/data - -',
      'X/indices - -',
      'X/indptr - -',
      'layers dict 0.1.0',
      'obs dataframe 0.2.0',
      'obs/_index string-array 0.2.0',
      'obsm dict 0.1.0',
      'obsm/X_umap array 0.2.0',
      'obsp dict 0.1.0',
      'uns dict 0.1.0',
      'uns/deep dict 0.1.0',
      'uns/deep/flags array 0.2.0',
      'uns/deep/mixed array 0.2.0',
      'uns/deep/numbers array 0.2.0',
      'uns/list string-array 0.2.0',
      'uns/none array 0.2.0',
      'uns/part numeric-scalar 0.2.0',
      'uns/text string 0.2.0',
      'uns/whole numeric-scalar 0.2.0',
      'uns/yes numeric-scalar 0.2.0',
      'var dataframe 0.2.0',
      'var/_index string-array 0.2.0',
      'varm dict 0.1.0',
      'varp dict 0.1.0',
    ])
    expect(library.group('/').attrs['encoding-type']?.value).toBe('anndata')
    expect(library.dataset('uns/whole').value).toBe(3n)
    expect(library.dataset('uns/yes').json_value).toBe(true)
    expect(library.group('obs').attrs['column-order']).toMatchObject({ shape: [0], dtype: '<d' })
  })

  const shape = (length: number) => ({
    kind: 'array' as const,
    type: 'int8' as const,
    shape: [length],
    values: new Int8Array(length),
  })
  const column = (length: number): Column => ({ kind: 'boolean', values: new Uint8Array(length) })
  const wrong: [string, string, Partial<AnnDataToWrite>][] = [
    [
      'a column of another length',
      'ADDITION_SHAPE',
      { obs: tableOf(2, { prefix: 'c', columns: new Map([['a', column(3)]]) }) },
    ],
    ['an array for other cells', 'ADDITION_SHAPE', { obsm: new Map([['a', shape(3)]]) }],
    ['a matrix of other cells', 'ADDITION_SHAPE', { x: matrixOf([[1]], { columns: 1, type: 'int8' }) }],
    [
      'a column with a slash',
      'KEY_UNSUPPORTED',
      { obs: tableOf(2, { prefix: 'c', columns: new Map([['a/b', column(2)]]) }) },
    ],
    [
      'a column named as the index',
      'KEY_UNSUPPORTED',
      { obs: tableOf(2, { prefix: 'c', columns: new Map([['_index', column(2)]]) }) },
    ],
    ['an empty name', 'KEY_UNSUPPORTED', { uns: { '': 1 } }],
    ['a nested name with a NUL', 'KEY_UNSUPPORTED', { uns: { a: { 'b\0': 1 } } }],
    [
      'a layer named ..',
      'KEY_UNSUPPORTED',
      { layers: new Map([['..', matrixOf([[1], [1]], { columns: 1, type: 'int8' })]]) },
    ],
    ['text with a NUL', 'TEXT_UNSUPPORTED', { uns: { a: 'b\0' } }],
  ]
  it.each(wrong)('with %s is refused as %s, and nothing is written', async (_, code, parts) => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'x.h5ad')
    await expect(writeH5ad(path, { ...few(2, 1), ...parts })).rejects.toThrow(
      expect.objectContaining({ code }),
    )
    expect(await readdir(folder.path)).toEqual([])
  })

  it('whose matrix fails on the way is not there', async () => {
    await using folder = await temporaryFolder()
    const x = matrixOf([[1], [2]], { columns: 1, type: 'int8' })
    const broken = {
      ...x,
      async *slabs() {
        yield* matrixOf([[1]], { columns: 1, type: 'int8' }).slabs()
        throw new Error('the source is gone')
      },
    }
    await expect(writeH5ad(join(folder.path, 'x'), { ...few(2, 1), x: broken }, { gzip: 4 })).rejects.toThrow(
      'gone',
    )
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('additions', () => {
  const additions = (rows: number) => ({
    obs: new Map<string, Column>([
      [
        'label',
        {
          kind: 'categorical',
          codes: new Int32Array(rows),
          categories: { kind: 'string', values: ['T'] },
          ordered: false,
        },
      ],
      ['new', { kind: 'number', type: 'float32', values: new Float32Array(rows).fill(0.5) }],
    ]),
    obsm: new Map([
      [
        'X_new',
        {
          kind: 'array' as const,
          type: 'float32' as const,
          shape: [rows, 2],
          values: new Float32Array(2 * rows).fill(3),
        },
      ],
    ]),
    uns: { celldrop: { version: '1' } },
  })

  it.each(['latest', 'references'])(
    'to %s.h5ad stand beside what was there, and replace what has their name',
    async (name) => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'out.h5ad')
      const before = await reading(fixture(name), async (file) => ({
        obs: await file.obs(),
        x: await rowsOf(file, 'X'),
      }))
      const added = additions(40)
      await addToH5ad(fixture(name), path, {
        ...added,
        layers: new Map([['new', matrixOf(before.x, { columns: 30, type: 'int32' })]]),
      })
      await reading(path, async (file) => {
        const { columns, index } = await file.obs()
        expect(index).toEqual(before.obs.index)
        expect([...columns.keys()]).toEqual([...new Set([...before.obs.columns.keys(), 'label', 'new'])])
        for (const [key, column] of columns)
          expect({ key, column }).toEqual({ key, column: added.obs.get(key) ?? before.obs.columns.get(key) })
        expect(await rowsOf(file, 'X')).toEqual(before.x)
        expect(await rowsOf(file, 'layers/new')).toEqual(before.x)
        expect((await file.mapping('obsm')).get('X_new')).toMatchObject({ shape: [40, 2] })
      })
    },
  )

  it('to a compound table of anndata 0.6 need its columns, and make it a modern one', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'out.h5ad')
    await expect(addToH5ad(fixture('compound'), path, additions(40))).rejects.toThrow(
      expect.objectContaining({ code: 'ADDITION_OLD_LAYOUT' }),
    )
    expect(await readdir(folder.path)).toEqual([])
    const before = await reading(fixture('compound'), async (file) => ({
      obs: await file.obs(),
      obsm: await file.mapping('obsm'),
    }))
    const obsm = new Map(
      [...before.obsm].flatMap(([name, element]) =>
        element.kind === 'array' ? [[name, element] as const] : [],
      ),
    )
    await addToH5ad(fixture('compound'), path, { ...additions(40), existing: { obs: before.obs, obsm } })
    await reading(path, async (file) => {
      const { columns } = await file.obs()
      for (const [key, column] of before.obs.columns) {
        if (!additions(40).obs.has(key)) expect({ key, column: columns.get(key) }).toEqual({ key, column })
      }
      expect(columns.get('new')).toEqual(additions(40).obs.get('new'))
      expect([...(await file.mapping('obsm')).keys()].sort()).toEqual([...before.obsm.keys(), 'X_new'].sort())
      expect(
        file
          .namesIn('uns')
          .filter(
            (key) => key.endsWith('_categories') && before.obs.columns.has(key.replace('_categories', '')),
          ),
      ).toEqual([])
    })
  })

  it.each([
    [
      'a column of other cells',
      'ADDITION_SHAPE',
      { obs: new Map([['a', { kind: 'boolean' as const, values: new Uint8Array(3) }]]) },
    ],
    ['a name with a slash', 'KEY_UNSUPPORTED', { uns: { 'a/b': 1 } }],
    [
      'the name of the index',
      'KEY_UNSUPPORTED',
      { var: new Map([['_index', { kind: 'boolean' as const, values: new Uint8Array(30) }]]) },
    ],
  ])('with %s are refused as %s, and nothing is written', async (_, code, added) => {
    await using folder = await temporaryFolder()
    await expect(addToH5ad(fixture('latest'), join(folder.path, 'x'), added)).rejects.toThrow(
      expect.objectContaining({ code }),
    )
    expect(await readdir(folder.path)).toEqual([])
  })
})
