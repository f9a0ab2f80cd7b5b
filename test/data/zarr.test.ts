import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registry } from 'zarrita'
import { openFileSource } from '../../lib/data/file-source.ts'
import { openHdf5Tree } from '../../lib/data/hdf5/hdf5-tree.ts'
import type { ArrayValues, Tree } from '../../lib/data/tree.ts'
import { openZarrTree } from '../../lib/data/zarr-tree.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import {
  arrayV2,
  arrayV3,
  bytesOf,
  groupV2,
  groupV3,
  json,
  type Objects,
  textBytes,
  writeFolder,
  zipOf,
} from './zarr-fixtures.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zarr-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function open(objects: Objects): Promise<Tree> {
  return openZarrTree(await writeFolder(folder, objects))
}

/** An array at the root of a store of its own. */
async function readOnly(objects: Objects, range?: { from: number; to: number }): Promise<ArrayValues> {
  return (await open(objects)).read('/', range)
}

describe('a zarr store', () => {
  const objectsV2: Objects = {
    '.zgroup': groupV2,
    '.zattrs': json({ 'encoding-type': 'anndata', list: ['a', 1, [true, null]], object: { a: 1 } }),
    'obs/.zgroup': groupV2,
    'obs/50% #1?/.zarray': arrayV2({ shape: [3], chunks: [2], dtype: '<i4' }),
    'obs/50% #1?/0': bytesOf(Int32Array.of(1, 2)),
    'obs/50% #1?/1': bytesOf(Int32Array.of(3, 0)),
    'obs/index/.zarray': arrayV2({ shape: [2], chunks: [2], dtype: '|O', filters: [{ id: 'vlen-utf8' }] }),
    'obs/index/0': textBytes(['käse', '']),
    'not-a-node/file': 'x',
  }
  const objectsV3: Objects = {
    'zarr.json': groupV3({ 'encoding-type': 'anndata' }),
    'obs/zarr.json': groupV3(),
    'obs/50% #1?/zarr.json': arrayV3({ shape: [3], chunks: [2], data_type: 'int32' }),
    'obs/50% #1?/c/0': bytesOf(Int32Array.of(1, 2)),
    'obs/50% #1?/c/1': bytesOf(Int32Array.of(3, 0)),
    'obs/index/zarr.json': arrayV3({
      shape: [2],
      chunks: [2],
      data_type: 'string',
      codecs: [{ name: 'vlen-utf8' }],
    }),
    'obs/index/c/0': textBytes(['käse', '']),
  }

  async function everywhere(objects: Objects): Promise<Tree[]> {
    await writeFolder(join(folder, 'in', 'store.zarr'), objects)
    await writeFile(join(folder, 'store.zip'), zipOf(objects))
    const nested = Object.entries(objects).map(([key, content]) => ({
      name: `my.zarr/${key}`,
      content,
      deflate: true,
    }))
    const macNoise = { name: '__MACOSX/my.zarr/._x', content: 'x' }
    await writeFile(join(folder, 'nested.zip'), zipOf([macNoise, ...nested]))
    return Promise.all([
      openZarrTree(join(folder, 'in', 'store.zarr')),
      openZarrTree({ store: await openFolderStore(folder), prefix: 'in/store.zarr' }),
      openZarrTree(join(folder, 'store.zip')),
      openZarrTree(await openFileSource(join(folder, 'nested.zip'))),
    ])
  }

  it.each([
    ['format 2', objectsV2],
    ['format 3', objectsV3],
  ])(
    'of %s is the same as a folder, below a prefix, as a zip and as a zip of the folder',
    async (_, objects) => {
      for (const tree of await everywhere(objects)) {
        expect(tree.format).toBe('zarr')
        expect(await tree.node('/')).toMatchObject({ kind: 'group', path: '/', children: ['obs'] })
        expect(await tree.node('/obs')).toMatchObject({ kind: 'group', children: ['50% #1?', 'index'] })
        expect(await tree.node('/obs/50% #1?')).toMatchObject({
          kind: 'array',
          path: '/obs/50% #1?',
          element: { kind: 'number', type: 'int32' },
          shape: [3],
          chunks: [2],
          filters: [],
        })
        expect(await tree.read('/obs/50% #1?')).toEqual(Int32Array.of(1, 2, 3))
        expect(await tree.read('/obs/50% #1?', { from: 1, to: 3 })).toEqual(Int32Array.of(2, 3))
        expect(await tree.read('/obs/index')).toEqual(['käse', ''])
        for (const absent of ['/var', '/obs/absent', '/obs//index', '/not-a-node', '/obs/index/0']) {
          expect(await tree.node(absent)).toBeUndefined()
        }
        await tree.close()
      }
    },
  )

  it('gives attributes as they are, objects as their JSON text', async () => {
    const tree = await open(objectsV2)
    expect((await tree.node('/'))?.attributes).toEqual({
      'encoding-type': 'anndata',
      list: ['a', 1, [true, null]],
      object: '{"a":1}',
    })
    expect((await tree.node('/obs'))?.attributes).toEqual({})
  })

  it('is told by its documents: format 3 counts where both are', async () => {
    const tree = await open({ ...objectsV2, ...objectsV3 })
    expect((await tree.node('/'))?.attributes).toEqual({ 'encoding-type': 'anndata' })
  })

  it('is read from its nodes, not from a consolidated copy that no longer fits', async () => {
    const stale = {
      zarr_consolidated_format: 1,
      metadata: { '.zgroup': { zarr_format: 2 }, 'gone/.zgroup': { zarr_format: 2 } },
    }
    const tree = await open({ ...objectsV2, '.zmetadata': json(stale) })
    expect(await tree.node('/')).toMatchObject({ children: ['obs'] })
    expect(await tree.node('/gone')).toBeUndefined()
  })

  it('is no store without documents', async () => {
    await expect(open({ 'x/0': 'x' })).rejects.toMatchObject({
      name: 'BadInput',
      code: 'ZARR_MISSING',
      place: folder,
    })
    await expect(openZarrTree(join(folder, 'absent'))).rejects.toMatchObject({ code: 'FILE_MISSING' })
  })
})

describe('numbers of a zarr array', () => {
  it.each([
    ['|i1', 'int8', Int8Array.of(-1, 2, 3)],
    ['|u1', 'uint8', Uint8Array.of(255, 2, 3)],
    ['<i2', 'int16', Int16Array.of(-300, 2, 3)],
    ['<u2', 'uint16', Uint16Array.of(60_000, 2, 3)],
    ['<i4', 'int32', Int32Array.of(-70_000, 2, 3)],
    ['<u4', 'uint32', Uint32Array.of(4_000_000_000, 2, 3)],
    ['<i8', 'int64', BigInt64Array.of(-1n, 2n ** 60n, 3n)],
    ['<u8', 'uint64', BigUint64Array.of(2n ** 63n, 2n, 3n)],
    ['<f4', 'float32', Float32Array.of(0.5, Number.NaN, Number.NEGATIVE_INFINITY)],
    ['<f8', 'float64', Float64Array.of(0.1, Number.NaN, 3)],
  ])('%s come as %s, in either order of bytes and either format', async (dtype, type, values) => {
    const little = { '.zarray': arrayV2({ shape: [3], chunks: [3], dtype }), 0: bytesOf(values) }
    const tree = await open(little)
    expect(await tree.node('/')).toMatchObject({ element: { kind: 'number', type } })
    expect(await tree.read('/')).toEqual(values)
    const size = values.BYTES_PER_ELEMENT
    const swapped = Buffer.from(bytesOf(values))
    if (size > 1) for (let at = 0; at < swapped.length; at += size) swapped.subarray(at, at + size).reverse()
    expect(
      await readOnly({
        '.zarray': arrayV2({ shape: [3], chunks: [3], dtype: dtype.replace('<', '>') }),
        0: swapped,
      }),
    ).toEqual(values)
    const codecs = [{ name: 'bytes', configuration: { endian: 'big' } }]
    expect(
      await readOnly({
        'zarr.json': arrayV3({ shape: [3], chunks: [3], data_type: type, codecs }),
        'c/0': swapped,
      }),
    ).toEqual(values)
  })

  it('float16 is read into Float32Array, with subnormals and infinities', async () => {
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x7e00, 0x3555, 0x0400)
    const values = await readOnly({
      '.zarray': arrayV2({ shape: [8], chunks: [8], dtype: '<f2' }),
      0: bytesOf(bits),
    })
    expect(values).toEqual(
      Float32Array.of(
        1,
        -2,
        2 ** -24,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        Number.NaN,
        0.333251953125,
        2 ** -14,
      ),
    )
  })

  it('booleans are 0 and 1, and a scalar is one element', async () => {
    const tree = await open({
      '.zarray': arrayV2({ shape: [], chunks: [], dtype: '|b1' }),
      0: Uint8Array.of(255),
    })
    expect(await tree.node('/')).toMatchObject({ element: { kind: 'boolean' }, shape: [] })
    expect(await tree.read('/')).toEqual(Uint8Array.of(1))
    const scalar = arrayV3({ shape: [], chunks: [], data_type: 'float64' })
    expect(await readOnly({ 'zarr.json': scalar, c: bytesOf(Float64Array.of(2.5)) })).toEqual(
      Float64Array.of(2.5),
    )
  })
})

describe('text of a zarr array', () => {
  it('of fixed length is cut at its filling, in UTF-8 and in either order of code points', async () => {
    expect(
      await readOnly({
        '.zarray': arrayV2({ shape: [2], chunks: [2], dtype: '|S5' }),
        0: Buffer.from('ab\0\0\0käse'),
      }),
    ).toEqual(['ab', 'käse'])
    const points = Uint32Array.of(0x1f600, 0x41, 0x42, 0)
    const unicode = { shape: [2], chunks: [2] }
    expect(await readOnly({ '.zarray': arrayV2({ ...unicode, dtype: '<U2' }), 0: bytesOf(points) })).toEqual([
      '😀A',
      'B',
    ])
    const big = Buffer.from(bytesOf(points)).swap32()
    expect(await readOnly({ '.zarray': arrayV2({ ...unicode, dtype: '>U2' }), 0: big })).toEqual(['😀A', 'B'])
    const data_type = { name: 'fixed_length_utf32', configuration: { length_bytes: 8 } }
    expect(
      await readOnly({ 'zarr.json': arrayV3({ ...unicode, data_type }), 'c/0': bytesOf(points) }),
    ).toEqual(['😀A', 'B'])
  })

  it('of any length fills absent chunks with the fill value', async () => {
    const fields = { shape: [5], chunks: [2], dtype: '|O', filters: [{ id: 'vlen-utf8' }] }
    const chunk = { 1: textBytes(['a', 'b']) }
    expect(await readOnly({ '.zarray': arrayV2({ ...fields, fill_value: 0 }), ...chunk })).toEqual([
      '',
      '',
      'a',
      'b',
      '',
    ])
    expect(await readOnly({ '.zarray': arrayV2({ ...fields, fill_value: '-' }), ...chunk })).toEqual([
      '-',
      '-',
      'a',
      'b',
      '-',
    ])
  })
})

describe('records of a zarr array', () => {
  it('are one array for each member', async () => {
    const record = (name: string, value: number, pair: [number, number]) => {
      const bytes = Buffer.alloc(4 + 8 + 4)
      bytes.write(name, 0)
      bytes.writeDoubleBE(value, 4)
      bytes.writeInt16LE(pair[0], 12)
      bytes.writeInt16LE(pair[1], 14)
      return bytes
    }
    const dtype = [
      ['name', '|S4'],
      ['value', '>f8'],
      ['pair', '<i2', [2]],
    ]
    const tree = await open({
      '.zarray': arrayV2({ shape: [3], chunks: [2], dtype, fill_value: null }),
      0: Buffer.concat([record('a', 1.5, [1, 2]), record('bcde', -2, [3, 4])]),
    })
    expect(await tree.node('/')).toMatchObject({
      element: {
        kind: 'compound',
        members: [{ name: 'name', shape: [] }, { name: 'value' }, { name: 'pair', shape: [2] }],
      },
    })
    expect(await tree.read('/')).toEqual({
      members: new Map<string, ArrayValues>([
        ['name', ['a', 'bcde', '']],
        ['value', Float64Array.of(1.5, -2, 0)],
        ['pair', Int16Array.of(1, 2, 3, 4, 0, 0)],
      ]),
    })
  })
})

describe('chunks of a zarr array', () => {
  /** Item i of an array holds i + 1, so that a wrong place shows and 0 is free for the fill. */
  function cutChunks(
    shape: number[],
    chunks: number[],
    { order, isStored }: { order: number[]; isStored: (number: number) => boolean },
  ): { coordinates: number[]; values: Int32Array }[] {
    const grid = shape.map((length, axis) => Math.ceil(length / chunks[axis]!))
    const product = (lengths: number[]) => lengths.reduce((a, b) => a * b, 1)
    const at = (number: number, lengths: number[], axes: number[]) => {
      const coordinates = new Array<number>(lengths.length).fill(0)
      let rest = number
      for (const axis of axes.toReversed()) {
        coordinates[axis] = rest % lengths[axis]!
        rest = Math.floor(rest / lengths[axis]!)
      }
      return coordinates
    }
    const plain = shape.map((_, axis) => axis)
    return Array.from({ length: product(grid) }, (_, number) => {
      const coordinates = at(number, grid, plain)
      const values = Int32Array.from({ length: product(chunks) }, (_, item) => {
        const place = at(item, chunks, order).map((inner, axis) => inner + coordinates[axis]! * chunks[axis]!)
        if (place.some((index, axis) => index >= shape[axis]!)) return -1
        return place.reduce((sum, index, axis) => sum * shape[axis]! + index, 0) + 1
      })
      return { coordinates, values, number }
    }).filter(({ number }) => isStored(number))
  }

  it('are put together by their places, for any shape, order, rows and absent chunks', async () => {
    const shapes = fc
      .array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 4 })), {
        minLength: 1,
        maxLength: 3,
      })
      .chain((axes) =>
        fc.record({
          shape: fc.constant(axes.map(([length]) => length)),
          chunks: fc.constant(axes.map(([, chunk]) => chunk)),
          order: fc.shuffledSubarray(
            axes.map((_, axis) => axis),
            { minLength: axes.length },
          ),
        }),
      )
    const flags = fc.array(fc.boolean(), { minLength: 400, maxLength: 400 })
    await fc.assert(
      fc.asyncProperty(
        shapes,
        flags,
        fc.nat(7),
        fc.nat(7),
        async ({ shape, chunks, order }, stored, a, b) => {
          const [from, to] = [Math.min(a, b, shape[0]!), Math.min(Math.max(a, b), shape[0]!)]
          const isStored = (number: number) => stored[number] ?? true
          const cut = cutChunks(shape, chunks, { order, isStored })
          const width = shape.slice(1).reduce((product, length) => product * length, 1)
          const expected = new Int32Array((to - from) * width).fill(-7)
          for (const { coordinates } of cut) {
            const inside = Array.from(expected.keys()).filter((item) => {
              let rest = item + from * width
              const place = shape.toReversed().map((length) => {
                const index = rest % length
                rest = Math.floor(rest / length)
                return index
              })
              return place
                .toReversed()
                .every((index, axis) => Math.floor(index / chunks[axis]!) === coordinates[axis])
            })
            for (const item of inside) expected[item] = item + from * width + 1
          }
          const codecs = [
            { name: 'transpose', configuration: { order } },
            { name: 'bytes', configuration: { endian: 'little' } },
            { name: 'gzip', configuration: { level: 1 } },
          ]
          await rm(folder, { recursive: true })
          const objects: Objects = {
            'zarr.json': arrayV3({ shape, chunks, codecs, data_type: 'int32', fill_value: -7 }),
          }
          for (const { coordinates, values } of cut)
            objects[['c', ...coordinates].join('/')] = gzipSync(bytesOf(values))
          expect(await readOnly(objects, { from, to })).toEqual(expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('of format 2 in Fortran order, with either separator', async () => {
    const fields = { shape: [2, 3], chunks: [2, 3], dtype: '<i4', order: 'F' }
    const values = bytesOf(Int32Array.of(1, 4, 2, 5, 3, 6))
    const expected = Int32Array.of(1, 2, 3, 4, 5, 6)
    expect(await readOnly({ '.zarray': arrayV2(fields), '0.0': values })).toEqual(expected)
    expect(
      await readOnly({ '.zarray': arrayV2({ ...fields, dimension_separator: '/' }), '0/0': values }),
    ).toEqual(expected)
  })

  const numbers = Float32Array.from({ length: 3000 }, (_, i) => Math.sqrt(i))

  it.each([
    ['gzip', gzipSync(bytesOf(numbers))],
    ['zlib', deflateSync(bytesOf(numbers))],
    ['zstd', zstdCompressSync(bytesOf(numbers))],
  ])('packed by %s are unpacked', async (id, packed) => {
    const fields = { shape: [3000], chunks: [3000], dtype: '<f4', compressor: { id, level: 3 } }
    const tree = await open({ '.zarray': arrayV2(fields), 0: packed })
    expect(await tree.node('/')).toMatchObject({ filters: [id] })
    expect(await tree.read('/')).toEqual(numbers)
  })

  async function packWithZarrita(
    name: string,
    bytes: Uint8Array,
    configuration: object,
  ): Promise<Uint8Array> {
    const entry = await registry.get(name)!()
    return entry
      .fromConfig(configuration, { dataType: 'uint8', shape: [1], codecs: [], fillValue: null })
      .encode(bytes)
  }

  it('packed by blosc and lz4, as the C libraries within zarrita do it, are unpacked', async () => {
    const bytesOfKind = fc.record({
      length: fc.integer({ min: 1, max: 40_000 }),
      period: fc.integer({ min: 1, max: 300 }),
      noise: fc.integer({ min: 1, max: 3000 }),
    })
    const configuration = fc.record({
      cname: fc.constantFrom('blosclz', 'lz4', 'lz4hc', 'zlib', 'zstd'),
      clevel: fc.integer({ min: 0, max: 9 }),
      shuffle: fc.constantFrom(0, 1, 2),
      blocksize: fc.constantFrom(0, 256, 4096),
      acceleration: fc.constant(1),
    })
    await fc.assert(
      fc.asyncProperty(bytesOfKind, configuration, async ({ length, period, noise }, configuration) => {
        const bytes = Uint8Array.from({ length }, (_, i) =>
          i % noise === 0 ? i * 7 : Math.imul(i % period, 0x9e3779b1) >> 13,
        )
        for (const id of ['blosc', 'lz4']) {
          const fields = { shape: [length], chunks: [length], dtype: '|u1', compressor: { id } }
          const packed = await packWithZarrita(id, bytes, configuration)
          const read = await readOnly({ '.zarray': arrayV2(fields), 0: packed })
          expect(Buffer.from(read as Uint8Array).equals(bytes)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('shuffled by bits within blosc are put in order', async () => {
    const values = Uint32Array.from({ length: 64 }, (_, i) => Math.imul(i + 1, 0x9e3779b1))
    const bytes = bytesOf(values)
    const shuffled = new Uint8Array(bytes.length)
    for (let item = 0; item < 64; item++) {
      for (let bit = 0; bit < 32; bit++) {
        const isSet = (values[item]! >>> bit) & 1
        shuffled[bit * 8 + (item >> 3)]! |= isSet << (item & 7)
      }
    }
    const packed = Buffer.alloc(16 + 4 + 4 + 256)
    packed.set([2, 1, 0x04 | 0x10 | (1 << 5), 4])
    for (const [i, value] of [256, 256, packed.length, 20, 256].entries())
      packed.writeUInt32LE(value, 4 + i * 4)
    packed.set(shuffled, 24)
    const fields = { shape: [64], chunks: [64], dtype: '<u4', compressor: { id: 'blosc' } }
    expect(await readOnly({ '.zarray': arrayV2(fields), 0: packed })).toEqual(values)
  })

  it.each(['start', 'end'])('in shards with the index at the %s', async (index_location) => {
    const chunk = (...values: number[]) => gzipSync(bytesOf(Int32Array.from(values)))
    const parts = [chunk(1, 2), chunk(5, 6)]
    const indexBytes = 4 * 16
    const base = index_location === 'start' ? indexBytes : 0
    const none = 2n ** 64n - 1n
    const sizes = parts.map((part) => BigInt(part.length))
    const index = bytesOf(
      BigUint64Array.of(BigInt(base), sizes[0]!, none, none, BigInt(base) + sizes[0]!, sizes[1]!, none, none),
    )
    const codecs = [
      {
        name: 'sharding_indexed',
        configuration: {
          chunk_shape: [2],
          codecs: [
            { name: 'bytes', configuration: { endian: 'little' } },
            { name: 'gzip', configuration: {} },
          ],
          index_codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
          index_location,
        },
      },
    ]
    const tree = await open({
      'zarr.json': arrayV3({ shape: [11], chunks: [8], data_type: 'int32', codecs, fill_value: 9 }),
      'c/0': Buffer.concat(index_location === 'start' ? [index, ...parts] : [...parts, index]),
    })
    expect(await tree.node('/')).toMatchObject({ chunks: [2] })
    expect(await tree.read('/')).toEqual(Int32Array.of(1, 2, 9, 9, 5, 6, 9, 9, 9, 9, 9))
    expect(await tree.read('/', { from: 4, to: 5 })).toEqual(Int32Array.of(5))
  })

  it('are fetched only where rows are asked for, and not twice in a row', async () => {
    await writeFolder(folder, {
      '.zarray': arrayV2({ shape: [6], chunks: [2], dtype: '<i4' }),
      0: bytesOf(Int32Array.of(1, 2)),
      1: bytesOf(Int32Array.of(3, 4)),
      2: bytesOf(Int32Array.of(5, 6)),
    })
    const store = await openFolderStore(folder)
    const fetched: string[] = []
    const tree = await openZarrTree({
      prefix: '',
      store: {
        ...store,
        readRange(key, range, pin) {
          fetched.push(key)
          return store.readRange(key, range, pin)
        },
      },
    })
    expect(await tree.read('/', { from: 2, to: 3 })).toEqual(Int32Array.of(3))
    expect(await tree.read('/', { from: 3, to: 5 })).toEqual(Int32Array.of(4, 5))
    expect(fetched).toEqual(['.zarray', '1', '2'])
    expect(await tree.read('/', { from: 6, to: 6 })).toEqual(new Int32Array())
  })
})

/** Every array of a tree by its path. */
async function everyArray(tree: Tree, path = '/'): Promise<Map<string, ArrayValues>> {
  const node = await tree.node(path)
  if (node?.kind === 'array') return new Map([[path, await tree.read(path)]])
  const found = new Map<string, ArrayValues>()
  for (const name of node?.children ?? []) {
    const below = await everyArray(tree, path === '/' ? `/${name}` : `${path}/${name}`)
    for (const [inner, values] of below) found.set(inner, values)
  }
  return found
}

function counts(codes: ArrayValues, names: ArrayValues): Record<string, number> {
  const total: Record<string, number> = {}
  for (const code of codes as Int8Array)
    total[(names as string[])[code]!] = (total[(names as string[])[code]!] ?? 0) + 1
  return total
}

describe.runIf(hasShared)('real zarr stores', () => {
  it.each([
    ['0.7.0', 79],
    ['0.7.8', 83],
    ['0.11.4', 2],
  ])('of anndata %s holds what the same data hold as HDF5', async (version, arrays) => {
    const zarr = await openZarrTree(sharedPath('data', 'zarr', `anndata_archive_v${version}.zarr.zip`))
    const hdf5 = await openHdf5Tree(
      await openFileSource(sharedPath('data', 'h5ad_formats', `anndata_archive_v${version}.h5ad`)),
    )
    try {
      const found = await everyArray(zarr)
      expect(found.size).toBe(arrays)
      for (const [path, values] of found) expect(values, path).toEqual(await hdf5.read(path))
    } finally {
      await Promise.all([zarr.close(), hdf5.close()])
    }
  })

  it('of format 3, in shards and with repeated names in the zip, holds the 700 cells of pbmc68k_reduced', async () => {
    const tree = await openZarrTree(sharedPath('data', 'zarr', 'pbmc68k_reduced_zarrv3.zip'))
    const hdf5 = await openHdf5Tree(
      await openFileSource(sharedPath('data', 'h5ad_formats', 'pbmc68k_reduced_anndata08_gzip.h5ad')),
    )
    try {
      const found = await everyArray(tree)
      expect(found.size).toBe(46)
      expect((await tree.node('/X'))?.attributes).toMatchObject({ 'encoding-type': 'array' })
      expect(await tree.node('/obs')).toMatchObject({
        children: expect.arrayContaining(['bulk_labels', 'louvain']),
      })
      expect(found.get('/X')).toEqual(await hdf5.read('/X'))
      expect(found.get('/obs/index')).toEqual(await hdf5.read('/obs/index'))
      expect(found.get('/obs/n_genes')).toEqual(await hdf5.read('/obs/n_genes'))
      expect(found.get('/var/highly_variable')).toEqual(await hdf5.read('/var/highly_variable'))
      expect(counts(found.get('/obs/bulk_labels/codes')!, found.get('/obs/bulk_labels/categories')!)).toEqual(
        counts(await hdf5.read('/obs/bulk_labels/codes'), await hdf5.read('/obs/bulk_labels/categories')),
      )
      const x = found.get('/X') as Float32Array
      expect(await tree.read('/X', { from: 170, to: 360 })).toEqual(x.subarray(170 * 765, 360 * 765))
      const data = found.get('/layers/counts/data') as Int32Array
      const indices = found.get('/layers/counts/indices') as Int32Array
      // recorded with scipy 1.17.1 from pbmc68k_reduced_counts.npz
      expect(data.reduce((sum, value) => sum + value, 0)).toBe(486_651)
      expect(data.reduce((sum, value, i) => sum + value * (i % 89), 0)).toBe(21_285_339)
      expect(indices.reduce((sum, value, i) => sum + value * (i % 97), 0)).toBe(3_250_302_704)
    } finally {
      await Promise.all([tree.close(), hdf5.close()])
    }
  })

  it('of 2019, with obs and var as records: all of 10,000 cells x 1,000 genes', async () => {
    const tree = await openZarrTree(sharedPath('data', 'zarr', '10x-10k-subset.zarr'))
    expect(await tree.node('/')).toMatchObject({ children: ['X', 'obs', 'var'] })
    const obs = await tree.read('/obs')
    const genes = await tree.read('/var')
    if (!('members' in obs) || !('members' in genes)) throw new Error('not records')
    expect((obs.members.get('index') as string[])[0]).toBe('AAACCTGAGATAGGAG-1')
    expect((genes.members.get('index') as string[])[0]).toBe('Xkr4')
    expect((genes.members.get('gene_ids') as string[])[0]).toBe('ENSMUSG00000051951')
    const sums: number[] = []
    for (let row = 0; row < 10_000; row += 500) {
      const values = (await tree.read('/X', { from: row, to: row + 500 })) as Float32Array
      for (let i = 0; i < 500; i++)
        sums.push(values.subarray(i * 1000, (i + 1) * 1000).reduce((sum, value) => sum + value, 0))
    }
    const sorted = sums.sort((a, b) => a - b)
    expect((sorted[4999]! + sorted[5000]!) / 2).toBe(137)
  })
})
