import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHdf5 } from '../../lib/data/hdf5/write/create.ts'
import { bytesOf, NUMBERS, type StoredNumber } from '../../lib/data/hdf5/write/datatype.ts'
import type { Hdf5Writer } from '../../lib/data/hdf5/write/writer.ts'
import type { NumberArray } from '../../lib/data/tree.ts'
import { type LibraryFile, openInLibrary } from '../support/hdf5-library.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Writes a file and shows what the library sees in it. */
async function written(
  fill: (writer: Hdf5Writer) => Promise<void>,
  check: (file: LibraryFile) => void,
): Promise<void> {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'file.h5')
  const writer = await createHdf5(path)
  await fill(writer)
  await writer.close()
  expect(await readdir(folder.path)).toEqual(['file.h5'])
  using library = await openInLibrary(path)
  check(library)
}

const types = Object.keys(NUMBERS) as StoredNumber[]

/** Values of a type with every bit pattern, not-a-number among them. */
const valuesOf = (type: StoredNumber, length: number): fc.Arbitrary<NumberArray> =>
  fc
    .uint8Array({ minLength: length * NUMBERS[type].bytes, maxLength: length * NUMBERS[type].bytes })
    .map((bytes) => {
      const values = NUMBERS[type].make(length)
      bytesOf(values).set(bytes)
      return values
    })

const datasets = fc
  .record({
    type: fc.constantFrom(...types),
    shape: fc.array(fc.nat(9), { maxLength: 3 }),
    gzip: fc.constantFrom(undefined, 1, 4, 9),
    shuffle: fc.boolean(),
  })
  .chain((options) =>
    valuesOf(
      options.type,
      options.shape.reduce((a, b) => a * b, 1),
    ).map((values) => ({ ...options, values })),
  )

/** The values as an array, also of a scalar, which the library gives bare. */
function stored(file: LibraryFile, path: string): unknown[] {
  const { value } = file.dataset(path)
  return ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : [value]
}

describe('a dataset', () => {
  it('of any type and shape, compressed or not, comes back bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(datasets, { minLength: 1, maxLength: 4 }), async (all) => {
        await written(
          async (writer) => {
            for (const [i, options] of all.entries()) await writer.dataset(`/group/d${i}`, options)
          },
          (file) => {
            for (const [i, { type, shape, values }] of all.entries()) {
              const dataset = file.dataset(`/group/d${i}`)
              expect(dataset.shape).toEqual(shape)
              expect(dataset.metadata.signed).toBe(type.startsWith('int'))
              expect(stored(file, `/group/d${i}`)).toEqual(Array.from(values as Int32Array))
            }
          },
        )
      }),
      { numRuns: 60 },
    )
  })

  it('of booleans is the enumeration that h5py takes for numpy.bool', async () => {
    await written(
      (writer) => writer.dataset('/flags', { type: 'boolean', shape: [3], values: Uint8Array.of(1, 0, 1) }),
      (file) => {
        const { metadata, json_value } = file.dataset('/flags')
        expect(metadata.enum_type?.members).toEqual({ FALSE: 0, TRUE: 1 })
        expect(json_value).toEqual([true, false, true])
      },
    )
  })

  it('of text keeps empty, long and foreign text, compressed or not', async () => {
    const few = ['', 'a', 'γδ T', '日本語', '🧬', 'x'.repeat(300_000), 'end']
    const many = Array.from({ length: 70_000 }, (_, i) => `cell_${i}`)
    await written(
      async (writer) => {
        await writer.strings('/few', few)
        await writer.strings('/packed', few, { gzip: 4 })
        await writer.strings('/many', many)
        await writer.strings('/many-packed', many, { gzip: 1 })
        await writer.strings('/none', [])
        await writer.strings('/one', ['alone'], { shape: [] })
        await writer.strings('/table', ['a', 'b', 'c', 'd'], { shape: [2, 2] })
      },
      (file) => {
        expect(file.dataset('/few').value).toEqual(few)
        expect(file.dataset('/packed').value).toEqual(few)
        expect(file.dataset('/many').value).toEqual(many)
        expect(file.dataset('/many-packed').value).toEqual(many)
        expect(file.dataset('/none').shape).toEqual([0])
        expect(file.dataset('/one').value).toBe('alone')
        expect(file.dataset('/table').shape).toEqual([2, 2])
        // null-terminated UTF-8, as h5py writes
        expect(file.dataset('/few').metadata).toMatchObject({ vlen: true, cset: 1, strpad: 0 })
      },
    )
  })

  it.each([3, 500_000])('of %d values does not keep the memory it is given', async (count) => {
    await written(
      async (writer) => {
        const values = new Int32Array(count).fill(1)
        await writer.dataset('/x', { type: 'int32', shape: [count], values })
        values.fill(2)
        await writer.dataset('/y', { type: 'int32', shape: [count], values })
      },
      (file) => expect(file.dataset('/x').value).toEqual(new Int32Array(count).fill(1)),
    )
  })

  it('replaces the one before it', async () => {
    await written(
      async (writer) => {
        await writer.dataset('/x', { type: 'int8', shape: [1], values: Int8Array.of(1) })
        await writer.strings('/x', ['two'])
      },
      (file) => expect(file.dataset('/x').value).toEqual(['two']),
    )
  })
})

describe('streams', () => {
  it('appended in turns and in uneven pieces hold what was appended', async () => {
    const rows = fc.array(fc.nat(400), { maxLength: 12 })
    const options = {
      gzip: fc.constantFrom(undefined, 1),
      width: fc.integer({ min: 1, max: 5 }),
      chunkRows: fc.integer({ min: 1, max: 300 }),
    }
    await fc.assert(
      fc.asyncProperty(rows, fc.record(options), async (pieces, { gzip, width, chunkRows }) => {
        const total = pieces.reduce((a, b) => a + b, 0)
        const wide = Float32Array.from({ length: total * width }, (_, i) => i / 3)
        const flat = BigInt64Array.from({ length: total }, (_, i) => BigInt(i) * 5_000_000_000n)
        await written(
          async (writer) => {
            const a = writer.stream('/wide', {
              type: 'float32',
              rowShape: [width],
              gzip,
              chunkRows,
              shuffle: true,
            })
            const b = writer.stream('/flat', { type: 'int64', gzip, chunkRows })
            let at = 0
            for (const count of pieces) {
              await a.append(wide.slice(at * width, (at + count) * width))
              await b.append(flat.slice(at, at + count))
              at += count
            }
            await a.close()
            await b.close()
          },
          (file) => {
            expect(file.dataset('/wide').shape).toEqual([total, width])
            expect(file.dataset('/flat').shape).toEqual([total])
            if (total === 0) return
            expect(file.dataset('/wide').value).toEqual(wide)
            expect(file.dataset('/flat').value).toEqual(flat)
          },
        )
      }),
      { numRuns: 40 },
    )
  })

  it('do not keep the memory they are given', async () => {
    await written(
      async (writer) => {
        const stream = writer.stream('/x', { type: 'int32', gzip: 1, chunkRows: 4 })
        const reused = Int32Array.of(1, 2, 3)
        await stream.append(reused)
        reused.fill(9)
        await stream.append(reused)
        await stream.close()
      },
      (file) => expect(file.dataset('/x').value).toEqual(Int32Array.of(1, 2, 3, 9, 9, 9)),
    )
  })
})

describe('groups and attributes', () => {
  it('of ten thousand children are all found', async () => {
    await written(
      async (writer) => {
        for (let i = 0; i < 10_000; i++) writer.group(`/many/child ${i}`)
      },
      (file) => {
        expect(new Set(file.group('/many').keys())).toEqual(
          new Set(Array.from({ length: 10_000 }, (_, i) => `child ${i}`)),
        )
        expect(file.group('/many/child 9999').keys()).toEqual([])
      },
    )
  })

  it('of any name are found by it', async () => {
    const names = fc.uniqueArray(
      fc
        .string({ unit: 'binary', minLength: 1, maxLength: 60 })
        .filter((name) => !/[/\0]/.test(name) && !/^\.+$/.test(name) && name.isWellFormed()),
      { maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(names, async (list) => {
        await written(
          async (writer) => {
            for (const [i, name] of list.entries())
              writer.group(`/g/${name}`, { number: { type: 'int32', value: i } })
          },
          (file) => {
            for (const [i, name] of list.entries())
              expect(file.group(`/g/${name}`).attrs.number?.value).toBe(i)
          },
        )
      }),
      { numRuns: 40 },
    )
  })

  it('keep attributes of each kind, set on groups and datasets', async () => {
    const attributes = {
      text: 'γδ',
      empty: '',
      list: ['a', '', 'ccc'],
      flag: true,
      int64: { type: 'int64', value: -(2n ** 60n) },
      float: { type: 'float64', value: 0.1 },
      shape: { type: 'int64', values: BigInt64Array.of(3n, 4n) },
      nothing: { type: 'float64', values: new Float64Array(0) },
      none: null,
    } as const
    await written(
      async (writer) => {
        writer.group('/', attributes)
        writer.group('/', { later: 'too', text: 'changed' })
        await writer.dataset('/x', { type: 'int8', shape: [], values: Int8Array.of(5), attributes })
      },
      (file) => {
        for (const attrs of [file.group('/').attrs, file.dataset('/x').attrs]) {
          expect(attrs.list?.value).toEqual(['a', '', 'ccc'])
          expect(attrs.empty?.value).toBe('')
          expect(attrs.flag?.json_value).toBe(true)
          expect(attrs.int64?.value).toBe(-(2n ** 60n))
          expect(attrs.float?.value).toBe(0.1)
          expect(attrs.shape?.value).toEqual(BigInt64Array.of(3n, 4n))
          expect(attrs.nothing?.shape).toEqual([0])
          expect(attrs.none?.value).toBeNull()
        }
        expect(file.dataset('/x').attrs.text?.value).toBe('γδ')
        expect(file.group('/').attrs.text?.value).toBe('changed')
        expect(file.group('/').attrs.later?.value).toBe('too')
      },
    )
  })
})

describe('a file', () => {
  const fill = async (path: string) => {
    const writer = await createHdf5(path)
    const stream = writer.stream('/x', { type: 'int32', gzip: 4 })
    for (let i = 0; i < 30; i++)
      await stream.append(Int32Array.from({ length: 20_000 }, (_, j) => (i * j) % 77))
    await stream.close()
    await writer.strings('/names', ['a', 'b'])
    await writer.close()
  }

  it('has the same bytes whenever it is written', async () => {
    await using folder = await temporaryFolder()
    await fill(join(folder.path, 'a'))
    await fill(join(folder.path, 'b'))
    const [a, b] = [await readFile(join(folder.path, 'a')), await readFile(join(folder.path, 'b'))]
    expect(a.equals(b)).toBe(true)
  })

  it('that is given up leaves nothing', async () => {
    await using folder = await temporaryFolder()
    const writer = await createHdf5(join(folder.path, 'x.h5'))
    await writer.stream('/x', { type: 'int32', gzip: 1 }).append(new Int32Array(500_000))
    await writer.abort()
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is refused where something is, be it there before or come meanwhile, and that stays', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'x.h5')
    const writer = await createHdf5(path)
    await writer.strings('/x', ['ours'])
    await writeFile(path, 'theirs')
    await expect(writer.close()).rejects.toMatchObject({ name: 'AlreadyExists', code: 'OBJECT_EXISTS' })
    await expect(createHdf5(path)).rejects.toMatchObject({ name: 'AlreadyExists', code: 'OBJECT_EXISTS' })
    expect(await readdir(folder.path)).toEqual(['x.h5'])
    expect(await readFile(path, 'utf8')).toBe('theirs')
  })

  it('closed with an open stream is refused and leaves nothing', async () => {
    await using folder = await temporaryFolder()
    const writer = await createHdf5(join(folder.path, 'x.h5'))
    writer.stream('/x', { type: 'int32' })
    await expect(writer.close()).rejects.toThrow('still open')
    expect(await readdir(folder.path)).toEqual([])
  })

  it.each(['/a//b', '/', '/a/.', '/..', '/nul\0', '/\ud800'])('refuses the path %j', async (path) => {
    await using folder = await temporaryFolder()
    const writer = await createHdf5(join(folder.path, 'x.h5'))
    await expect(writer.strings(path, [])).rejects.toThrow(
      path === '/' ? 'the root is a group' : expect.objectContaining({ code: 'KEY_UNSUPPORTED' }),
    )
    await writer.abort()
  })

  it('refuses a name of two thousand letters', async () => {
    await using folder = await temporaryFolder()
    const writer = await createHdf5(join(folder.path, 'x.h5'))
    expect(() => writer.group(`/${'x'.repeat(2000)}`)).toThrow(
      expect.objectContaining({ code: 'KEY_UNSUPPORTED' }),
    )
    await writer.abort()
  })

  it('refuses text that readers would cut, and attributes that HDF5 cannot hold', async () => {
    await using folder = await temporaryFolder()
    const writer = await createHdf5(join(folder.path, 'x.h5'))
    await expect(writer.strings('/x', ['a\0b'])).rejects.toThrow(
      expect.objectContaining({ code: 'TEXT_UNSUPPORTED' }),
    )
    const names = Array.from({ length: 4200 }, (_, i) => `column ${i}`)
    expect(() => writer.group('/obs', { 'column-order': names })).toThrow(
      expect.objectContaining({ code: 'HDF5_ATTRIBUTE_SIZE' }),
    )
    await writer.abort()
  })
})
