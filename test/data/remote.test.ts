/** Twins: a file gives the same from disk, from a folder store and from S3, by ranges; and pinned, while others write. */
import { readdirSync, readFileSync } from 'node:fs'
import { copyFile, cp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CellFile } from '../../lib/data/cells.ts'
import { gatherFacts } from '../../lib/data/facts.ts'
import { openCells, openStored } from '../../lib/data/open-cells.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')
const files = ['latest.h5ad', 'compound.h5ad', 'references.h5ad']

async function content(file: CellFile): Promise<object> {
  const { place: _, ...facts } = await gatherFacts(file)
  const sums: Record<string, number> = {}
  for (const name of file.matrices) {
    let sum = 0
    for await (const { values, indices } of (await file.matrix(name)).slabs({ slabBytes: 5000 })) {
      for (let i = 0; i < values.length; i++) sum += values[i]! * (indices[i]! + 1)
    }
    sums[name] = sum
  }
  await file.close()
  return { facts, sums }
}

describe('a file in a store', () => {
  let folder: TemporaryFolder
  let double: S3Double
  let s3: ObjectStore
  beforeAll(async () => {
    folder = await temporaryFolder()
    double = await startS3Double()
    double.addBucket('cells')
    s3 = openS3Store({ bucket: 'cells', client: double.client() })
    for (const name of files) {
      await copyFile(join(fixtures, name), join(folder.path, name))
      await s3.write(`in/${name}`, readFileSync(join(fixtures, name)))
    }
  })
  afterAll(async () => {
    await double[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it.each(files)('%s gives the same from disk, from a folder store and from S3', async (name) => {
    const fromDisk = await content(await openCells(join(fixtures, name)))
    const fromFolder = await content(await openStored(await openFolderStore(folder.path), name))
    double.calls.length = 0
    const fromS3 = await content(await openStored(s3, `in/${name}`))
    expect(fromFolder).toEqual(fromDisk)
    expect(fromS3).toEqual(fromDisk)
    expect(double.calls.every((call) => /^(HEAD|GET) cells\/in\//.test(call))).toBe(true)
  })

  it.runIf(hasShared)(
    'fails rather than mix two contents when it is overwritten while it is read',
    async () => {
      const bytes = readFileSync(sharedPath('data/kang_ifnb/kang_ctrl.h5ad'))
      await s3.write('in/changing.h5ad', bytes)
      const file = await openStored(s3, 'in/changing.h5ad')
      const x = await file.matrix('X')
      double.put('cells', 'in/changing.h5ad', 'something else')
      const readAll = async (): Promise<void> => {
        for await (const _ of x.slabs());
      }
      await expect(readAll()).rejects.toMatchObject({ name: 'StoreFailure', code: 'OBJECT_CHANGED' })
      await file.close()
    },
  )

  it('is read within a budget of requests and bytes, and refused beyond it', async () => {
    const facts = await gatherFacts(
      await openStored(s3, 'in/latest.h5ad', { budget: { requests: 3, bytes: 1e6 } }),
    )
    expect(facts.nObs).toBe(40)
    const tight = openStored(s3, 'in/latest.h5ad', { budget: { requests: 1, bytes: 1e6 } })
    await expect(tight.then(gatherFacts)).rejects.toMatchObject({ name: 'BadInput', code: 'READ_BUDGET' })
  })

  it('is refused with its key when it is not there', async () => {
    await expect(openStored(s3, 'in/none.h5ad')).rejects.toMatchObject({ code: 'FILE_MISSING' })
  })

  it.runIf(hasShared)('may be a folder of MTX files or a zarr, too', async () => {
    for (const [name, path] of [
      ['mtx', 'data/tenx/v3_mtx'],
      ['cells.zarr', 'data/zarr/10x-10k-subset.zarr'],
    ] as const) {
      const source = sharedPath(path)
      await cp(source, join(folder.path, name), { recursive: true })
      for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue
        const at = join(entry.parentPath, entry.name)
        await s3.write(`in/${name}/${at.slice(source.length + 1)}`, readFileSync(at))
      }
      const fromDisk = await content(await openCells(source))
      expect(await content(await openStored(await openFolderStore(folder.path), name))).toEqual(fromDisk)
      expect(await content(await openStored(s3, `in/${name}`))).toEqual(fromDisk)
    }
  })
})
