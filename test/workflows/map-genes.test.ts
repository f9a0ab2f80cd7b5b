/** Contract: genes of the query find those of the model under whatever name they go, and too few of them are an error. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
import type { GenePlan } from '../../lib/knowledge/gene-plan.ts'
import { mapGenes } from '../../lib/workflows/road/map-genes.ts'
import type { GeneMaps } from '../../lib/workflows/workflow.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
  toyGenes,
} from '../support/installation.ts'
import { saveSimulatedModel, simulateCells, simulatedGenes } from '../support/simulated-cells.ts'
import { jobFile, readObject, walk } from '../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await saveToyModel(lab.stores)
  await saveSimulatedModel(lab.stores)
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

let count = 0
async function planned(cells: AnnDataToWrite, settings: Record<string, unknown> = {}): Promise<GenePlan> {
  const name = `job-${count++}`
  await lab.upload(`jobs/${name}/q.h5ad`, cells)
  const start = await lab.upload(
    `jobs/${name}/job.json`,
    jobFile({ query: 'q.h5ad', model: 'toy', ...settings }),
  )
  const { genes } = await walk(start, lab.environment, 'MapGenes')
  return (await readObject<GeneMaps>(lab, genes!.key)).plans.query!
}

const named = (genes: readonly string[]) => cellsOf(toyCounts, { genes })
const codes = ({ notices }: { notices: ErrorReport[] }) => notices.map(({ code }) => code)
const refusal = (cells: AnnDataToWrite, settings: Record<string, unknown> = {}) =>
  planned(cells, settings).catch((error: unknown) => error)

/** CD3D, MS4A1, LYZ and ACTB, as 10x and CELLxGENE write them */
const ids = ['ENSG00000167286.10', 'ENSG00000156738.18', 'ENSG00000090382', 'ENSG00000075624.17']

describe('MapGenes', () => {
  it('matches equal names gene by gene, in whatever order they come', async () => {
    expect(await planned(named(['LYZ', 'ACTB', 'CD3D', 'MS4A1']))).toMatchObject({
      column: null,
      idType: 'symbol',
      species: 'Homo sapiens',
      target: [2, 3, 0, 1],
      found: 4,
      share: 1,
      missing: [],
      notices: [],
    })
  })

  it('finds the symbols of a model for Ensembl ids with versions, and says so', async () => {
    const plan = await planned(named(ids))
    expect(plan).toMatchObject({ idType: 'ensembl', target: [0, 1, 2, 3], found: 4 })
    expect(codes(plan)).toContain('GENES_TRANSLATED')
  })

  it('takes the column of var that fits where the index does not', async () => {
    const cells = named(['g1', 'g2', 'g3', 'g4'])
    cells.var.columns.set('feature_name', { kind: 'string', values: [...toyGenes] })
    cells.var.columns.set('gene_id', { kind: 'string', values: ['a', 'b', 'c', 'd'] })
    const plan = await planned(cells)
    expect(plan).toMatchObject({ column: 'feature_name', target: [0, 1, 2, 3] })
    expect(codes(plan)).toContain('GENE_COLUMN_GUESSED')
  })

  it('takes the column that the job names, and refuses one that is not there', async () => {
    const cells = named(toyGenes)
    cells.var.columns.set('other', { kind: 'string', values: ['MS4A1', 'CD3D', 'x', 'y'] })
    expect(await planned(cells, { gene_column: 'other', min_genes: 1 })).toMatchObject({
      column: 'other',
      target: [1, 0, -1, -1],
    })
    expect(await refusal(cells, { gene_column: 'symbol' })).toMatchObject({
      name: 'BadInput',
      code: 'GENE_COLUMN_MISSING',
      remedy: expect.stringContaining('other'),
    })
  })

  it('adds genes of one name together, and says so', async () => {
    const plan = await planned(named(['CD3D', 'LYZ', 'LYZ', 'ACTB']))
    expect(plan).toMatchObject({ target: [0, 2, 2, 3], found: 3, summed: 1, missing: ['MS4A1'] })
    expect(codes(plan)).toContain('GENES_SUMMED')
  })

  it('finds the human genes of mouse cells, and says so', async () => {
    const plan = await planned(named(['Cd3d', 'Ms4a1', 'Lyz2', 'Actb']))
    expect(plan.found).toBeGreaterThanOrEqual(3)
    expect(plan).toMatchObject({ species: 'Mus musculus' })
    expect(codes(plan)).toContain('GENES_OTHER_SPECIES')
  })

  it('takes equal names alone where the job says so', async () => {
    const mixed = named(['CD3D', 'CD20', 'LYZ', 'ENSG00000075624.17'])
    expect((await planned(mixed)).found).toBe(4)
    expect(await planned(mixed, { gene_matching: 'exact', min_genes: 1 })).toMatchObject({
      target: [0, -1, 2, -1],
      found: 2,
    })
  })

  it('says how many genes of the model are missing below the share that the job wants', async () => {
    const cells = named(['CD3D', 'MS4A1', 'LYZ', 'GAPDH'])
    expect(codes(await planned(cells, { min_gene_fraction: 0.7 }))).not.toContain('GENES_LOW_OVERLAP')
    const [notice] = (await planned(cells, { min_gene_fraction: 0.9 })).notices
    expect(notice).toMatchObject({ code: 'GENES_LOW_OVERLAP', problem: expect.stringMatching(/3 of the 4/) })
  })

  it('refuses a file without a gene of the model, and says what was seen', async () => {
    expect(await refusal(named(['chr1_1_500', 'chr1_501_900', 'chr2_1_500', 'chr3_1_500']))).toMatchObject({
      name: 'BadInput',
      code: 'GENES_NO_OVERLAP',
      place: expect.stringContaining('q.h5ad:/var'),
      problem: expect.stringContaining('none of the 4 genes'),
      remedy: expect.stringContaining('gene column'),
    })
  })

  it('refuses too few genes, and takes them where fewer are asked for', async () => {
    const { counts } = simulateCells(2, 30)
    const few = cellsOf(
      counts.map((row) => row.slice(0, 20)),
      { genes: simulatedGenes.slice(0, 20) },
    )
    expect(await refusal(few, { model: 'blood' })).toMatchObject({
      code: 'GENES_TOO_FEW',
      problem: expect.stringContaining('only 20 of the'),
    })
    expect(await planned(few, { model: 'blood', min_genes: 20 })).toMatchObject({ found: 20 })
  })

  it('does its work once', async () => {
    await lab.upload('jobs/once/q.h5ad', named(toyGenes))
    const start = await lab.upload('jobs/once/job.json', jobFile({ query: 'q.h5ad', model: 'toy' }))
    const before = await walk(start, lab.environment, 'InspectInput')
    const first = await mapGenes(before, lab.environment)
    const written = await lab.stores.work.head(first.genes!.key)
    expect(await mapGenes(before, lab.environment)).toEqual(first)
    expect(await lab.stores.work.head(first.genes!.key)).toEqual(written)
  })
})
