import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addToCells } from '../../lib/data/add-to-cells.ts'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Column } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { readWhole } from '../support/read-whole.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures')
const cells = 40

const label: Column = {
  kind: 'categorical',
  codes: Int32Array.from({ length: cells }, (_, i) => (i % 4) - 1),
  categories: { kind: 'string', values: ['B cell', 'T cell', 'NK & <cell>'] },
  ordered: true,
}
const sure: Column = { kind: 'boolean', values: Uint8Array.from({ length: cells }, (_, i) => i % 2) }
const umap = {
  kind: 'array' as const,
  type: 'float32' as const,
  shape: [cells, 2],
  values: Float32Array.from({ length: 2 * cells }, Math.sqrt),
}
const additions = {
  obs: new Map<string, Column>([
    ['label', label],
    ['sure', sure],
  ]),
  obsm: new Map([['X_new_umap', umap]]),
  uns: { made: { by: 'a test', seed: 7 } },
}

describe('a copy with additions', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.each(['latest.h5ad', 'compound.h5ad', 'references.h5ad', 'tenx.h5'])(
    'of %s has nothing left of an earlier run that the new one does not write',
    async (name) => {
      const [once, twice] = ['once', 'twice'].map((run) => join(folder.path, `${run}-${name}.h5ad`)) as [
        string,
        string,
      ]
      await addToCells(join(fixtures, 'formats', name), once, additions)
      const without = {
        obs: ['label', 'sure', 'absent'],
        obsm: ['X_new_umap', 'absent'],
        obsp: ['absent'],
        uns: ['made'],
      }
      await addToCells(once, twice, { obs: new Map([['label', label]]), without })
      const [before, after] = [
        await openCells(join(fixtures, 'formats', name)),
        (await openCells(twice)) as AnnDataFile,
      ]
      const names = [...(await before.obs()).columns.keys()].filter(
        (column) => column !== 'label' && column !== 'sure',
      )
      expect([...(await after.obs()).columns.keys()].sort()).toEqual([...names, 'label'].sort())
      expect([...(await after.mapping('obsm')).keys()]).not.toContain('X_new_umap')
      await expect(after.unstructured('made')).rejects.toMatchObject({ code: 'ELEMENT_MISSING' })
      expect(await readWhole(twice)).toEqual(await readWhole(once))
      await before.close()
      await after.close()
    },
  )

  it('of a file that is no h5ad leaves out the same', async () => {
    const target = join(folder.path, 'tenx-without.h5ad')
    await addToCells(join(fixtures, 'formats', 'tenx.h5'), target, {
      without: { obs: ['absent'], uns: ['absent'] },
    })
    expect(await readWhole(target)).toEqual(await readWhole(join(fixtures, 'formats', 'tenx.h5')))
  })

  it.each(['latest.h5ad', 'compound.h5ad', 'references.h5ad', 'tenx.h5'])(
    'of %s holds everything that was there and everything that was added',
    async (name) => {
      const source = join(fixtures, 'formats', name)
      const bytes = readFileSync(source)
      const target = join(folder.path, `${name}.h5ad`)
      expect(await addToCells(source, target, additions)).toEqual({ leftOut: [] })
      expect(readFileSync(source).equals(bytes)).toBe(true)
      expect(await readWhole(target)).toEqual(await readWhole(source))
      const [before, after] = [await openCells(source), (await openCells(target)) as AnnDataFile]
      const [old, obs] = [await before.obs(), await after.obs()]
      expect(obs.index).toEqual(old.index)
      for (const [column, values] of old.columns)
        if (column !== 'label') expect(obs.columns.get(column)).toEqual(values)
      expect(obs.columns.get('label')).toEqual(label)
      expect(obs.columns.get('sure')).toEqual(sure)
      expect((await after.mapping('obsm')).get('X_new_umap')).toEqual(umap)
      expect(await after.unstructured('made')).toMatchObject({ kind: 'dict' })
      await before.close()
      await after.close()
    },
  )

  it('leaves every byte of an h5ad where it was, but for the head of the file', async () => {
    const source = join(fixtures, 'formats', 'references.h5ad')
    const target = join(folder.path, 'bytes.h5ad')
    await addToCells(source, target, { obsm: additions.obsm })
    const [before, after] = [readFileSync(source), readFileSync(target)]
    expect(after.length).toBeGreaterThan(before.length)
    expect(after.subarray(96, before.length).equals(before.subarray(96))).toBe(true)
  })

  it('can be added to again, and replaces what has the same name', async () => {
    const first = join(folder.path, 'first.h5ad')
    const second = join(folder.path, 'second.h5ad')
    await addToCells(join(fixtures, 'formats', 'latest.h5ad'), first, additions)
    const other: Column = {
      kind: 'number',
      type: 'float64',
      values: Float64Array.from({ length: cells }, Math.sin),
    }
    await addToCells(first, second, { obs: new Map([['label', other]]) })
    const file = await openCells(second)
    const obs = await file.obs()
    expect(obs.columns.get('label')).toEqual(other)
    expect(obs.columns.get('sure')).toEqual(sure)
    await file.close()
  })

  it.each([
    ['hostile/external-link.h5ad', additions, 'HDF5_POINTS_OUTSIDE'],
    [
      'formats/latest.h5ad',
      { obs: new Map([['short', { kind: 'boolean', values: new Uint8Array(3) } as Column]]) },
      'ADDITION_SHAPE',
    ],
    ['formats/latest.h5ad', { obs: new Map([['a/b', sure]]) }, 'KEY_UNSUPPORTED'],
    ['formats/latest.h5ad', { obsm: new Map([['..', umap]]) }, 'KEY_UNSUPPORTED'],
  ])('of %s is refused as a whole when a part is wrong (%#)', async (name, wrong, code) => {
    const target = join(folder.path, `refused-${code}.h5ad`)
    await expect(addToCells(join(fixtures, name), target, wrong)).rejects.toMatchObject({
      name: 'BadInput',
      code,
    })
    expect(existsSync(target)).toBe(false)
  })
})
