/** CELLxGENE on loopback: releases of the Census, the catalogue of Discover, and files of datasets as its schema has them, small. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Column, Table } from '../../lib/data/cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import type { Environment } from '../../lib/job/stores.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { startWebDouble, type WebDouble } from '../support/web-double.ts'

export const ids = {
  lungA: '0aaaaaaa-0000-4000-8000-000000000001',
  lungB: '0bbbbbbb-0000-4000-8000-000000000002',
  liver: '0ccccccc-0000-4000-8000-000000000003',
  later: '0ddddddd-0000-4000-8000-000000000004',
}

export interface Cell {
  type: string
  id?: string
  tissue?: string
  disease?: string
  primary?: boolean
  tissueType?: string
  counts: number[]
}

export interface DatasetOptions {
  genes: string[]
  cells: Cell[]
  /** as the schema has it where X is normalised: counts in raw/X */
  inRaw?: boolean
  names?: string[]
  /** further columns of obs */
  obs?: Record<string, Column>
  /** columns that are not written */
  without?: string[]
  /** 'index' (the schema), 'column' (ids in feature_id, symbols as names) */
  geneIds?: 'index' | 'column'
  uns?: Record<string, string>
}

export const category = (texts: string[]): Column => {
  const values = [...new Set(texts)]
  const codes = Int32Array.from(texts, (text) => values.indexOf(text))
  return { kind: 'categorical', codes, categories: { kind: 'string', values }, ordered: false }
}

export function datasetParts(options: DatasetOptions): AnnDataToWrite {
  const { genes, cells, inRaw = false, geneIds = 'index', uns = {}, without = [] } = options
  const columns = new Map<string, Column>([
    ['cell_type', category(cells.map(({ type }) => type))],
    ['cell_type_ontology_term_id', category(cells.map(({ id = 'unknown' }) => id))],
    ['tissue', category(cells.map(({ tissue = 'lung' }) => tissue))],
    ['tissue_ontology_term_id', category(cells.map(({ tissue = 'lung' }) => `UBERON:${tissue.length}`))],
    ['tissue_type', category(cells.map(({ tissueType = 'tissue' }) => tissueType))],
    ['disease', category(cells.map(({ disease = 'normal' }) => disease))],
    ['assay', category(cells.map(() => "10x 3' v3"))],
    ['organism', category(cells.map(() => 'Homo sapiens'))],
    [
      'is_primary_data',
      { kind: 'boolean', values: Uint8Array.from(cells, ({ primary = true }) => Number(primary)) },
    ],
    ...Object.entries(options.obs ?? {}),
  ])
  for (const name of without) columns.delete(name)
  const index = options.names ?? cells.map((_, i) => `cell${i}`)
  const obs: Table = { rows: cells.length, indexName: '_index', index, columns }
  const symbols = genes.map((gene) => `S${gene.slice(-3)}`)
  const genesTable: Table = {
    rows: genes.length,
    indexName: '_index',
    index: geneIds === 'index' ? genes : symbols,
    columns: new Map<string, Column>([
      geneIds === 'index'
        ? ['feature_name', { kind: 'string', values: symbols }]
        : ['feature_id', { kind: 'string', values: genes }],
      ['feature_biotype', category(genes.map(() => 'gene'))],
    ]),
  }
  const counts = matrixOf(
    cells.map(({ counts: own }) => own),
    genes.length,
  )
  const logs = matrixOf(
    cells.map(({ counts: own }) => own.map((value) => Math.log1p(value * 1.7))),
    genes.length,
  )
  return {
    obs,
    var: genesTable,
    x: inRaw ? logs : counts,
    ...(inRaw && { raw: { x: counts, var: genesTable } }),
    uns,
  }
}

export function matrixOf(rows: number[][], columns: number): NonNullable<AnnDataToWrite['x']> {
  return {
    ...{
      rows: rows.length,
      columns,
      type: 'float32',
      stored: rows.flat().filter((value) => value !== 0).length,
    },
    async *slabs() {
      const indptr = new Int32Array(rows.length + 1)
      const indices: number[] = []
      const values: number[] = []
      for (const [row, own] of rows.entries()) {
        for (const [column, value] of own.entries()) {
          if (value === 0) continue
          indices.push(column)
          values.push(value)
        }
        indptr[row + 1] = indices.length
      }
      yield {
        ...{ start: 0, rows: rows.length, columns, indptr },
        indices: Int32Array.from(indices),
        values: Float32Array.from(values),
      }
    },
  }
}

export interface CellxgeneDouble {
  web: WebDouble
  folder: TemporaryFolder
  environment: Environment
  catalogue: Record<string, unknown>[]
  /** into the release */
  addDataset(id: string, options: DatasetOptions, catalogue?: Record<string, unknown>): Promise<void>
  addFile(path: string, bytes: Uint8Array): void
  /** publishes the catalogue */
  publish(): void
  [Symbol.asyncDispose](): Promise<void>
}

const term = (label: string) => ({ label, ontology_term_id: `UBERON:${label.length}` })
const labelsOf = (texts: string[]) => [...new Set(texts)].map(term)

export function catalogueEntry(id: string, cells: readonly Cell[], more: Record<string, unknown> = {}) {
  return {
    dataset_id: id,
    dataset_version_id: `${id.slice(0, -1)}9`,
    title: `Data set ${id.slice(0, 8)}`,
    collection_name: 'Cells',
    citation: `Cells ${id.slice(0, 8)}`,
    cell_count: cells.length,
    organism: [{ label: 'Homo sapiens', ontology_term_id: 'NCBITaxon:9606' }],
    tissue: labelsOf(cells.map(({ tissue = 'lung' }) => tissue)),
    disease: labelsOf(cells.map(({ disease = 'normal' }) => disease)),
    cell_type: labelsOf(cells.map(({ type }) => type)),
    assay: labelsOf(["10x 3' v3"]),
    is_primary_data: [true],
    assets: [],
    ...more,
  }
}

export async function startCellxgene(): Promise<CellxgeneDouble> {
  const web = await startWebDouble()
  const folder = await temporaryFolder()
  const addFile = (path: string, bytes: Uint8Array) => web.files.set(path, { bytes })
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
  const release = {
    stable: '2025-01-30',
    latest: 'stable',
    '2025-01-30': {
      release_date: '2025-01-30',
      h5ads: { uri: `${web.address}/h5ads/`, s3_region: 'us-west-2' },
    },
    old: {
      release_date: '2023-05-15',
      h5ads: { uri: `${web.address}/h5ads/` },
      retraction: { reason: 'wrong' },
    },
    circle: 'elcric',
    elcric: 'circle',
    broken: { h5ads: { uri: 'file:///etc/' } },
  }
  addFile('/release.json', json(release))
  const double: CellxgeneDouble = {
    web,
    folder,
    environment: {
      CELLDROP_LOCAL_FILES: '1',
      CELLDROP_CELLXGENE_CENSUS: `${web.address}/release.json`,
      CELLDROP_CELLXGENE_API: `${web.address}/curation/v1`,
      CELLDROP_SYNAPSE: web.address,
      CELLDROP_CACHE_BYTES: '0',
    },
    catalogue: [],
    addFile,
    async addDataset(id, options, more = {}) {
      const path = join(folder.path, `${id}.h5ad`)
      await writeH5ad(path, datasetParts(options))
      addFile(`/h5ads/${id}.h5ad`, await readFile(path))
      double.catalogue.push(catalogueEntry(id, options.cells, more))
      double.publish()
    },
    publish: () => void addFile('/curation/v1/datasets', json(double.catalogue)),
    async [Symbol.asyncDispose]() {
      await web[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
  return double
}

const gene = (number: number) => `ENSG${String(number).padStart(11, '0')}`
export const genes = (...numbers: number[]): string[] => numbers.map(gene)

/** Two lungs and a liver: 6 + 5 + 3 cells, of which 4 + 3 are normal, primary lung. */
export async function addThree(double: CellxgeneDouble): Promise<void> {
  const T = { type: 'T cell', id: 'CL:0000084' }
  const B = { type: 'B cell', id: 'CL:0000236' }
  await double.addDataset(ids.lungB, {
    genes: genes(3, 2, 4),
    geneIds: 'column',
    inRaw: true,
    cells: [
      { ...T, counts: [1, 0, 5] },
      { ...B, counts: [0, 2, 0] },
      { ...B, disease: 'asthma', counts: [9, 9, 9] },
      { ...T, primary: false, counts: [7, 7, 7] },
      { ...T, counts: [0, 3, 4] },
    ],
    uns: { title: 'Lung B', citation: `Dataset Version: https://x/${ids.later}.h5ad` },
  })
  await double.addDataset(ids.lungA, {
    genes: genes(1, 2, 3),
    cells: [
      { ...T, counts: [1, 2, 3] },
      { ...B, tissue: 'liver', counts: [8, 8, 8] },
      { ...B, counts: [4, 0, 6] },
      { ...T, tissueType: 'organoid', counts: [5, 5, 5] },
      { ...B, counts: [0, 0, 1] },
      { ...T, counts: [2, 0, 0] },
    ],
    obs: { score: { kind: 'number', type: 'float64', values: Float64Array.of(1, 2, 3, 4, 5, 6) } },
  })
  await double.addDataset(ids.liver, {
    genes: genes(1, 5),
    cells: [1, 2, 3].map((count) => ({ ...B, tissue: 'liver', counts: [count, 0] })),
  })
}
