/** Real files as queries: as far as MapGenes, and along the whole road with a look at everything that comes out. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { RoadState } from '../../lib/job/road.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import type { GeneMaps, InputFacts } from '../../lib/workflows/workflow.ts'
import type { Installation } from './installation.ts'
import { numbersOf, textsOf } from './read-h5ad.ts'
import type { RealModel } from './real-models.ts'
import { taken } from './real-queries.ts'
import { filesUnder, runRoadOf } from './road-run.ts'
import { sharedPath } from './shared.ts'
import { jobFile, readObject, walk } from './walk.ts'

/** Puts a file or folder of ../shared/data into the inbox, with a job file beside it. */
export async function uploadReal(lab: Installation, name: string, model: RealModel): Promise<RoadState> {
  const path = sharedPath('data', name)
  const folder = `jobs/${name.replace(/\W+/g, '-')}-${model}`
  const query = basename(path)
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' }).map((inside) => join(query, inside))
    : [query]
  for (const file of files) {
    const source = join(path, '..', file)
    if (statSync(source).isFile()) await lab.stores.inbox.write(`${folder}/${file}`, readFileSync(source))
  }
  return lab.upload(`${folder}/job.json`, jobFile({ query, model }))
}

/** @returns in the words of real-queries.ts */
export async function outcomeOf(lab: Installation, name: string, model: RealModel): Promise<string> {
  try {
    const state = await walk(await uploadReal(lab, name, model), lab.environment, 'MapGenes')
    const { counts } = await readObject<InputFacts>(lab, state.facts![0]!.key)
    const { found } = (await readObject<GeneMaps>(lab, state.genes!.key)).plans.query!
    return `${counts.matrix} ${counts.from} ${found}`
  } catch (error) {
    if (error instanceof Error && error.name === 'BadInput' && 'code' in error) return String(error.code)
    throw error
  }
}

/** Tables of genes change from year to year: some genes more or less are no matter. */
export function expectOutcome(found: string, expected: string): void {
  const [is, should] = [taken(found), taken(expected)]
  if (is === undefined || should === undefined) {
    expect(found).toBe(expected)
    return
  }
  expect([is.matrix, is.from]).toEqual([should.matrix, should.from])
  expect(Math.abs(is.found - should.found)).toBeLessThanOrEqual(2 + 0.02 * should.found)
}

/** Annotates a file along the whole road and looks at all that came out. */
export async function expectAnnotated(lab: Installation, name: string, model: RealModel): Promise<void> {
  const { start } = await uploadReal(lab, name, model)
  await runRoadOf(lab, start)
  const files = await filesUnder(lab.stores.outbox, start.output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  for (const output of Object.values(result.outputs)) expect(files.get(output)?.length).toBeGreaterThan(0)
  const [before, after] = [
    await openCells(sharedPath('data', name)),
    (await openCells(join(lab.folder.path, 'outbox', start.output, result.outputs.h5ad!))) as AnnDataFile,
  ]
  try {
    const [was, is] = [await before.obs(), await after.obs()]
    expect(is.index).toEqual(was.index)
    for (const [column, values] of was.columns) expect(is.columns.get(column), column).toEqual(values)
    const predicted = textsOf(is.columns.get('cxg_cell_type_predicted'))
    expect(predicted.every((label) => label !== undefined && label !== '')).toBe(true)
    const lines = files.get('predictions.csv')!.toString().trimEnd().split('\n')
    expect(lines).toHaveLength(was.rows + 1)
    for (const value of numbersOf(is.columns.get('cxg_cell_type_predicted_uncertainty'))) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
    }
    const map = (await after.mapping('obsm')).get('X_cxg_cell_type_umap')
    const isDrawn = map?.kind === 'array' && Array.from(map.values as Float32Array).every(Number.isFinite)
    expect(isDrawn || result.notices.some(({ code }) => code === 'MAP_NOT_MADE')).toBe(true)
    await expectSameMatrices(before, after)
  } finally {
    await before.close()
    await after.close()
  }
}

async function expectSameMatrices(
  before: Awaited<ReturnType<typeof openCells>>,
  after: AnnDataFile,
): Promise<void> {
  for (const matrix of before.matrices) {
    const [was, is] = [await before.matrix(matrix), await after.matrix(matrix)]
    expect([is.rows, is.columns, is.stored]).toEqual([was.rows, was.columns, was.stored])
    const others = is.slabs()[Symbol.asyncIterator]()
    for await (const slab of was.slabs()) {
      const other = (await others.next()).value
      expect(
        Buffer.from(slab.indices.buffer, slab.indices.byteOffset, slab.indices.byteLength).equals(
          Buffer.from(other.indices.buffer, other.indices.byteOffset, other.indices.byteLength),
        ),
      ).toBe(true)
      expect(Array.from(slab.values).every((value, i) => Object.is(value, other.values[i]))).toBe(true)
    }
  }
}
