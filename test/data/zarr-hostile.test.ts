import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ByteSource } from '../../lib/data/source.ts'
import type { Tree } from '../../lib/data/tree.ts'
import type { ZarrLimits } from '../../lib/data/zarr-limits.ts'
import { openZarrTree } from '../../lib/data/zarr-tree.ts'
import { isCoded } from '../../lib/job/errors.ts'
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
  type ZipEntry,
  zipOf,
} from './zarr-fixtures.ts'

let folder: string
let opened: Tree[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zarr-hostile-'))
})
afterEach(async () => {
  await Promise.all(opened.map((tree) => tree.close()))
  opened = []
  await rm(folder, { recursive: true })
})

async function readRoot(objects: Objects, limits: Partial<ZarrLimits> = {}): Promise<unknown> {
  const tree = await openZarrTree(await writeFolder(folder, objects), { limits })
  return tree.read('/')
}

async function refused(reading: Promise<unknown>, code: string, problem: string): Promise<void> {
  await expect(reading).rejects.toMatchObject({
    name: 'BadInput',
    code,
    place: expect.stringContaining(folder),
  })
  await expect(reading).rejects.toThrow(problem)
}

const numbers = { shape: [4], chunks: [4], dtype: '<i4' }
const plain = bytesOf(Int32Array.of(1, 2, 3, 4))
const zeros = Buffer.alloc(100_000)

describe('a chunk that is not what its array declares is refused:', () => {
  const packed = (id: string) => arrayV2({ ...numbers, compressor: { id } })
  /** header of blosc: versions, flags and size of a type, then unpacked, block and packed sizes */
  const blosc = (unpacked: number, length: number) => {
    const bytes = Buffer.alloc(length)
    bytes.set([2, 1, 0x21, 4])
    bytes.writeUInt32LE(unpacked, 4)
    bytes.writeUInt32LE(16, 8)
    bytes.writeUInt32LE(length, 12)
    return bytes
  }
  const text = arrayV2({ shape: [2], chunks: [2], dtype: '|O', filters: [{ id: 'vlen-utf8' }] })
  it.each<[string, string, Uint8Array, string, string]>([
    [
      'too short',
      arrayV2(numbers),
      plain.subarray(1),
      'ZARR_DAMAGED',
      '15 bytes where its type and shape ask for 16',
    ],
    ['too long', arrayV2(numbers), Buffer.concat([plain, plain]), 'ZARR_DAMAGED', '32 bytes where'],
    ['empty', arrayV2(numbers), new Uint8Array(), 'ZARR_DAMAGED', '0 bytes where'],
    ['no gzip', packed('gzip'), plain, 'ZARR_DAMAGED', 'the gzip data cannot be unpacked'],
    ['gzip cut short', packed('gzip'), gzipSync(plain).subarray(0, 20), 'ZARR_DAMAGED', 'cannot be unpacked'],
    ['a gzip bomb', packed('gzip'), gzipSync(zeros), 'ZARR_DAMAGED', 'more bytes than the chunk may have'],
    ['a zlib bomb', packed('zlib'), deflateSync(zeros), 'ZARR_DAMAGED', 'more bytes than the chunk may have'],
    [
      'a zstd bomb',
      packed('zstd'),
      zstdCompressSync(zeros),
      'ZARR_DAMAGED',
      'more bytes than the chunk may have',
    ],
    ['no zstd', packed('zstd'), plain, 'ZARR_DAMAGED', 'the zstd data cannot be unpacked'],
    ['no blosc', packed('blosc'), plain.subarray(4), 'ZARR_DAMAGED', 'only 12 bytes'],
    [
      'a blosc bomb',
      packed('blosc'),
      blosc(2 ** 31, 40),
      'ZARR_TOO_LARGE',
      'claim to unpack to 2147483648 bytes',
    ],
    [
      'blosc cut short',
      packed('blosc'),
      blosc(16, 40).subarray(0, 30),
      'ZARR_DAMAGED',
      '30 bytes and say they are 40',
    ],
    ['damaged blosc', packed('blosc'), blosc(16, 40), 'ZARR_DAMAGED', 'blosc data'],
    [
      'an lz4 bomb',
      packed('lz4'),
      bytesOf(Uint32Array.of(2 ** 31, 0, 0)),
      'ZARR_TOO_LARGE',
      'claim to unpack',
    ],
    ['damaged lz4', packed('lz4'), bytesOf(Uint32Array.of(16, 2 ** 32 - 1, 2 ** 32 - 1)), 'ZARR_DAMAGED', ''],
    ['text of another number', text, textBytes(['a']), 'ZARR_DAMAGED', '1 texts where its shape asks for 2'],
    [
      'text that runs out',
      text,
      textBytes(['a', 'bcd']).subarray(0, 15),
      'ZARR_DAMAGED',
      'text 2 of 2 runs beyond',
    ],
    [
      'a text of 4 GB',
      text,
      bytesOf(Uint32Array.of(2, 2 ** 32 - 1)),
      'ZARR_DAMAGED',
      'text 1 of 2 runs beyond',
    ],
    ['no text', text, new Uint8Array(), 'ZARR_DAMAGED', '0 texts'],
    [
      'no Unicode',
      arrayV2({ ...numbers, dtype: '<U1' }),
      bytesOf(Uint32Array.of(1, 2, 3, 2 ** 31)),
      'ZARR_DAMAGED',
      'no Unicode',
    ],
  ])('%s', async (_, document, chunk, code, problem) => {
    await refused(readRoot({ '.zarray': document, 0: chunk }), code, problem)
    const good = {
      '.zarray': arrayV2({ ...numbers, compressor: { id: 'zstd' } }),
      0: zstdCompressSync(plain),
    }
    expect(await readRoot(good)).toEqual(Int32Array.of(1, 2, 3, 4))
  })

  const sharded = (chunk_shape: number[], index_codecs: unknown[]) =>
    arrayV3({
      shape: [4],
      chunks: [4],
      data_type: 'int32',
      codecs: [
        {
          name: 'sharding_indexed',
          configuration: { chunk_shape, codecs: [{ name: 'bytes' }], index_codecs },
        },
      ],
    })
  const index = (...numbers: number[]) => bytesOf(BigUint64Array.from(numbers, BigInt))
  it.each<[string, string, Uint8Array, string, string]>([
    [
      'a shard without room for its index',
      sharded([2], ['bytes']),
      plain,
      'ZARR_DAMAGED',
      'too short for the index',
    ],
    [
      'a chunk outside of its shard',
      sharded([4], ['bytes']),
      Buffer.concat([plain, index(8, 99)]),
      'ZARR_DAMAGED',
      'outside of the shard',
    ],
    [
      'a chunk at 2^63',
      sharded([4], ['bytes']),
      Buffer.concat([plain, bytesOf(BigUint64Array.of(2n ** 63n, 16n))]),
      'ZARR_DAMAGED',
      'outside of the shard',
    ],
    [
      'a chunk too short within its shard',
      sharded([4], ['bytes']),
      Buffer.concat([plain, index(0, 8)]),
      'ZARR_DAMAGED',
      '8 bytes where',
    ],
    [
      'an index with a wrong checksum',
      sharded([4], ['bytes', 'crc32c']),
      Buffer.concat([plain, index(0, 16), Buffer.alloc(4)]),
      'ZARR_DAMAGED',
      'its checksum is wrong',
    ],
    [
      'shards that hold no whole chunks',
      sharded([3], ['bytes']),
      plain,
      'ZARR_METADATA',
      'do not hold whole chunks',
    ],
    ['a packed index', sharded([4], ['bytes', 'gzip']), plain, 'ZARR_UNSUPPORTED', 'a packed shard index'],
  ])('%s', async (_, document, chunk, code, problem) => {
    await refused(readRoot({ 'zarr.json': document, 'c/0': chunk }), code, problem)
  })
})

describe('a document that cannot be is refused:', () => {
  const v3 = { shape: [4], chunks: [4], data_type: 'int32' }
  it.each<[string, Objects, string, string]>([
    ['no JSON', { '.zarray': '{' }, 'ZARR_METADATA', 'not JSON'],
    ['no UTF-8', { '.zarray': Buffer.from([0x7b, 0xff, 0x7d]) }, 'ZARR_METADATA', 'not JSON'],
    ['a list', { '.zarray': '[]' }, 'ZARR_METADATA', 'the document'],
    ['null in format 3', { 'zarr.json': 'null' }, 'ZARR_METADATA', 'not a JSON object'],
    ['a list in format 3', { 'zarr.json': '[]' }, 'ZARR_METADATA', ''],
    ['no shape', { '.zarray': arrayV2({ ...numbers, shape: undefined }) }, 'ZARR_METADATA', 'shape'],
    ['a negative length', { '.zarray': arrayV2({ ...numbers, shape: [-1] }) }, 'ZARR_METADATA', 'shape'],
    ['half a length', { '.zarray': arrayV2({ ...numbers, shape: [1.5] }) }, 'ZARR_METADATA', 'shape'],
    [
      'a length beyond all numbers',
      { '.zarray': arrayV2({ ...numbers, shape: [1e300] }) },
      'ZARR_METADATA',
      'shape',
    ],
    ['chunks of nothing', { '.zarray': arrayV2({ ...numbers, chunks: [0] }) }, 'ZARR_METADATA', 'chunks'],
    [
      'chunks of another rank',
      { '.zarray': arrayV2({ ...numbers, chunks: [2, 2] }) },
      'ZARR_METADATA',
      'in chunks of [2,2]',
    ],
    [
      'too many axes',
      { '.zarray': arrayV2({ ...numbers, shape: new Array(40).fill(1), chunks: new Array(40).fill(1) }) },
      'ZARR_METADATA',
      'shape',
    ],
    [
      'more items than numbers count',
      { '.zarray': arrayV2({ ...numbers, shape: [2 ** 40, 2 ** 40], chunks: [1, 1] }) },
      'ZARR_METADATA',
      'a shape of',
    ],
    [
      'a codec that is a number',
      { '.zarray': arrayV2({ ...numbers, compressor: 7 }) },
      'ZARR_METADATA',
      'compressor',
    ],
    [
      'an unknown codec',
      { '.zarray': arrayV2({ ...numbers, compressor: { id: 'constructor' } }), 0: plain },
      'ZARR_UNSUPPORTED',
      '"constructor"',
    ],
    ['an unknown type', { '.zarray': arrayV2({ ...numbers, dtype: '<c16' }) }, 'ZARR_UNSUPPORTED', '<c16'],
    ['dates', { '.zarray': arrayV2({ ...numbers, dtype: '<M8[ns]' }) }, 'ZARR_UNSUPPORTED', 'M8[ns]'],
    [
      'pickled objects',
      { '.zarray': arrayV2({ ...numbers, dtype: '|O', filters: [{ id: 'pickle' }] }) },
      'ZARR_UNSUPPORTED',
      '|O',
    ],
    [
      'records of nonsense',
      { '.zarray': arrayV2({ ...numbers, dtype: [['a'], 3] }) },
      'ZARR_UNSUPPORTED',
      'records',
    ],
    [
      'records within records',
      { '.zarray': arrayV2({ ...numbers, dtype: [['a', [['b', '<i4']]]] }) },
      'ZARR_UNSUPPORTED',
      'records',
    ],
    [
      'another grid',
      { 'zarr.json': arrayV3({ ...v3, chunk_grid: { name: 'rectangular' } }) },
      'ZARR_UNSUPPORTED',
      '"rectangular"',
    ],
    [
      'an extension',
      { 'zarr.json': arrayV3({ ...v3, shift: 3 }) },
      'ZARR_UNSUPPORTED',
      'the extension "shift"',
    ],
    [
      'another data type',
      { 'zarr.json': arrayV3({ ...v3, data_type: 'toString' }) },
      'ZARR_UNSUPPORTED',
      '"toString"',
    ],
    [
      'text in numbers',
      { 'zarr.json': arrayV3({ ...v3, codecs: ['vlen-utf8'] }) },
      'ZARR_METADATA',
      'does not go with its data type',
    ],
    [
      'no codec to bytes',
      { 'zarr.json': arrayV3({ ...v3, codecs: ['gzip'] }) },
      'ZARR_UNSUPPORTED',
      'the codec "gzip"',
    ],
    [
      'a transposition of no axes',
      {
        'zarr.json': arrayV3({
          ...v3,
          codecs: [{ name: 'transpose', configuration: { order: [1] } }, 'bytes'],
        }),
      },
      'ZARR_METADATA',
      'transposition',
    ],
    [
      'attributes that are a list',
      { '.zarray': arrayV2(numbers), '.zattrs': '[1]' },
      'ZARR_METADATA',
      'not an object',
    ],
    [
      'attributes nested without end',
      { '.zarray': arrayV2(numbers), '.zattrs': `{"a":${'['.repeat(100)}${']'.repeat(100)}}` },
      'ZARR_METADATA',
      'nested too deep',
    ],
    [
      'attributes nested to the stack',
      { '.zarray': arrayV2(numbers), '.zattrs': `{"a":${'{"b":'.repeat(50_000)}1${'}'.repeat(50_000)}}` },
      'ZARR_METADATA',
      '',
    ],
    [
      'a fill value that is no number',
      { '.zarray': arrayV2({ ...numbers, fill_value: 'x' }) },
      'ZARR_UNSUPPORTED',
      'fill value',
    ],
  ])('%s', async (_, objects, code, problem) => {
    await refused(readRoot(objects), code, problem)
  })

  it('one bad array leaves the others readable', async () => {
    const tree = await openZarrTree(
      await writeFolder(folder, {
        '.zgroup': groupV2,
        'bad/.zarray': '{',
        'good/.zarray': arrayV2(numbers),
        'good/0': plain,
      }),
    )
    await refused(tree.node('/bad'), 'ZARR_METADATA', 'not JSON')
    expect(await tree.read('/good')).toEqual(Int32Array.of(1, 2, 3, 4))
    await refused(tree.read('/good', { from: 2, to: 9 }), 'ZARR_DAMAGED', 'rows 2 to 9')
    await refused(tree.read('/absent'), 'ZARR_MISSING', 'nothing here')
    await refused(tree.read('/'), 'ZARR_MISSING', 'a group')
  })

  it('names of attributes such as __proto__ are names', async () => {
    const tree = await openZarrTree(
      await writeFolder(folder, { '.zgroup': groupV2, '.zattrs': '{"__proto__": {"polluted": 1}, "a": 1}' }),
    )
    const attributes = (await tree.node('/'))!.attributes
    expect(Object.keys(attributes)).toEqual(['__proto__', 'a'])
    expect('polluted' in attributes).toBe(false)
  })
})

describe('a store that asks for too much is refused:', () => {
  it.each<[string, Objects, Partial<ZarrLimits>, string]>([
    [
      'a read of terabytes',
      { '.zarray': arrayV2({ ...numbers, shape: [2 ** 40] }) },
      {},
      '1099511627776 items at once',
    ],
    [
      'a chunk of gigabytes',
      { '.zarray': arrayV2({ ...numbers, chunks: [2 ** 30] }) },
      {},
      'chunks of [1073741824]',
    ],
    [
      'chunks without number',
      { '.zarray': arrayV2({ ...numbers, shape: [2 ** 26], chunks: [1] }) },
      {},
      '67108864 chunks at once',
    ],
    [
      'wide text',
      { '.zarray': arrayV2({ ...numbers, shape: [2 ** 20], dtype: '<U10000' }) },
      {},
      'items at once',
    ],
    [
      'a document of megabytes',
      { '.zarray': ' '.repeat(5000) },
      { documentBytes: 4000 },
      'a document of 5000 bytes',
    ],
    [
      'shards of too many chunks',
      {
        'zarr.json': arrayV3({
          shape: [1],
          chunks: [2 ** 40],
          data_type: 'int8',
          codecs: [
            {
              name: 'sharding_indexed',
              configuration: { chunk_shape: [1], codecs: ['bytes'], index_codecs: ['bytes'] },
            },
          ],
        }),
        'c/0': plain,
      },
      {},
      'shards of 1099511627776 chunks',
    ],
    [
      'a packed chunk of gigabytes',
      { '.zarray': arrayV2({ ...numbers, compressor: { id: 'gzip' } }), 0: Buffer.alloc(2 ** 21) },
      { chunkBytes: 100 },
      'a packed chunk of 2097152 bytes',
    ],
  ])('%s', async (_, objects, limits, problem) => {
    await refused(readRoot(objects, limits), 'ZARR_TOO_LARGE', problem)
  })

  it('a path without end, too many attributes, too many objects', async () => {
    const many = json(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`a${i}`, i])))
    const tree = await openZarrTree(await writeFolder(folder, { '.zgroup': groupV2, '.zattrs': many }))
    await refused(tree.node('/a'.repeat(33)), 'ZARR_TOO_LARGE', 'more than 32 names')
    await refused(tree.node('/'), 'ZARR_METADATA', '5000 attributes')
    await writeFile(join(folder, 'x.zip'), zipOf({ '.zgroup': groupV2, a: '', b: '' }))
    await refused(
      openZarrTree(join(folder, 'x.zip'), { limits: { objects: 2 } }),
      'ZARR_TOO_LARGE',
      'more than 2 objects',
    )
  })
})

describe('a store does not lead out of itself:', () => {
  it('paths with .. are refused, in every kind of store', async () => {
    const objects = { 'zarr.json': groupV3(), 'a/zarr.json': groupV3() }
    await writeFile(join(folder, 'store.zip'), zipOf(objects))
    await writeFolder(join(folder, 'store'), objects)
    for (const place of ['store', 'store.zip']) {
      const tree = await openZarrTree(join(folder, place))
      for (const path of ['/../store/a', '/a/../a', '/a/.', '/a/\0', '/..']) {
        await refused(tree.node(path), 'KEY_UNSUPPORTED', 'the name')
      }
      await tree.close()
    }
  })

  it('links within a folder are followed, links out of it are refused', async () => {
    await writeFolder(join(folder, 'outside'), { '.zarray': arrayV2(numbers), 0: plain })
    await writeFolder(join(folder, 'store'), {
      '.zgroup': groupV2,
      'good/.zarray': arrayV2(numbers),
      'good/0': plain,
      'part/.zarray': arrayV2(numbers),
    })
    await symlink(join(folder, 'store', 'good'), join(folder, 'store', 'same'))
    await symlink(join(folder, 'outside', '0'), join(folder, 'store', 'part', '0'))
    const tree = await openZarrTree(join(folder, 'store'))
    expect(await tree.node('/')).toMatchObject({ children: ['good', 'part', 'same'] })
    expect(await tree.read('/same')).toEqual(Int32Array.of(1, 2, 3, 4))
    await refused(tree.read('/part'), 'ZARR_LINK', 'leads out of the store')
    await symlink(join(folder, 'outside'), join(folder, 'store', 'away'))
    await refused(tree.node('/away'), 'ZARR_LINK', 'leads out of the store')
    await symlink(folder, join(folder, 'link-to-all'))
    expect((await (await openZarrTree(join(folder, 'link-to-all', 'store'))).node('/good'))?.kind).toBe(
      'array',
    )
  })

  it('a folder in the place of a document or a chunk is nothing', async () => {
    await mkdir(join(folder, '0'))
    expect(await readRoot({ '.zarray': arrayV2({ ...numbers, fill_value: 5 }) })).toEqual(
      Int32Array.of(5, 5, 5, 5),
    )
  })
})

async function openZip(entries: Objects | ZipEntry[] | Uint8Array): Promise<Tree> {
  const path = join(folder, 'store.zip')
  await writeFile(path, entries instanceof Uint8Array ? entries : zipOf(entries))
  const tree = await openZarrTree(path)
  opened.push(tree)
  return tree
}

describe('a zip', () => {
  const objects = { '.zarray': arrayV2(numbers), 0: plain }

  it('with repeated names holds what was written last', async () => {
    const entries = [
      { name: '0', content: bytesOf(Int32Array.of(9, 9, 9, 9)) },
      { name: '.zarray', content: arrayV2(numbers), deflate: true },
      { name: '0', content: plain, deflate: true },
    ]
    expect(await (await openZip(entries)).read('/')).toEqual(Int32Array.of(1, 2, 3, 4))
  })

  it('with names that lead out of it is refused', async () => {
    await refused(openZip({ ...objects, '../evil': 'x' }), 'KEY_UNSUPPORTED', '"." or ".."')
  })

  it('entry that unpacks to more, or to less, than it says is refused', async () => {
    for (const claim of [8, 24]) {
      const entries = [
        { name: '.zarray', content: arrayV2(numbers) },
        { name: '0', content: plain, deflate: true, claim },
      ]
      await refused((await openZip(entries)).read('/'), 'ZIP_DAMAGED', 'the zip is damaged')
    }
    const stored = [
      { name: '.zarray', content: arrayV2(numbers) },
      { name: '0', content: plain, claim: 2 ** 30 },
    ]
    await refused((await openZip(stored)).read('/'), 'ZARR_TOO_LARGE', 'a packed chunk')
  })

  it('of which a bit is turned is refused by its checksum', async () => {
    const bytes = zipOf(objects)
    bytes[bytes.indexOf(Buffer.from(plain))] = 7
    await refused((await openZip(bytes)).read('/'), 'ZIP_DAMAGED', 'checksum')
  })

  it('without an end, or with a table of contents elsewhere, is refused', async () => {
    const whole = zipOf(objects)
    await refused(openZip(whole.subarray(0, whole.length - 5)), 'ZIP_DAMAGED', 'its end is missing')
    await refused(openZip(new Uint8Array()), 'ZIP_DAMAGED', 'its end is missing')
    const elsewhere = Buffer.from(whole)
    elsewhere.writeUInt32LE(2 ** 31, whole.length - 6)
    await refused(openZip(elsewhere), 'ZIP_DAMAGED', 'outside of the file')
  })

  it('that is encrypted or packed by an unknown method is refused', async () => {
    const whole = zipOf({ 0: plain, '.zarray': arrayV2(numbers) })
    const central = whole.indexOf(Buffer.from([0x50, 0x4b, 1, 2]))
    for (const [at, value] of [
      [8, 1],
      [10, 12],
    ] as const) {
      const changed = Buffer.from(whole)
      changed.writeUInt16LE(value, central + at)
      await refused(
        (await openZip(changed)).read('/'),
        'ZIP_UNSUPPORTED',
        at === 8 ? 'encrypted' : 'method 12',
      )
    }
  })
})

function inMemory(bytes: Uint8Array): ByteSource {
  return {
    place: folder,
    size: bytes.length,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length))
        throw new Error(`read ${offset} + ${length}`)
      return bytes.slice(offset, offset + length)
    },
    close: async () => {},
  }
}

async function readEverything(tree: Tree, path = '/'): Promise<void> {
  const node = await tree.node(path).catch(onlyCoded)
  if (node?.kind === 'array') await tree.read(path).catch(onlyCoded)
  if (node?.kind !== 'group') return
  for (const name of node.children) await readEverything(tree, path === '/' ? `/${name}` : `${path}/${name}`)
}

function onlyCoded(error: unknown): undefined {
  if (!isCoded(error) || error.name !== 'BadInput') throw error
}

describe('a store of which any bytes are changed or cut off', () => {
  const index = bytesOf(BigUint64Array.of(0n, 8n, 8n, 8n))
  const shards = [
    {
      name: 'sharding_indexed',
      configuration: { chunk_shape: [2], codecs: ['bytes'], index_codecs: ['bytes'] },
    },
  ]
  const values = bytesOf(Float64Array.from({ length: 400 }, (_, i) => i))
  const stored = Buffer.alloc(16 + 3200)
  stored.set([2, 1, 2, 8])
  for (const [i, value] of [3200, 3200, 3216].entries()) stored.writeUInt32LE(value, 4 + i * 4)
  stored.set(values, 16)
  const long = { shape: [400], chunks: [400], dtype: '<f8' }
  const stores: [string, Objects][] = [
    [
      'format 2',
      {
        '.zgroup': groupV2,
        '.zattrs': json({ a: [1, { b: 'c' }] }),
        'blosc/.zarray': arrayV2({ ...long, compressor: { id: 'blosc' } }),
        'blosc/0': stored,
        'zstd/.zarray': arrayV2({ ...long, compressor: { id: 'zstd' } }),
        'zstd/0': zstdCompressSync(values),
        'text/.zarray': arrayV2({ shape: [3], chunks: [2], dtype: '|O', filters: [{ id: 'vlen-utf8' }] }),
        'text/0': textBytes(['one', 'two']),
        'record/.zarray': arrayV2({
          shape: [2],
          chunks: [2],
          dtype: [
            ['a', '<U2'],
            ['b', '>i2'],
          ],
        }),
        'record/0': Buffer.alloc(20),
      },
    ],
    [
      'format 3',
      {
        'zarr.json': groupV3({ a: 1 }),
        'shards/zarr.json': arrayV3({ shape: [4], chunks: [4], data_type: 'int32', codecs: shards }),
        'shards/c/0': Buffer.concat([plain, index]),
        'text/zarr.json': arrayV3({
          shape: [2],
          chunks: [2],
          data_type: 'string',
          codecs: ['vlen-utf8', 'gzip'],
        }),
        'text/c/0': gzipSync(textBytes(['one', 'two'])),
      },
    ],
  ]
  it.each(stores)('is read or refused, and never fails in another way: %s', async (_, objects) => {
    const change = fc.record({ of: fc.nat(), at: fc.nat(), value: fc.nat(255), cut: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 6 }), async (changes) => {
        const changed: Objects = { ...objects }
        const keys = Object.keys(objects)
        for (const { of, at, value, cut } of changes) {
          const key = keys[of % keys.length]!
          const bytes = Buffer.from(changed[key]!)
          if (bytes.length > 0) bytes[at % bytes.length] = value
          changed[key] = cut ? bytes.subarray(0, at % (bytes.length + 1)) : bytes
        }
        const tree = await openZarrTree(inMemory(zipOf(changed))).catch(onlyCoded)
        if (tree !== undefined) await readEverything(tree)
      }),
      { numRuns: 300 },
    )
  })
})

describe.runIf(hasShared)('a real store with some bytes changed', () => {
  it.each(['anndata_archive_v0.7.0.zarr.zip', 'pbmc68k_reduced_zarrv3.zip'])(
    '%s is read or refused, and never fails in another way',
    async (name) => {
      const whole = await readFile(sharedPath('data', 'zarr', name))
      const change = fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255) })
      const late = fc.record({
        at: fc.nat(20_000).map((back) => whole.length - 1 - back),
        value: fc.nat(255),
      })
      const lengths = fc.option(fc.nat(whole.length), { nil: whole.length, freq: 10 })
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(change, late), { maxLength: 30 }),
          lengths,
          async (changes, length) => {
            const bytes = Uint8Array.from(whole.subarray(0, length))
            for (const { at, value } of changes) if (at < length) bytes[at] = value
            const tree = await openZarrTree(inMemory(bytes)).catch(onlyCoded)
            if (tree !== undefined) await readEverything(tree)
          },
        ),
        { numRuns: 25 },
      )
    },
  )
})
