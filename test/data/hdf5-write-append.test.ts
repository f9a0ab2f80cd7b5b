import { chmod, copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addToH5ad } from '../../lib/data/add-to-h5ad.ts'
import type { Column } from '../../lib/data/cells.ts'
import { appendHdf5 } from '../../lib/data/hdf5/write/append.ts'
import { createHdf5 } from '../../lib/data/hdf5/write/create.ts'
import { BadInput } from '../../lib/job/errors.ts'
import { type LibraryFile, openInLibrary } from '../support/hdf5-library.ts'
import { type Found, parseWhole } from '../support/hdf5-parser.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const fixture = (name: string): string =>
  resolve(import.meta.dirname, '../fixtures', name.endsWith('.h5') ? 'hdf5-layouts' : 'formats', name)

const layouts = [
  // superblock 3, links and attributes in heaps
  'latest.h5ad',
  // superblock 0, symbol tables
  'compound.h5ad',
  // object references, soft links
  'references.h5ad',
  'superblock-1.h5',
  // superblock 3, other sizes of trees in its extension
  'tree-sizes.h5',
  'free-space-not-kept.h5',
]

/** The library alone reads no 16-bit floats and no lzf; of those the addresses of the chunks were compared. */
const isReadable = ({ description }: Extract<Found, { kind: 'dataset' }>): boolean =>
  !((description.datatype[0]! & 15) === 1 && description.datatype[4] === 2) &&
  description.filters.every(({ id }) => id < 256)

describe('adding to a copy', () => {
  it.each(layouts)('of %s changes no byte of it but the superblock', async (name) => {
    await using folder = await temporaryFolder()
    const before = await readFile(fixture(name))
    const { writer } = await appendHdf5(fixture(name), join(folder.path, 'out'))
    writer.group('/uns/added/deeper', { note: 'new' })
    await writer.strings('/uns/added/list', ['a', 'b'])
    await writer.close()
    const after = await readFile(join(folder.path, 'out'))
    expect(after.length).toBeGreaterThan(before.length)
    expect(after.subarray(96, before.length).equals(before.subarray(96))).toBe(true)
    expect(await readFile(fixture(name))).toEqual(before)
    expect(await readdir(folder.path)).toEqual(['out'])
  })

  it.each(layouts)(
    'of %s keeps all links, chunks and attributes, in the eyes of the library',
    async (name) => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'out')
      const { writer } = await appendHdf5(fixture(name), path)
      writer.group('/uns/added', { note: 'new' })
      await writer.dataset('/new', { type: 'int16', shape: [2], values: Int16Array.of(1, 2), gzip: 4 })
      await writer.close()
      const before = parseWhole(await readFile(fixture(name)))
      const after = parseWhole(await readFile(path))
      for (const [place, object] of before)
        expect({ place, object: after.get(place) }).toEqual({ place, object })
      using old = await openInLibrary(fixture(name))
      using file = await openInLibrary(path)
      const paths = (of: LibraryFile) => of.paths().map((place) => place.replace(/^\//, ''))
      expect(paths(file).sort()).toEqual([...new Set([...paths(old), 'new', 'uns', 'uns/added'])].sort())
      expect(file.dataset('/new').value).toEqual(Int16Array.of(1, 2))
      expect(file.group('/uns/added').attrs.note?.value).toBe('new')
      const names = (attributes: object) => Object.keys(attributes).sort()
      expect(names(file.group('/').attrs)).toEqual(names(old.group('/').attrs))
      for (const [place, object] of before) {
        if (object.kind === 'dataset' && isReadable(object)) {
          expect(file.dataset(place).value).toEqual(old.dataset(place).value)
        }
      }
    },
  )

  it('replaces and removes what is asked for, and sets attributes beside the old ones', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'out')
    const { writer, existing } = await appendHdf5(fixture('latest.h5ad'), path)
    const order = existing.texts('/obs', 'column-order')
    expect(order).toHaveLength(22)
    await writer.dataset('/obs/c00', { type: 'int8', shape: [3], values: Int8Array.of(1, 2, 3) })
    expect(writer.remove('/obs/c01')).toBe(true)
    expect(writer.remove('/obs/never')).toBe(false)
    expect(writer.remove('/layers')).toBe(true)
    writer.group('/obs', { extra: 'yes' })
    await writer.close()
    using file = await openInLibrary(path)
    expect(file.dataset('/obs/c00').value).toEqual(Int8Array.of(1, 2, 3))
    expect(file.group('/obs').keys()).not.toContain('c01')
    expect(file.group('/obs').keys()).toContain('c02')
    expect(file.group('/').keys()).not.toContain('layers')
    expect(file.group('/obs').attrs['column-order']?.value).toEqual(order)
    expect(file.group('/obs').attrs.extra?.value).toBe('yes')
  })

  it('again and again gives what a model of the tree says', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`)
    const edit = fc.record({
      path,
      kind: fc.constantFrom('put', 'remove', 'attribute'),
      value: fc.integer({ min: 0, max: 99 }),
    })
    const rounds = fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(rounds, async (all) => {
        await using folder = await temporaryFolder()
        let file = join(folder.path, '0.h5')
        await (await createHdf5(file)).close()
        // datasets by path with '/' behind the last name, groups with their number
        const model = new Map<string, number | undefined>()
        const isBlocked = (at: string) =>
          [...model].some(([other]) => other.startsWith('=') && at.startsWith(`${other.slice(1)}/`))
        for (const [round, edits] of all.entries()) {
          const next = join(folder.path, `${round + 1}.h5`)
          const { writer } = await appendHdf5(file, next)
          file = next
          for (const { path: at, kind, value } of edits) {
            if (isBlocked(at)) continue
            if (kind === 'remove') {
              writer.remove(at)
              for (const key of [...model.keys()]) {
                if (key.slice(1) === at || key.slice(1).startsWith(`${at}/`)) model.delete(key)
              }
            } else {
              const parts = at.slice(1).split('/')
              for (let i = 1; i < parts.length; i++) {
                const parent = `+/${parts.slice(0, i).join('/')}`
                if (!model.has(parent)) model.set(parent, undefined)
              }
              if (kind === 'put') {
                await writer.dataset(at, { type: 'int32', shape: [], values: Int32Array.of(value) })
                for (const key of [...model.keys()]) {
                  if (key.slice(1) === at || key.slice(1).startsWith(`${at}/`)) model.delete(key)
                }
                model.set(`=${at}`, value)
              } else if (!model.has(`=${at}`)) {
                writer.group(at, { value: { type: 'int32', value } })
                model.set(`+${at}`, value)
              }
            }
          }
          await writer.close()
        }
        using library = await openInLibrary(file)
        expect(library.paths().map((at) => `/${at.replace(/^\//, '')}`)).toEqual(
          [...model.keys()].map((key) => key.slice(1)).sort(),
        )
        for (const [key, value] of model) {
          const at = key.slice(1)
          if (key.startsWith('=')) expect(library.dataset(at).value).toBe(value)
          else expect(library.group(at).attrs.value?.value).toBe(value)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('of a read-only file works, and given up leaves nothing', async () => {
    await using folder = await temporaryFolder()
    const source = join(folder.path, 'source')
    await copyFile(fixture('compound.h5ad'), source)
    await chmod(source, 0o444)
    const { writer } = await appendHdf5(source, join(folder.path, 'out'))
    writer.group('/x')
    await writer.abort()
    expect(await readdir(folder.path)).toEqual(['source'])
  })

  it.each(['latest.h5ad', 'compound.h5ad'])('of %s with changed bytes is done or refused', async (name) => {
    await using folder = await temporaryFolder()
    const original = await readFile(fixture(name))
    const places = [...original.keys()].filter((i) => original[i] !== 0)
    const change = fc.tuple(fc.constantFrom(...places), fc.integer({ min: 0, max: 255 }))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        const bytes = Uint8Array.from(original)
        for (const [place, value] of changes) bytes[place] = value
        await writeFile(join(folder.path, 'in'), bytes)
        const label: Column = { kind: 'boolean', values: new Uint8Array(40) }
        try {
          await addToH5ad(join(folder.path, 'in'), join(folder.path, 'out'), {
            ...(name === 'latest.h5ad' && { obs: new Map([['label', label]]) }),
            uns: { added: 'new' },
          })
          await rm(join(folder.path, 'out'))
        } catch (error) {
          if (!(error instanceof BadInput)) throw error
        }
        expect(await readdir(folder.path)).toEqual(['in'])
      }),
      { numRuns: 150 },
    )
  })

  it('of a file that keeps account of its free space is refused', async () => {
    await using folder = await temporaryFolder()
    await expect(appendHdf5(fixture('free-space-kept.h5'), join(folder.path, 'out'))).rejects.toThrow(
      expect.objectContaining({ code: 'HDF5_UNSUPPORTED' }),
    )
    expect(await readdir(folder.path)).toEqual([])
  })

  it('of a group with a link into another file is refused, as it would be written anew', async () => {
    await using folder = await temporaryFolder()
    const { writer } = await appendHdf5(fixture('external-link.h5'), join(folder.path, 'out'))
    writer.group('/x')
    await expect(writer.close()).rejects.toThrow(expect.objectContaining({ code: 'HDF5_UNSUPPORTED' }))
    expect(await readdir(folder.path)).toEqual([])
  })

  it('of what is no HDF5 file is refused and leaves nothing', async () => {
    await using folder = await temporaryFolder()
    const source = resolve(import.meta.dirname, 'hdf5-write-append.test.ts')
    await expect(appendHdf5(source, join(folder.path, 'out'))).rejects.toThrow(
      expect.objectContaining({ code: 'HDF5_NOT' }),
    )
    expect(await readdir(folder.path)).toEqual([])
  })
})
