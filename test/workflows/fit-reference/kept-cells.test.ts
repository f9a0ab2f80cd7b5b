/** Contract: the cells that `fit-reference` keeps in its model: those that were learnt from or held out, where the final model places them, with their labels. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column } from '../../../lib/data/cells.ts'
import { loadNetworkCard, loadReferenceCells } from '../../../lib/models/bundle.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, textsOf } from '../../support/read-h5ad.ts'
import { walk } from '../../support/walk.ts'
import { atlasOf, fitted, type Made, refusal, simulatedParts, texts, uploadAtlas } from './atlas.ts'

const cells = 120
const parts = simulatedParts(4, cells)
const types = parts.types.map((type, cell) => (cell % 7 === 0 ? 'Unknown' : cell % 7 === 3 ? '' : type))
/** without a batch: it takes no part */
const batches = parts.batches.map((batch, cell) => (cell === 6 ? '' : batch))
const lineages = types.map((type, cell) =>
  cell % 5 === 0 ? '' : type === 'monocyte' ? '__proto__' : 'Unknown',
)
const isTreated: Column = {
  kind: 'boolean',
  values: Uint8Array.from(types, (_, cell) => Number(cell % 3 === 0)),
}
const isOfNone = types.map((_, cell) => (cell === 6 ? 'only here' : ''))
const taking = Array.from(types.keys()).filter((cell) => cell !== 6)

const atlas = atlasOf(
  { ...parts, types, batches },
  {
    lineage: texts(lineages),
    treated: isTreated,
    of_none: texts(isOfNone),
    age: { kind: 'number', type: 'float64', values: Float64Array.from(types, (_, cell) => cell) },
  },
)
const short = { max_epochs: 4, scanvi_epochs: 3, umap: false, min_counts: 0 }

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

const labelsOf = ({ categories, codes }: { categories: readonly string[]; codes: Int32Array }) =>
  Array.from(codes, (code) => (code < 0 ? '' : categories[code]))

async function placesIn({ file }: Made, name: string): Promise<number[]> {
  const places = arrayOf(await file.mapping('obsm'), name, [cells, 4])
  return taking.flatMap((cell) => places.slice(4 * cell, 4 * cell + 4))
}

const furthest = (ours: ArrayLike<number>, theirs: number[]) =>
  theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0)

describe('the model of a reference with labels', () => {
  let made: Made
  beforeAll(async () => {
    const settings = { ...short, name: 'kept', transfer_columns: ['lineage', 'of_none', 'treated', 'sample'] }
    made = await fitted(lab, await uploadAtlas(lab, atlas, settings))
  })
  afterAll(() => made?.file.close())

  it('keeps every cell that took part where it ends up placing it', async () => {
    const kept = await loadReferenceCells(lab.stores.models, 'kept')
    const use = textsOf((await made.file.obs()).columns.get('scanvi_use'))
    expect(use.flatMap((one, cell) => (one === 'learnt from' || one === 'held out' ? [cell] : []))).toEqual(
      taking,
    )
    expect(kept.cells).toBe(taking.length)
    expect(kept.latent.length).toBe(4 * taking.length)
    expect(furthest(kept.latent, await placesIn(made, 'X_scANVI'))).toBeLessThan(1e-6)
  })

  it('keeps what it was taught first, without the cells that it was not, and then the other columns', async () => {
    const { columns } = await loadReferenceCells(lab.stores.models, 'kept')
    expect(columns.map(({ column }) => column)).toEqual(['type', 'lineage', 'treated', 'sample'])
    const of = (column: string) => labelsOf(columns.find((one) => one.column === column)!)
    const taught = (cell: number) => (types[cell] === 'Unknown' ? '' : types[cell])
    expect(of('type')).toEqual(taking.map(taught))
    expect(columns[0]!.categories).toEqual(['B cell', 'T cell', 'natural killer cell', 'monocyte'])
    // what label_column means by "Unknown" is a label like any other elsewhere
    expect(of('lineage')).toEqual(taking.map((cell) => lineages[cell]))
    expect(of('treated')).toEqual(taking.map((cell) => (cell % 3 === 0 ? 'True' : 'False')))
    expect(of('sample')).toEqual(taking.map((cell) => batches[cell]))
  })

  it('says so in its card, on the page and to programs, and which column had no label to keep', async () => {
    const { reference } = await loadNetworkCard(lab.stores.models, 'kept')
    expect(reference).toMatchObject({ cells: 119, columns: [{ column: 'type' }, {}, {}, {}] })
    expect(made.result.summary.referenceCells).toEqual({
      cells: 119,
      columns: ['type', 'lineage', 'treated', 'sample'],
    })
    expect(made.files.get('report.html')!.toString()).toContain('119 cells stay with the model')
    expect(made.result.notices).toContainEqual(
      expect.objectContaining({ code: 'COLUMN_EMPTY', place: expect.stringContaining('of_none') }),
    )
  })
})

describe('the model of a reference', () => {
  it('without labels keeps its cells and the columns that it is told of', async () => {
    const settings = { ...short, name: 'plain', label_column: undefined, transfer_columns: ['type'] }
    const made = await fitted(lab, await uploadAtlas(lab, atlas, settings))
    try {
      const kept = await loadReferenceCells(lab.stores.models, 'plain')
      expect(kept.columns.map(labelsOf)).toEqual([taking.map((cell) => types[cell])])
      expect(furthest(kept.latent, await placesIn(made, 'X_scVI'))).toBeLessThan(1e-6)
    } finally {
      await made.file.close()
    }
  })

  it('keeps none where none are wanted, and says so', async () => {
    const settings = { ...short, name: 'bare', keep_cells: false }
    const made = await fitted(lab, await uploadAtlas(lab, atlas, settings))
    await made.file.close()
    await expect(loadReferenceCells(lab.stores.models, 'bare')).rejects.toMatchObject({
      code: 'REFERENCE_CELLS_MISSING',
    })
    expect(made.result.summary.referenceCells).toBeNull()
    expect(made.files.get('report.html')!.toString()).toContain('None of these cells stay with the model')
  })
})

describe('columns to transfer', () => {
  const upTo = async (settings: Record<string, unknown>) =>
    walk(await uploadAtlas(lab, atlas, { ...short, ...settings }), lab.environment, 'InspectInput')

  it.each([
    ['that is not there', { transfer_columns: ['lineages'] }, 'COLUMN_MISSING', '"lineage"'],
    ['of numbers', { transfer_columns: ['age'] }, 'COLUMN_NUMBERS', 'age'],
    ['named twice', { transfer_columns: ['lineage', 'lineage'] }, 'SETTING_INVALID', '"lineage"'],
    ['that is label_column', { transfer_columns: ['type'] }, 'SETTING_INVALID', '"type"'],
    [
      'of cells that are not kept',
      { transfer_columns: ['lineage'], keep_cells: false },
      'SETTING_INVALID',
      'keep_cells',
    ],
  ])('a column %s is refused before a machine is started', async (_, settings, code, text) => {
    await expect(upTo(settings)).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
  })

  it('with more values than labels can have are refused before anything is learnt', async () => {
    const many = 10_001
    const rows = { ...simulatedRows(many), more: texts(Array.from({ length: many }, (_, i) => `cell ${i}`)) }
    const start = await uploadAtlas(lab, atlasOf(rows.parts, { barcode: rows.more }), {
      ...{ ...short, name: 'many', transfer_columns: ['barcode'] },
    })
    expect(await refusal(lab, start)).toMatchObject({ code: 'LABELS_TOO_MANY' })
  })
})

/** So many cells, of few different rows. */
function simulatedRows(many: number) {
  const few = simulatedParts(2, 40)
  const of = <Value>(values: readonly Value[]) => Array.from({ length: many }, (_, i) => values[i % 40]!)
  return { parts: { counts: of(few.counts), types: of(few.types), batches: of(few.batches) } }
}
