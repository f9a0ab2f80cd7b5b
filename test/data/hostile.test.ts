import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gatherFacts } from '../../lib/data/facts.ts'
import { meteredSource, openFileSource } from '../../lib/data/file-source.ts'
import { openHdf5Tree } from '../../lib/data/hdf5/hdf5-tree.ts'
import { openWasmFile } from '../../lib/data/hdf5/wasm.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { readWhole } from '../support/read-whole.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const folder = resolve(import.meta.dirname, '../fixtures/hostile')
const fixture = (name: string): string => join(folder, `${name}.h5ad`)

/** What reading everything in a file ends with: 'read', or the code of the refusal. */
async function outcome(path: string): Promise<string> {
  try {
    await readWhole(path)
    return 'read'
  } catch (error) {
    const { name, code } = error as { name: string; code: string }
    return `${name} ${code}`
  }
}

describe('a hostile file', () => {
  it.each([
    ['external-storage', 'HDF5_POINTS_OUTSIDE'],
    ['external-link', 'HDF5_POINTS_OUTSIDE'],
    ['virtual-dataset', 'HDF5_POINTS_OUTSIDE'],
    ['deep', 'HDF5_TOO_DEEP'],
    ['declares-terabytes', 'HDF5_DECLARED_SIZE'],
    ['zeros-512-mib', 'HDF5_DECLARED_SIZE'],
    ['huge-chunk', 'HDF5_CHUNK_SIZE'],
    ['gzip-twice', 'HDF5_FILTER'],
    ['indptr-falls', 'ELEMENT_DAMAGED'],
    ['index-outside', 'ELEMENT_DAMAGED'],
    ['entry-twice', 'DUPLICATE_ENTRY'],
    ['code-outside', 'ELEMENT_DAMAGED'],
    ['user-block', 'FORMAT_UNKNOWN'],
    ['group-holds-itself', 'HDF5_TOO_DEEP'],
    ['soft-loop', 'HDF5_LINK_LOOP'],
  ])('%s is refused with %s', async (name, code) => {
    expect(await outcome(fixture(name))).toBe(`BadInput ${code}`)
  })

  it('says where, what and what to do, with the path inside of the file', async () => {
    const error = await openCells(fixture('external-link')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      place: `${fixture('external-link')}:/layers/counts`,
      problem: 'it points at another file (external link)',
      remedy: expect.stringContaining('write_h5ad'),
    })
  })

  it('is refused by ranges too, where only what is touched is looked at', async () => {
    const source = meteredSource(await openFileSource(fixture('external-storage')), {
      requests: 100,
      bytes: 1e7,
    })
    const tree = await openHdf5Tree(source)
    await expect(tree.node('/X')).rejects.toMatchObject({ code: 'HDF5_POINTS_OUTSIDE' })
    await tree.close()
  })

  it('stops the reading of a remote file at the agreed number of requests', async () => {
    const source = meteredSource(await openFileSource(fixture('deep')), { requests: 1, bytes: 1e6 })
    await expect(openHdf5Tree(source).then((tree) => tree.node('/uns'))).resolves.toBeDefined()
    const tight = meteredSource(await openFileSource(fixture('deep')), { requests: 1, bytes: 1000 })
    await expect(openHdf5Tree(tight)).rejects.toMatchObject({ name: 'BadInput', code: 'READ_BUDGET' })
  })

  it('is ended when it does not answer in time, and the next file is not disturbed', async () => {
    const source = await openFileSource(fixture('deep'))
    await expect(openHdf5Tree(source, { limits: { deadline: 1 } })).rejects.toMatchObject({
      code: 'HDF5_DEADLINE',
    })
    expect(await outcome(fixture('soft-loop'))).toBe('BadInput HDF5_LINK_LOOP')
  })

  it('with more objects than the limit is refused', async () => {
    const source = await openFileSource(fixture('soft-loop'))
    const opening = openHdf5Tree(source, { audit: true, limits: { objects: 3 } })
    await expect(opening).rejects.toMatchObject({ code: 'HDF5_TOO_MANY_OBJECTS' })
  })
})

describe('a heap of text that would send the library round for ever', () => {
  it.each([0, 16, 3744])('is refused when its free space is said to have %i bytes', async (bytes) => {
    await using place = await temporaryFolder()
    const file = readFileSync(join(folder, '../formats/compound.h5ad'))
    const heap = file.indexOf('GCOL')
    let at = heap + 16
    while (file.readUInt16LE(at) !== 0) at += 16 + Math.ceil(Number(file.readBigUInt64LE(at + 8)) / 8) * 8
    expect(file.readBigUInt64LE(at + 8)).toBe(BigInt(heap + 4096 - at))
    file.writeBigUInt64LE(BigInt(bytes), at + 8)
    writeFileSync(join(place.path, 'bad.h5ad'), file)
    expect(await outcome(join(place.path, 'bad.h5ad'))).toBe('BadInput HDF5_DAMAGED')
  })
})

describe('behind the guard', () => {
  let descriptor = -1
  beforeAll(() => {
    descriptor = openSync(fixture('external-storage'), 'r')
  })
  afterAll(() => closeSync(descriptor))

  it('the library itself cannot reach a host file that the data claim to lie in', async () => {
    expect(readFileSync('/etc/passwd').length).toBeGreaterThan(9)
    const opened = await openWasmFile(
      { readInto: (target, offset) => void readSync(descriptor, target, 0, target.length, offset) },
      statSync(fixture('external-storage')).size,
    )
    const { module, file } = opened
    const pointer = module._malloc(9)
    module.HEAPU8.fill(7, pointer, pointer + 9)
    expect(() => module.get_dataset_data(file, '/X', null, null, null, BigInt(pointer))).toThrow()
    expect([...module.HEAPU8.subarray(pointer, pointer + 9)]).toEqual(new Array(9).fill(7))
  })
})

describe('a file cut short or changed while it is read', () => {
  let place: string
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'celldrop-test-'))
  })
  afterAll(() => rm(place, { recursive: true }))

  it('is refused as truncated at every length, without a crash', async () => {
    const bytes = readFileSync(fixture('soft-loop'))
    for (let length = 0; length < bytes.length; length += 1237) {
      const path = join(place, `cut-${length}.h5ad`)
      writeFileSync(path, bytes.subarray(0, length))
      const expected = length < 8 ? 'FORMAT_UNKNOWN' : length < 48 ? 'HDF5_NOT' : 'HDF5_TRUNCATED'
      expect(await outcome(path)).toBe(`BadInput ${expected}`)
    }
  })

  it('leaves a good file readable after any number of bad ones', async () => {
    const path = join(place, 'good.h5ad')
    const bytes = readFileSync(fixture('code-outside'))
    writeFileSync(path, bytes)
    await outcome(path)
    const file = await openCells(fixture('indptr-falls'))
    expect((await gatherFacts(file)).nObs).toBe(3)
    await file.close()
  })
})
