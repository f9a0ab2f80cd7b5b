import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AnnDataFile, openAnnData } from '../../lib/data/anndata/file.ts'
import type { Matrix } from '../../lib/data/cells.ts'
import { meteredSource, openFileSource } from '../../lib/data/file-source.ts'
import { halfToNumber } from '../../lib/data/hdf5/elements.ts'
import { expandLzf, unshuffle } from '../../lib/data/hdf5/filters.ts'
import { openHdf5Tree } from '../../lib/data/hdf5/hdf5-tree.ts'
import { openLibrary } from '../../lib/data/hdf5/library.ts'
import { hdf5Limits } from '../../lib/data/hdf5/limits.ts'
import { openWasmFile } from '../../lib/data/hdf5/wasm.ts'
import { openCells } from '../../lib/data/open-cells.ts'

const folder = resolve(import.meta.dirname, '../fixtures/formats')
const fixture = (name: string): string => join(folder, `${name}.h5ad`)
const [cells, genes] = [40, 30]

/** What numpy saved beside the files: the counts that every one of them holds. */
function expectedRows(): number[][] {
  const bytes = readFileSync(join(folder, 'counts.npy'))
  const values = new Float32Array(new Uint8Array(bytes.subarray(bytes.length - cells * genes * 4)).buffer)
  return Array.from({ length: cells }, (_, row) =>
    Array.from(values.subarray(row * genes, (row + 1) * genes)),
  )
}

async function denseRows(
  matrix: Matrix,
  options: { slabBytes?: number; from?: number; to?: number } = {},
): Promise<number[][]> {
  const rows: number[][] = []
  for await (const slab of matrix.slabs(options)) {
    expect(slab.start).toBe((options.from ?? 0) + rows.length)
    expect(slab.indptr).toHaveLength(slab.rows + 1)
    for (let row = 0; row < slab.rows; row++) {
      const dense = new Array<number>(slab.columns).fill(0)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        dense[slab.indices[i]!]! += slab.values[i]!
      rows.push(dense)
    }
  }
  return rows
}

async function opened(name: string): Promise<AnnDataFile> {
  return (await openCells(fixture(name))) as AnnDataFile
}

const matrices: [string, string][] = [
  ['latest', 'X'],
  ['latest', 'layers/dense'],
  ['latest', 'layers/half'],
  ['latest', 'layers/big'],
  ['compound', 'X'],
  ['compound', 'raw/X'],
  ['references', 'X'],
  ['references', 'layers/columns'],
]

describe('rows of a matrix', () => {
  const expected = expectedRows()

  it.each(matrices)('%s %s are those that numpy wrote', async (name, matrix) => {
    const file = await opened(name)
    expect(await denseRows(await file.matrix(matrix))).toEqual(expected)
    await file.close()
  })

  it.each(matrices)('%s %s are the same for any range and any size of slab', async (name, matrix) => {
    const file = await opened(name)
    const found = await file.matrix(matrix)
    const range = fc
      .tuple(fc.nat(cells), fc.nat(cells))
      .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
    await fc.assert(
      fc.asyncProperty(range, fc.integer({ min: 1, max: 4000 }), async ({ from, to }, slabBytes) => {
        expect(await denseRows(found, { from, to, slabBytes })).toEqual(expected.slice(from, to))
      }),
      { numRuns: 12 },
    )
    await file.close()
  })

  it.each(matrices)('%s %s are the same by ranges as from disk', async (name, matrix) => {
    const source = meteredSource(await openFileSource(fixture(name)), { requests: 1000, bytes: 1e8 })
    const file = await openAnnData(await openHdf5Tree(source))
    expect(await denseRows(await file.matrix(matrix))).toEqual(expected)
    expect(source.meter.requests).toBeGreaterThan(0)
    await file.close()
  })

  it('may be dropped half way without leaving anything open', async () => {
    const file = await opened('latest')
    for await (const slab of (await file.matrix('X')).slabs({ slabBytes: 100 })) {
      if (slab.start > 3) break
    }
    await file.close()
  })

  it('are taken back once looked at, when the reader says so', async () => {
    const file = await opened('latest')
    const kept = []
    for await (const slab of (await file.matrix('X')).slabs({ slabBytes: 1000, transient: true }))
      kept.push(slab)
    expect(kept.length).toBeGreaterThan(2)
    expect(kept[0]!.values).toHaveLength(0)
    await file.close()
  })
})

describe('tables and other elements', () => {
  it('keeps order, missing codes and truth values of a newest-format obs', async () => {
    const file = await opened('latest')
    const obs = await file.obs()
    const label = obs.columns.get('label')
    expect(label).toMatchObject({
      kind: 'categorical',
      ordered: true,
      categories: { values: ['type 0', 'type 1', 'type 2'] },
    })
    if (label?.kind === 'categorical') expect(new Set(label.codes)).toEqual(new Set([-1, 0, 1, 2]))
    expect(obs.columns.get('flag')).toMatchObject({ kind: 'boolean' })
    expect([...obs.columns.keys()]).toEqual([
      ...Array.from({ length: 20 }, (_, i) => `c${String(i).padStart(2, '0')}`),
      'label',
      'flag',
    ])
    expect(await file.unstructured('nested')).toMatchObject({ kind: 'dict' })
    await file.close()
  })

  it('finds the categories of a compound table in uns and its arrays in one compound obsm', async () => {
    const file = await opened('compound')
    const obs = await file.obs()
    expect(obs.index[39]).toBe('cell39')
    expect(obs.columns.get('label')).toMatchObject({
      kind: 'categorical',
      categories: { values: ['type 0', 'type 1', 'type 2'] },
    })
    const arrays = await file.mapping('obsm')
    expect([...arrays].map(([name, element]) => [name, element.kind === 'array' && element.shape])).toEqual([
      ['X_pca', [cells, 5]],
      ['X_umap', [cells, 2]],
    ])
    await file.close()
  })

  it('follows the references of anndata 0.7 to their categories', async () => {
    const file = await opened('references')
    const obs = await file.obs()
    expect(obs.columns.get('label')).toMatchObject({
      kind: 'categorical',
      ordered: false,
      categories: { values: ['type 0', 'type 1', 'type 2'] },
    })
    await file.close()
  })

  it('reads text as the HDF5 library does', async () => {
    const descriptor = openSync(fixture('latest'), 'r')
    const readInto = (target: Uint8Array, offset: number): void =>
      void readSync(descriptor, target, 0, target.length, offset)
    const tree = await openHdf5Tree(await openFileSource(fixture('latest')))
    const wasm = await openWasmFile({ readInto }, statSync(fixture('latest')).size)
    const library = openLibrary(wasm, { place: 'latest', limits: hdf5Limits })
    for (const path of ['/obs/_index', '/var/_index', '/obs/label/categories']) {
      const type = library.describe(path)
      const rows = type.shape![0]!
      expect(await tree.read(path)).toEqual(library.read(path, { type, range: { from: 0, to: rows } }))
      expect(await tree.read(path, { from: 1, to: 3 })).toEqual(
        library.read(path, { type, range: { from: 1, to: 3 } }),
      )
    }
    await tree.close()
    closeSync(descriptor)
  })
})

describe('the filters of the plugins', () => {
  const expected = Float32Array.from({ length: 5000 }, (_, i) => ((i * 7919) % 13 === 0 ? i % 97 : 0))

  it.each(['gzip', 'lzf', 'zstd', 'blosc', 'blosc2', 'lz4', 'bz2', 'bshuf'])(
    '%s gives the numbers back',
    async (name) => {
      const tree = await openHdf5Tree(await openFileSource(join(folder, 'filters.h5')), { audit: true })
      expect(await tree.read(`/${name}`)).toEqual(expected)
      expect(await tree.read(`/${name}`, { from: 1990, to: 3010 })).toEqual(expected.slice(1990, 3010))
      await tree.close()
    },
  )
})

describe('the filters that are undone here', () => {
  it('expands literals, short and long references, and references that overlap themselves', () => {
    const text = (bytes: number[], length: number) => {
      const expanded = expandLzf(Uint8Array.from(bytes), length)
      return expanded === undefined ? undefined : Buffer.from(expanded).toString()
    }
    expect(text([2, 97, 98, 99], 3)).toBe('abc')
    expect(text([2, 97, 98, 99, 1 << 5, 2], 6)).toBe('abcabc')
    expect(text([0, 97, 7 << 5, 11, 0], 21)).toBe('a'.repeat(21))
    expect(text([2, 97, 98, 99], 4)).toBeUndefined()
    expect(text([2, 97, 98], 3)).toBeUndefined()
    expect(text([0, 97, 1 << 5, 9], 4)).toBeUndefined()
    expect(text([0, 97, 7 << 5], 4)).toBeUndefined()
  })

  it('never writes outside, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (bytes, length) => {
        const expanded = expandLzf(bytes, length)
        expect(expanded === undefined || expanded.length === length).toBe(true)
      }),
    )
  })

  it('puts shuffled bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer({ min: 1, max: 9 }), (bytes, width) => {
        const count = Math.floor(bytes.length / width)
        const shuffled = new Uint8Array(bytes)
        for (let i = 0; i < count; i++)
          for (let byte = 0; byte < width; byte++) shuffled[byte * count + i] = bytes[i * width + byte]!
        expect(unshuffle(shuffled, width)).toEqual(bytes)
      }),
    )
  })

  it('reads every half-precision number as IEEE 754 has it', () => {
    expect(
      [0x0000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00].map(halfToNumber),
    ).toEqual([
      0,
      1,
      -2,
      65504,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ])
    expect(halfToNumber(0x7e00)).toBeNaN()
    expect(Object.is(halfToNumber(0x8000), -0)).toBe(true)
  })
})
