/**
 * Twins and bounds: a look at the counts of a file in a store costs a bounded number of bytes, however large the file and
 * however it is stored, and tells the same as a look at the file on disk.
 */

import { readFileSync, statSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { encoding } from '../../lib/data/h5ad-arrays.ts'
import type { MatrixToWrite } from '../../lib/data/h5ad-matrix.ts'
import { writeTable } from '../../lib/data/h5ad-table.ts'
import { createHdf5 } from '../../lib/data/hdf5/write/create.ts'
import { openCells, openStored } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { random } from '../../lib/job/random.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import { detectCounts } from '../../lib/prep/counts-state.ts'
import { tableOf } from '../support/cells-to-write.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const cells = 10_000
const genes = 4_000
const perCell = 1_000

/** Counts, or what `value` makes of them; 10 million entries, 80 MB. */
function large(value: (count: number, row: number) => number): MatrixToWrite {
  const generator = random(11)
  const some = Float32Array.from({ length: 997 }, () => generator.integer(9) + 1)
  return {
    rows: cells,
    columns: genes,
    type: 'float32',
    stored: cells * perCell,
    async *slabs() {
      const rows = 500
      for (let start = 0; start < cells; start += rows) {
        const indptr = Int32Array.from({ length: rows + 1 }, (_, row) => row * perCell)
        const indices = Int32Array.from({ length: rows * perCell }, (_, i) => (i % perCell) * 4 + (i % 3))
        const values = Float32Array.from(indices, (_, i) =>
          value(some[i % 997]!, start + Math.floor(i / perCell)),
        )
        yield { start, rows, columns: genes, indptr, indices, values } satisfies RowSlab
      }
    },
  }
}

const obs = tableOf(cells, { prefix: 'cell' })
const genesTable = tableOf(genes, { prefix: 'gene' })

/** The cells-by-genes matrix whose columns, one after another, are the rows of `columns`. */
async function writeCsc(path: string, columns: MatrixToWrite): Promise<void> {
  const writer = await createHdf5(path)
  const shape = BigInt64Array.of(BigInt(columns.columns), BigInt(columns.rows))
  writer.group('/', encoding('anndata', '0.1.0'))
  await writeTable(writer, '/obs', { table: tableOf(columns.columns, { prefix: 'cell' }) })
  await writeTable(writer, '/var', { table: tableOf(columns.rows, { prefix: 'gene' }) })
  writer.group('/X', { shape: { type: 'int64', values: shape }, ...encoding('csc_matrix', '0.1.0') })
  const data = writer.stream('/X/data', { type: 'float32' })
  const indices = writer.stream('/X/indices', { type: 'int32' })
  const indptr = writer.stream('/X/indptr', { type: 'int32' })
  await indptr.append(Int32Array.of(0))
  let stored = 0
  for await (const slab of columns.slabs()) {
    await data.append(slab.values)
    await indices.append(slab.indices)
    await indptr.append(Int32Array.from(slab.indptr.subarray(1), (end) => stored + end))
    stored += slab.indices.length
  }
  for (const stream of [data, indices, indptr]) await stream.close()
  await writer.close()
}

describe('a look at the counts of a large file', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    const counts = large((count) => count)
    await writeH5ad(at('counts.h5ad'), { x: counts, obs, var: genesTable })
    const layers = new Map([['counts', counts]])
    await writeH5ad(
      at('packed.h5ad'),
      { x: large((count) => Math.log1p(count / 2)), layers, obs, var: genesTable },
      { gzip: 1 },
    )
    // as often happens, one part of the file is not like the other
    await writeH5ad(at('mixed.h5ad'), {
      x: large((count, row) => (row < 6_000 ? count : count / 3)),
      obs,
      var: genesTable,
    })
    await writeH5ad(at('dense.h5ad'), { x: { ...counts, layout: 'dense' }, obs, var: genesTable })
    await writeCsc(at('counts-csc.h5ad'), counts)
    await writeCsc(
      at('logs-csc.h5ad'),
      large((count) => Math.log1p(count / 8)),
    )
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  async function look(name: string, { bytes, mostBytes }: { bytes: number; mostBytes?: number }) {
    const store = await openFolderStore(folder.path)
    const file = await openStored(store, name, { budget: { requests: 300, bytes } })
    try {
      return await detectCounts(file, { seed: 1, ...(mostBytes !== undefined && { mostBytes }) })
    } finally {
      await file.close()
    }
  }

  it('takes a part of it, and less where less is allowed', async () => {
    const size = statSync(join(folder.path, 'counts.h5ad')).size
    expect(size).toBeGreaterThan(80e6)
    const found = await look('counts.h5ad', { bytes: 32e6 })
    expect(found).toMatchObject({
      rawCounts: { found: true, where: 'X', integerShare: 1 },
      normalisation: { state: 'raw', min: 0, max: 9 },
      checked: [{ rows: 1000 }],
      notices: [],
    })
    const less = await look('counts.h5ad', { bytes: 12e6, mostBytes: 6e6 })
    expect(less.rawCounts).toEqual(found.rawCounts)
    expect(less.checked[0]!.rows).toBeLessThan(500)
  })

  it('takes little of packed files with several matrices', async () => {
    const found = await look('packed.h5ad', { bytes: 32e6 })
    expect(found).toMatchObject({
      rawCounts: { found: true, where: 'layers/counts' },
      normalisation: { state: 'log1p_other' },
    })
    // every cell has the sum of count / 2 over the same thousand entries, or nearly so
    expect(found.normalisation.targetSum).toBeGreaterThan(2000)
    expect(found.normalisation.targetSum).toBeLessThan(3000)
  })

  it('tells what the first rows do not', async () => {
    expect((await look('mixed.h5ad', { bytes: 32e6 })).rawCounts).toMatchObject({ found: false, where: null })
  })

  it('takes as little of a dense one', async () => {
    const found = await look('dense.h5ad', { bytes: 40e6 })
    expect(found).toMatchObject({ rawCounts: { found: true, where: 'X' }, checked: [{ rows: 1000 }] })
  })

  it('knows counts that are stored by genes by their values', async () => {
    const found = await look('counts-csc.h5ad', { bytes: 48e6 })
    expect(found).toMatchObject({
      rawCounts: { found: true, where: 'X', integerShare: 1 },
      checked: [{ state: 'raw', rows: 0 }],
      notices: [],
    })
    // a quarter of the entries are stored: the mean is over all of them
    expect(found.normalisation.mean).toBeGreaterThan(1)
    expect(found.normalisation.mean).toBeLessThan(1.5)
  })

  it('says that it cannot know the logs of one that is stored by genes, until it may be read whole', async () => {
    const found = await look('logs-csc.h5ad', { bytes: 48e6 })
    expect(found).toMatchObject({
      rawCounts: { found: false, where: null },
      normalisation: { state: 'unknown', targetSum: null },
      notices: [{ code: 'COUNTS_NOT_SAMPLED', problem: expect.stringContaining('gene by gene') }],
    })
    const whole = await openCells(join(folder.path, 'logs-csc.h5ad'))
    const known = await detectCounts(whole, { seed: 1, mostBytes: 2 ** 30 })
    await whole.close()
    expect(known).toMatchObject({ normalisation: { state: 'log1p_other' }, notices: [] })
    expect(known.checked[0]!.rows).toBe(genes)
  })

  it('is not taken where one chunk costs more than is allowed, and a notice says so', async () => {
    const found = await look('counts.h5ad', { bytes: 4e6, mostBytes: 1e6 })
    expect(found).toMatchObject({
      rawCounts: { found: false },
      normalisation: { state: 'unknown', max: null },
      notices: [{ code: 'COUNTS_NOT_SAMPLED', problem: expect.stringContaining('one chunk') }],
    })
  })
})

describe('a file in a store', () => {
  const fixtures = resolve(import.meta.dirname, '../fixtures/formats')
  const names = ['latest.h5ad', 'compound.h5ad', 'references.h5ad', 'tenx.h5']
  let folder: TemporaryFolder
  let double: S3Double
  beforeAll(async () => {
    folder = await temporaryFolder()
    double = await startS3Double()
    double.addBucket('cells')
  })
  afterAll(async () => {
    await double[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it.each(names)('%s shows the same counts from disk, from a folder store and from S3', async (name) => {
    const path = join(fixtures, name)
    await copyFile(path, join(folder.path, name))
    const s3 = openS3Store({ bucket: 'cells', client: double.client() })
    await s3.write(name, readFileSync(path))
    const budget = { requests: 60, bytes: 5e6 }
    const places = [
      await openCells(path),
      await openStored(await openFolderStore(folder.path), name, { budget }),
      await openStored(s3, name, { budget }),
    ]
    const [disk, ...others] = await Promise.all(places.map((file) => detectCounts(file, { seed: 1 })))
    for (const file of places) await file.close()
    expect(disk!.checked.length).toBeGreaterThan(0)
    for (const other of others) expect(other).toEqual(disk)
  })
})
