import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { inflateSync } from 'node:zlib'
import fc from 'fast-check'
import type { Attribute } from 'h5wasm'
import { beforeAll, describe, expect, it } from 'vitest'
import { chunksInRows } from '../../lib/data/hdf5/format/chunks.ts'
import { readSuperblock } from '../../lib/data/hdf5/format/superblock.ts'
import { createHdf5 } from '../../lib/data/hdf5/write/create.ts'
import { BadInput } from '../../lib/job/errors.ts'
import { type LibraryFile, openInLibrary } from '../support/hdf5-library.ts'
import { type Found, parseWhole, readerOf } from '../support/hdf5-parser.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')
const fixture = (name: string): Buffer => readFileSync(join(fixtures, `${name}.h5ad`))

function realFiles(): string[] {
  const notHdf5 = ['git_lfs_pointer.h5ad', 'scp_truncated_bad.h5', 'hubmap_secondary_analysis.h5mu']
  return readdirSync(sharedPath('data'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(h5ad|h5|h5mu|loom)$/.test(name) && !notHdf5.some((other) => name.endsWith(other)))
    .map((name) => sharedPath('data', name))
}

function expectSameView(found: Map<string, Found>, library: LibraryFile): void {
  const named = [...found.keys()].map((path) => path.slice(1))
  expect(named.sort()).toEqual(library.paths().map((path) => path.replace(/^\//, '')))
  for (const [path, object] of found) {
    if (object.kind === 'group') expectSameTexts(object.texts, library.group(path).attrs)
    if (object.kind !== 'dataset') continue
    expectSameTexts(object.texts, library.dataset(path).attrs)
    const { metadata } = library.dataset(path)
    expect({ path, shape: object.description.shape }).toEqual({ path, shape: metadata.shape })
    const { layout } = object.description
    expect({ path, chunk: layout.kind === 'chunked' ? layout.chunk : null }).toEqual({
      path,
      chunk: layout.kind === 'other' ? null : (metadata.chunks ?? null),
    })
  }
}

function expectSameTexts(
  texts: Map<string, string[] | undefined>,
  attributes: Record<string, Attribute>,
): void {
  expect([...texts.keys()].sort()).toEqual(Object.keys(attributes).sort())
  for (const [name, list] of texts) {
    const value = list !== undefined && list.length > 0 ? attributes[name]?.value : undefined
    if (value !== undefined)
      expect({ name, list }).toEqual({ name, list: Array.isArray(value) ? value : [value] })
  }
}

describe('the parser', () => {
  it.each(['latest', 'compound', 'references'])(
    'sees the same objects, shapes and chunks in %s.h5ad as the library',
    async (name) => {
      using library = await openInLibrary(join(fixtures, `${name}.h5ad`))
      const found = parseWhole(fixture(name))
      expect(found.size).toBeGreaterThan(10)
      expectSameView(found, library)
    },
  )

  it.skipIf(!hasShared)(
    'sees the same objects, shapes and chunks in every real file as the library',
    async () => {
      const files = realFiles()
      expect(files.length).toBeGreaterThan(50)
      for (const path of files) {
        using library = await openInLibrary(path)
        expectSameView(parseWhole(readFileSync(path)), library)
      }
    },
  )

  it('finds bytes of chunks that inflate to what the library reads', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'chunks.h5')
    const writer = await createHdf5(path)
    const stream = writer.stream('/values', { type: 'int32', rowShape: [3], gzip: 1, chunkRows: 7 })
    await stream.append(Int32Array.from({ length: 3000 }, (_, i) => i * i))
    await stream.close()
    await writer.close()
    const bytes = readFileSync(path)
    const values = parseWhole(bytes).get('/values')
    if (values?.kind !== 'dataset') throw new Error('the dataset is not there')
    const pieces = values.chunks.map(({ address, storedBytes }) => {
      return inflateSync(bytes.subarray(address, address + storedBytes))
    })
    using library = await openInLibrary(path)
    const whole = new Int32Array(new Uint8Array(Buffer.concat(pieces)).buffer).subarray(0, 3000)
    expect(whole).toEqual(library.dataset('/values').value)
  })
})

describe('a range of rows', () => {
  let bytes: Buffer
  beforeAll(async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'rows.h5')
    const writer = await createHdf5(path)
    // enough chunks for a tree of three levels
    const stream = writer.stream('/rows', { type: 'uint8', rowShape: [2], chunkRows: 1 })
    await stream.append(new Uint8Array(2 * 9001))
    await stream.close()
    await writer.close()
    bytes = readFileSync(path)
  })

  it('gives exactly the chunks that meet it, in order', () => {
    const rows = parseWhole(bytes).get('/rows')
    if (rows?.kind !== 'dataset' || rows.description.layout.kind !== 'chunked') throw new Error('not chunked')
    const { layout } = rows.description
    expect(rows.chunks.map(({ offset }) => offset[0])).toEqual(Array.from({ length: 9001 }, (_, i) => i))
    fc.assert(
      fc.property(fc.nat(9100), fc.nat(300), (from, count) => {
        const found = chunksInRows(readerOf(bytes), layout, { from, to: from + count })
        expect(found).toEqual(rows.chunks.slice(from, from + count))
      }),
    )
  })

  it('reads only the part of the index that it needs', () => {
    const rows = parseWhole(bytes).get('/rows')
    if (rows?.kind !== 'dataset' || rows.description.layout.kind !== 'chunked') throw new Error('not chunked')
    let read = 0
    const counted = (offset: number, length: number) => {
      read += length
      return bytes.subarray(offset, offset + length)
    }
    chunksInRows(counted, rows.description.layout, { from: 5000, to: 5003 })
    expect(read).toBeLessThan(10_000)
  })
})

describe('a damaged file', () => {
  const expectRefusal = (bytes: Uint8Array) => {
    try {
      parseWhole(bytes)
    } catch (error) {
      if (!(error instanceof BadInput)) throw error
      expect(['HDF5_NOT', 'HDF5_TRUNCATED', 'HDF5_DAMAGED', 'HDF5_UNSUPPORTED']).toContain(error.code)
    }
  }

  it.each(['latest', 'compound', 'references'])('%s.h5ad with changed bytes is read or refused', (name) => {
    const original = fixture(name)
    // metadata lie mostly where bytes are not zero
    const places = [...original.keys()].filter((i) => original[i] !== 0)
    const change = fc.tuple(
      fc.nat(places.length - 1),
      fc.constantFrom(0, 1, 7, 0x7f, 0x80, 0xff),
      fc.integer({ min: 1, max: 8 }),
    )
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = Uint8Array.from(original)
        for (const [place, value, count] of changes) bytes.fill(value, places[place], places[place]! + count)
        expectRefusal(bytes)
      }),
      { numRuns: 1500 },
    )
  })

  it('whose pointers lead elsewhere in it is read or refused', () => {
    const original = fixture('compound')
    const view = new DataView(original.buffer, original.byteOffset, original.length)
    // eight bytes that could be an address of this file
    const pointers = Array.from({ length: original.length / 8 - 1 }, (_, i) => i * 8).filter((at) => {
      const value = view.getBigUint64(at, true)
      return value > 0n && value < BigInt(original.length)
    })
    const structures = ['TREE', 'SNOD', 'HEAP'].flatMap((name) => {
      return [...original.keys()].filter((i) => original.toString('latin1', i, i + 4) === name)
    })
    const swap = fc.tuple(fc.constantFrom(...pointers), fc.constantFrom(...structures, ...pointers))
    fc.assert(
      fc.property(fc.array(swap, { minLength: 1, maxLength: 3 }), (swaps) => {
        const bytes = Buffer.from(original)
        for (const [at, target] of swaps) bytes.writeBigUInt64LE(BigInt(target), at)
        expectRefusal(bytes)
      }),
      { numRuns: 1500 },
    )
  })

  it.each(['latest', 'references'])('%s.h5ad cut anywhere is told to be truncated', (name) => {
    const original = fixture(name)
    fc.assert(
      fc.property(fc.integer({ min: 104, max: original.length - 1 }), (length) => {
        const bytes = original.subarray(0, length)
        expect(() => readSuperblock(readerOf(bytes), length)).toThrow(
          expect.objectContaining({ code: 'HDF5_TRUNCATED' }),
        )
      }),
    )
  })

  it('with a checksum that does not fit is refused', () => {
    const bytes = Buffer.from(fixture('latest'))
    bytes[44]! ^= 1
    expect(() => parseWhole(bytes)).toThrow(expect.objectContaining({ code: 'HDF5_DAMAGED' }))
  })

  it('whose tree of chunks points at itself is refused, not followed', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'circle.h5')
    const writer = await createHdf5(path)
    const stream = writer.stream('/rows', { type: 'uint8', chunkRows: 1 })
    await stream.append(new Uint8Array(200))
    await stream.close()
    await writer.close()
    const bytes = readFileSync(path)
    const root = bytes.indexOf(Buffer.from([...Buffer.from('TREE'), 1, 1]))
    expect(root).toBeGreaterThan(0)
    bytes.writeBigUInt64LE(BigInt(root), root + 24 + 24)
    expect(() => parseWhole(bytes)).toThrow(expect.objectContaining({ code: 'HDF5_DAMAGED' }))
  })
})
