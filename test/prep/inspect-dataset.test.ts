/** Contract: what `celldrop inspect --json` and the state InspectInput tell of a file. */
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Column } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { inspectDataset } from '../../lib/prep/inspect-dataset.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { cellsInMemory, logged, poissonRows, type Rows } from './cells-in-memory.ts'

async function inspected(path: string) {
  const file = await openCells(path)
  try {
    return await inspectDataset(file, { seed: 0 })
  } finally {
    await file.close()
  }
}

/** A file whose genes have these names and columns. */
function named(rows: Rows, { index, columns = {} }: { index: string[]; columns?: Record<string, string[]> }) {
  const table = {
    rows: index.length,
    indexName: '_index',
    index,
    columns: new Map<string, Column>(
      Object.entries(columns).map(([name, values]) => [name, { kind: 'string', values }]),
    ),
  }
  return { ...cellsInMemory({ X: rows }), var: async () => table }
}

const counts = poissonRows(20, { columns: 4 })
const symbols = ['CD3D', 'MS4A1', 'LYZ', 'TP53']
const ensembl = ['ENSG00000167286.9', 'ENSG00000156738.18', 'ENSG00000090382.7', 'ENSG00000141510.17']
const look = (...[rows, genes]: Parameters<typeof named>) => inspectDataset(named(rows, genes), { seed: 0 })

describe('the inspection of a file', () => {
  it('has the keys that the design promises, plain states at the top', async () => {
    const found = await look(counts, { index: symbols })
    expect(found).toMatchObject({
      nObs: 20,
      nVars: 4,
      x: { encoding: 'csr', dtype: 'float64', nnz: expect.any(Number) },
      rawCounts: { found: true, where: 'X' },
      normalisation: 'raw',
      geneIds: 'symbol',
      species: 'Homo sapiens',
      obs: [],
      warnings: [],
      notices: [],
    })
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
  })

  it('gives details of the state: the target sum, the range, every matrix looked at', async () => {
    const { normalisation, normalisationDetails } = await look(logged(counts), { index: symbols })
    expect(normalisation).toBe('log1p_10k')
    expect(normalisationDetails.targetSum).toBeCloseTo(10_000, 3)
    expect(normalisationDetails.checked).toMatchObject([{ where: 'X', state: 'log1p_10k', rows: 20 }])
  })

  it('knows Ensembl ids with versions', async () => {
    const found = await look(counts, { index: ensembl })
    expect(found).toMatchObject({
      geneIds: 'ensembl',
      geneIdDetails: { column: null, versioned: true, share: 1 },
    })
  })

  it('finds gene names in a column where the index has none, and says so', async () => {
    const genes = {
      index: ['0', '1', '2', '3'],
      columns: { biotype: Array(4).fill('lncRNA'), feature_name: symbols },
    }
    const found = await look(counts, genes)
    expect(found).toMatchObject({ geneIds: 'symbol', geneIdDetails: { column: 'feature_name' } })
    expect(found.geneIdDetails.candidates.map(({ column }) => column)).toEqual([null, 'feature_name'])
    expect(found.notices.map(({ code }) => code)).toEqual(['GENE_IDS_IN_COLUMN'])
    expect(found.warnings).toEqual(found.notices.map(({ problem }) => problem))
  })

  it('keeps the index where it is known, whatever the columns hold', async () => {
    const found = await look(counts, {
      index: ['CD3D', 'MS4A1', 'LYZ', 'NOGENE7'],
      columns: { ids: ensembl },
    })
    expect(found).toMatchObject({ geneIds: 'symbol', geneIdDetails: { column: null, share: 0.75 } })
  })

  it('says that no name is a gene', async () => {
    const found = await look(counts, { index: ['a-1', 'b-1', 'c-1', 'd-1'] })
    expect(found).toMatchObject({ geneIds: 'unknown', species: null })
    expect(found.notices.map(({ code }) => code)).toEqual(['GENE_IDS_UNKNOWN'])
  })

  it('of a file without cells or genes fails in nothing', async () => {
    expect(await look([], { index: [] })).toMatchObject({
      nObs: 0,
      rawCounts: { found: false, where: null },
      normalisation: 'unknown',
      geneIds: 'unknown',
    })
  })

  it('says that there is no X', async () => {
    const found = await inspectDataset(cellsInMemory({}), { seed: 0 })
    expect(found).toMatchObject({ x: null, normalisation: 'unknown', rawCounts: { found: false } })
    expect(found.warnings).toContain('there is no X')
  })

  it('reads a fixture from its file', async () => {
    const found = await inspected(resolve(import.meta.dirname, '../fixtures/formats/latest.h5ad'))
    expect(found).toMatchObject({ nObs: 40, nVars: 30, rawCounts: { found: true } })
  })
})

describe.runIf(hasShared)('the inspection of real files', () => {
  it.each([
    ['kang_ifnb/kang_muscat_ctrl_stim.h5ad', 'symbol', 'Homo sapiens', null],
    ['cellbench_mixology/sc_celseq2.h5ad', 'ensembl', 'Homo sapiens', null],
    ['edge/scp_indexed_by_gene_id.h5ad', 'ensembl', 'Mus musculus', null],
    ['spatial_small/osmfish_4530x33_labelled.h5ad', 'symbol', 'Mus musculus', null],
    ['h5ad_formats/scvelo_pancreas_50x27998_spliced.h5ad', 'symbol', 'Mus musculus', null],
    ['cxg_schema/merfish_mouse_brain_1000x1122_cxg.h5ad', 'ensembl', 'Mus musculus', 'ensembl_id'],
    ['scatac/bm0828_533x35983.h5ad', 'unknown', null, null],
    ['tenx/v3_mtx', 'ensembl', 'Homo sapiens', null],
  ])('finds in %s gene ids of kind %s, species %s', async (file, geneIds, species, column) => {
    expect(await inspected(sharedPath('data', file))).toMatchObject({
      geneIds,
      species,
      geneIdDetails: { column },
    })
  })
})
