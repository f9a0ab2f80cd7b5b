/** Contract and twin: references from CELLxGENE, served by a double, against what the source files hold. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { type ChooseOptions, chooseCells } from '../../lib/references/choose-cells.ts'
import { findFiles } from '../../lib/references/find-files.ts'
import { parseSource } from '../../lib/references/source.ts'
import { writeReference } from '../../lib/references/write-reference.ts'
import { arrayOf, plain, textsOf } from '../support/read-h5ad.ts'
import {
  addThree,
  type CellxgeneDouble,
  catalogueEntry,
  category,
  datasetParts,
  genes,
  ids,
  startCellxgene,
} from './cellxgene-double.ts'

const plainChoice: ChooseOptions = {
  seed: 42,
  labelColumn: null,
  resolveHierarchy: 'none',
  validateLabels: true,
}
let outputs = 0

async function acquire(double: CellxgeneDouble, text: string, options: Partial<ChooseOptions> = {}) {
  const source = parseSource(text)
  const { environment, folder } = double
  const found = await findFiles(source, { environment })
  const filters = source.kind === 'query' ? { filters: source.filters } : {}
  const chosen = await chooseCells(found.files, { ...plainChoice, environment, ...filters, ...options })
  const path = join(folder.path, `out-${outputs++}.h5ad`)
  const written = await writeReference(path, { ...found, chosen, environment })
  return { found, chosen, path, written, notices: [...found.notices, ...chosen.notices, ...written.notices] }
}

async function contentOf(path: string) {
  const file = (await openCells(path)) as AnnDataFile
  const [obs, genesTable] = [await file.obs(), await file.var()]
  const counts = obs.index.map(() => new Array<number>(genesTable.rows).fill(0))
  for await (const slab of (await file.matrix('X')).slabs()) {
    for (let row = 0; row < slab.rows; row++)
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        counts[slab.start + row]![slab.indices[i]!] = slab.values[i]!
  }
  const uns = file.namesIn('uns').includes('reference')
    ? plain(await file.unstructured('reference'))
    : undefined
  const varm = await file.mapping('varm')
  await file.close()
  return { obs, genes: genesTable, counts, uns, varm }
}

const codes = (notices: { code: string }[]) => notices.map(({ code }) => code)

describe('a query of CELLxGENE', () => {
  let double: CellxgeneDouble
  beforeAll(async () => {
    double = await startCellxgene()
    await addThree(double)
  })
  afterAll(() => double[Symbol.asyncDispose]())

  it('gives the primary cells of tissue with every wanted value, of all files, over all of their genes', async () => {
    const { path, chosen, found, notices, written } = await acquire(
      double,
      'cellxgene://?tissue=lung&disease=normal',
    )
    expect(found.facts).toMatchObject({ kind: 'query', release: { name: '2025-01-30' } })
    expect(found.files.map(({ dataset }) => dataset?.id)).toEqual([ids.lungA, ids.lungB])
    expect(chosen).toMatchObject({ whole: false, cells: 7, available: 7, labelColumn: 'cell_type' })
    expect(chosen.labels).toEqual([
      { label: 'T cell', id: 'CL:0000084', cells: 4 },
      { label: 'B cell', id: 'CL:0000236', cells: 3 },
    ])
    expect(written).toMatchObject({ cells: 7, genes: 4 })
    const { obs, genes: genesTable, counts, uns, varm } = await contentOf(path)
    expect(genesTable.index).toEqual(genes(1, 2, 3, 4))
    expect(genesTable.columns.get('feature_name')).toMatchObject({ values: ['S001', 'S002', 'S003', 'S004'] })
    expect(counts).toEqual([
      [1, 2, 3, 0],
      [4, 0, 6, 0],
      [0, 0, 1, 0],
      [2, 0, 0, 0],
      [0, 0, 1, 5],
      [0, 2, 0, 0],
      [0, 3, 0, 4],
    ])
    expect(obs.index).toEqual(['cell0-0', 'cell2-0', 'cell4-0', 'cell5-0', 'cell0-1', 'cell1-1', 'cell4-1'])
    expect(new Set(textsOf(obs.columns.get('dataset_id')))).toEqual(new Set([ids.lungA, ids.lungB]))
    for (const column of ['cell_type', 'cell_type_ontology_term_id', 'disease', 'assay', 'tissue'])
      expect(textsOf(obs.columns.get(column))).not.toContain(undefined)
    expect(obs.columns.get('score')).toMatchObject({
      values: Float64Array.of(1, 3, 5, 6, Number.NaN, Number.NaN, Number.NaN),
    })
    expect(arrayOf(varm, 'dataset_presence', [4, 2])).toEqual([1, 0, 1, 1, 1, 1, 0, 1])
    expect(uns).toMatchObject({
      source: 'cellxgene://?tissue=lung&disease=normal',
      census_release: '2025-01-30',
      dataset_ids: [ids.lungA, ids.lungB],
      dataset_versions: ['', ids.later],
      dataset_matrices: ['X', 'raw/X'],
      dataset_cells: [4n, 3n],
    })
    expect(codes(notices)).toContain('CELLS_NOT_OF_TISSUE')
  })

  it('takes ids of ontologies as well as labels', async () => {
    const { chosen } = await acquire(double, 'cellxgene://?tissue=UBERON:4&disease=asthma')
    expect(chosen).toMatchObject({ cells: 1 })
  })

  it('draws a sample that one seed repeats and another changes, of as many cells as are asked for', async () => {
    const rowsOf = async (seed: number) => {
      const { chosen } = await acquire(double, 'cellxgene://?tissue=lung', { maxCells: 4, seed })
      expect(chosen).toMatchObject({ cells: 4, available: 8 })
      return JSON.stringify(chosen.files.map(({ file, rows }) => [file, ...rows]))
    }
    const seeds = await Promise.all([1, 1, 2, 3, 4, 5].map(rowsOf))
    expect(seeds[0]).toBe(seeds[1])
    expect(new Set(seeds).size).toBeGreaterThan(1)
    const all = await acquire(double, 'cellxgene://?tissue=lung', { maxCells: 100 })
    expect(all.chosen.cells).toBe(8)
  })

  it.each([0, -1, Number.NaN])('refuses %s as a number of cells', async (maxCells) => {
    await expect(acquire(double, 'cellxgene://?tissue=lung', { maxCells })).rejects.toMatchObject({
      code: 'MAX_CELLS',
    })
  })

  it('names the nearest value where no dataset has one, and says so where none has all', async () => {
    await expect(acquire(double, 'cellxgene://?tissue=Lung')).rejects.toMatchObject({
      code: 'QUERY_VALUE',
      remedy: expect.stringContaining('"lung"'),
    })
    await expect(acquire(double, 'cellxgene://?disease=asthma&tissue=__proto__')).rejects.toMatchObject({
      code: 'QUERY_VALUE',
    })
    await expect(acquire(double, 'cellxgene://?tissue=lung&organism=Mus musculus')).rejects.toMatchObject({
      code: 'QUERY_VALUE',
    })
    await expect(acquire(double, 'cellxgene://?tissue=liver&disease=asthma')).rejects.toMatchObject({
      code: 'QUERY_EMPTY',
    })
  })

  it('leaves out, and names, datasets outside the release and files that cannot be used', async () => {
    const other = await startCellxgene()
    try {
      await addThree(other)
      const cell = { type: 'T cell', counts: [1] }
      other.catalogue.push(
        catalogueEntry(ids.later, [cell]),
        { dataset_id: 7 },
        { __proto__: { dataset_id: 'x' } },
      )
      await other.addDataset('0eeeeeee-0000-4000-8000-000000000005', {
        genes: genes(1),
        cells: [cell],
        without: ['is_primary_data'],
      })
      const logs = { type: 'T cell', counts: [0.37, 1.21, 2.5] }
      await other.addDataset('0fffffff-0000-4000-8000-000000000006', { genes: genes(1, 2, 3), cells: [logs] })
      other.addFile('/h5ads/0fffffff-0000-4000-8000-000000000007.h5ad', new TextEncoder().encode('no HDF5'))
      other.catalogue.push(catalogueEntry('0fffffff-0000-4000-8000-000000000007', [cell]))
      other.publish()
      const { chosen, notices } = await acquire(other, 'cellxgene://?tissue=lung&disease=normal')
      expect(chosen.cells).toBe(7)
      const left = notices.filter(({ code }) => code === 'SOURCE_FILE_LEFT_OUT')
      expect(left.map(({ place }) => place)).toEqual([
        'dataset 0eeeeeee-0000-4000-8000-000000000005',
        'dataset 0fffffff-0000-4000-8000-000000000006',
        'dataset 0fffffff-0000-4000-8000-000000000007',
      ])
      expect(codes(notices)).toEqual(
        expect.arrayContaining(['DATASET_NOT_IN_RELEASE', 'CATALOGUE_ENTRIES_UNREAD']),
      )
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })

  it.each([
    ['no JSON', 'READ_FAILED', 'hello'],
    ['an object', 'READ_FAILED', '{}'],
    ['entries that are none', 'READ_FAILED', '[1, null, {}]'],
  ])('refuses a catalogue that is %s', async (_, code, content) => {
    const other = await startCellxgene()
    try {
      other.addFile('/curation/v1/datasets', new TextEncoder().encode(content))
      await expect(acquire(other, 'cellxgene://?tissue=lung')).rejects.toMatchObject({ code })
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })

  it('refuses a catalogue that announces more than it reads', async () => {
    const other = await startCellxgene()
    try {
      other.web.onCall = ({ path }, response) => {
        if (path !== '/curation/v1/datasets') return false
        response.writeHead(200, { 'content-type': 'application/json' })
        const piece = Buffer.alloc(8 << 20, 32)
        const send = () => {
          while (!response.destroyed && response.write(piece));
          if (!response.destroyed) response.once('drain', send)
        }
        send()
        return true
      }
      await expect(acquire(other, 'cellxgene://?tissue=lung')).rejects.toMatchObject({
        code: 'OBJECT_TOO_LARGE',
      })
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })
})

describe('a dataset of CELLxGENE', () => {
  let double: CellxgeneDouble
  beforeAll(async () => {
    double = await startCellxgene()
    await addThree(double)
  })
  afterAll(() => double[Symbol.asyncDispose]())

  it('is the file itself, byte for byte, where all of it is wanted', async () => {
    const { path, chosen, written } = await acquire(double, `cellxgene://${ids.lungA}`)
    expect(chosen.whole).toBe(true)
    const source = double.web.files.get(`/h5ads/${ids.lungA}.h5ad`)!.bytes
    expect((await readFile(path)).equals(Buffer.from(source))).toBe(true)
    expect(written).toMatchObject({ cells: 6, genes: 3, bytes: source.length })
  })

  it('is a new file of raw counts where a sample is wanted, with the names that its cells have', async () => {
    const { path, chosen, notices } = await acquire(double, `cellxgene://${ids.lungB}`, { maxCells: 2 })
    expect(chosen).toMatchObject({ whole: false, cells: 2, available: 5 })
    const { rows } = chosen.files[0]!
    const { obs, counts, genes: table } = await contentOf(path)
    expect(obs.index).toEqual(Array.from(rows, (row) => `cell${row}`))
    expect(table.index).toEqual(genes(3, 2, 4))
    expect(table.columns.get('feature_name')).toMatchObject({ values: ['S003', 'S002', 'S004'] })
    const source = [
      [1, 0, 5],
      [0, 2, 0],
      [9, 9, 9],
      [7, 7, 7],
      [0, 3, 4],
    ]
    expect(counts).toEqual(Array.from(rows, (row) => source[row]))
    expect(codes(notices)).toContain('REFERENCE_PART_LEFT_OUT')
  })

  it('comes from the catalogue, with a notice, where the release does not have it', async () => {
    const path = join(double.folder.path, 'later.h5ad')
    const cells = [{ type: 'T cell', counts: [1, 2] }]
    await writeH5ad(path, datasetParts({ genes: genes(1, 2), cells }))
    double.addFile('/assets/later.h5ad', await readFile(path))
    const assets = [{ filetype: 'H5AD', filesize: 1, url: `${double.web.address}/assets/later.h5ad` }]
    double.catalogue.push(catalogueEntry(ids.later, cells, { assets }))
    double.publish()
    const { notices, found, written } = await acquire(double, `cellxgene://${ids.later}`)
    expect(found.facts.release).toBeNull()
    expect(written.cells).toBe(1)
    expect(codes(notices)).toContain('DATASET_NOT_IN_RELEASE')
    const unknown = 'cellxgene://99999999-0000-4000-8000-000000000000'
    await expect(acquire(double, unknown)).rejects.toMatchObject({ code: 'SOURCE_MISSING' })
  })

  it('is read from the release that is named, and a retracted one says so', async () => {
    const source = parseSource(`cellxgene://${ids.lungA}`)
    const { environment } = double
    const old = await findFiles(source, { environment, censusVersion: 'old' })
    expect(codes(old.notices)).toContain('CENSUS_RETRACTED')
    expect(old.facts.release).toEqual({ name: 'old', date: '2023-05-15' })
    const latest = await findFiles(source, { environment, censusVersion: 'latest' })
    expect(latest.facts.release?.name).toBe('2025-01-30')
    for (const [censusVersion, code] of [
      ['2025-01-31', 'CENSUS_VERSION'],
      ['__proto__', 'CENSUS_VERSION'],
      ['circle', 'READ_FAILED'],
      ['broken', 'READ_FAILED'],
    ] as const)
      await expect(findFiles(source, { environment, censusVersion })).rejects.toMatchObject({ code })
  })

  it('leaves nothing behind when the file changes while its rows are read', async () => {
    const source = parseSource('cellxgene://?tissue=lung')
    const { environment, folder } = double
    const found = await findFiles(source, { environment })
    const filters = source.kind === 'query' ? { filters: source.filters } : {}
    const chosen = await chooseCells(found.files, { ...plainChoice, environment, ...filters })
    const kept = double.web.files.get(`/h5ads/${ids.lungB}.h5ad`)!
    double.web.files.set(`/h5ads/${ids.lungB}.h5ad`, { bytes: kept.bytes.slice(), etag: '"other"' })
    const path = join(folder.path, 'broken.h5ad')
    await expect(writeReference(path, { ...found, chosen, environment })).rejects.toMatchObject({
      code: 'OBJECT_CHANGED',
    })
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' })
    const whole = { ...chosen, whole: true }
    const one = { ...found, files: [found.files[1]!] }
    await expect(writeReference(path, { ...one, chosen: whole, environment })).rejects.toMatchObject({
      code: 'OBJECT_CHANGED',
    })
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' })
    double.web.files.set(`/h5ads/${ids.lungB}.h5ad`, kept)
  })

  it('is copied first where its server gives files only whole', async () => {
    double.web.knowsRanges = false
    try {
      const { chosen, written } = await acquire(double, `cellxgene://${ids.lungA}`, { maxCells: 3 })
      expect(chosen.cells).toBe(3)
      expect(written.cells).toBe(3)
    } finally {
      double.web.knowsRanges = true
    }
  })
})

describe('labels of a reference', () => {
  const T = { type: 'T cell', id: 'CL:0000084' }
  const CD4 = { type: 'CD4-positive, alpha-beta T cell', id: 'CL:0000624' }
  const B = { type: 'B cell', id: 'CL:0000236' }
  const of = (count: number, cell: { type: string; id: string }) =>
    Array.from({ length: count }, (_, i) => ({ ...cell, counts: [i + 1, 1] }))

  async function fileOf(cells: { type: string; id: string; counts: number[] }[], more = {}) {
    const double = await startCellxgene()
    const path = join(double.folder.path, 'mine.h5ad')
    await writeH5ad(path, datasetParts({ genes: genes(1, 2), cells, ...more }))
    return { double, path }
  }

  it('lose those that are wider than others of ten cells and more, before the sample is drawn', async () => {
    const { double, path } = await fileOf([...of(30, T), ...of(12, CD4), ...of(15, B)])
    await using _ = double
    const { chosen, notices } = await acquire(double, path, {
      resolveHierarchy: 'remove_parents',
      maxCells: 20,
    })
    expect(chosen).toMatchObject({ cells: 20, available: 57 })
    expect(chosen.labels.map(({ label }) => label).sort()).toEqual([B.type, CD4.type])
    expect(notices.find(({ code }) => code === 'PARENTS_REMOVED')?.problem).toContain('30 cells of 1 labels')
  })

  it('lose none to a narrower one of three cells', async () => {
    const { double, path } = await fileOf([...of(30, T), ...of(3, CD4), ...of(15, B)])
    await using _ = double
    const { chosen } = await acquire(double, path, { resolveHierarchy: 'remove_parents' })
    expect(chosen).toMatchObject({ cells: 48, whole: true })
  })

  it("are compared word by word where SpatialCore's rule is wished", async () => {
    const odd = { type: 'T cell lymphoma', id: 'CL:9999999' }
    const { double, path } = await fileOf([...of(30, T), ...of(12, odd)])
    await using _ = double
    const byWords = { resolveHierarchy: 'remove_parents', parentRule: 'spatialcore' } as const
    expect((await acquire(double, path, byWords)).chosen.cells).toBe(12)
    expect((await acquire(double, path, { resolveHierarchy: 'remove_parents' })).chosen.cells).toBe(42)
  })

  it('are told of where one has several ids or holds a hierarchy, and never stopped at', async () => {
    const cells = [
      ...of(5, { type: '__proto__', id: 'CL:0000084' }),
      ...of(4, { type: '__proto__', id: 'CL:0000236' }),
      ...of(3, { type: 'Immune > T', id: 'CL:0000084' }),
      ...of(9, { type: '', id: 'CL:0000084' }),
    ]
    const { double, path } = await fileOf(cells)
    await using _ = double
    const { chosen, notices } = await acquire(double, path)
    expect(codes(notices)).toEqual(
      expect.arrayContaining(['LABEL_SEVERAL_IDS', 'LABEL_HIERARCHY', 'EXCESSIVE_NULLS', 'LOW_CELL_COUNTS']),
    )
    expect(chosen.labels.reduce((sum, { cells: own }) => sum + own, 0)).toBe(21)
    const silent = await acquire(double, path, { validateLabels: false })
    expect(codes(silent.notices)).not.toContain('LABEL_SEVERAL_IDS')
  })

  it('are of the column that is named, which has to be there', async () => {
    const { double, path } = await fileOf(of(3, T), { obs: { cluster: category(['1', '2', '2']) } })
    await using _ = double
    const { chosen } = await acquire(double, path, { labelColumn: 'cluster' })
    expect(chosen.labels.map(({ label, cells }) => [label, cells])).toEqual([
      ['2', 2],
      ['1', 1],
    ])
    await expect(acquire(double, path, { labelColumn: 'clusters' })).rejects.toMatchObject({
      code: 'LABEL_COLUMN',
    })
  })

  it('are not assessed where nobody says where they are', async () => {
    const { double, path } = await fileOf(of(3, T), { without: ['cell_type', 'cell_type_ontology_term_id'] })
    await using _ = double
    const { chosen, notices } = await acquire(double, path, { resolveHierarchy: 'remove_parents' })
    expect(chosen).toMatchObject({ labelColumn: null, labels: [], whole: true })
    expect(codes(notices)).toEqual(expect.arrayContaining(['LABELS_NOT_ASSESSED', 'PARENTS_NOT_ASSESSED']))
  })
})

describe('odd files', () => {
  it('give distinct names of cells, summed genes and a column less where two kinds do not meet', async () => {
    await using double = await startCellxgene()
    const cell = (counts: number[]) => ({ type: 'T cell', id: 'CL:0000084', counts })
    await double.addDataset(ids.lungA, {
      genes: [...genes(1), `${genes(2)[0]}.7`, ...genes(2)],
      cells: [cell([1, 2, 3]), cell([0, 0, 4])],
      names: ['same', 'same'],
      obs: { age: category(['old', 'young']) },
    })
    await double.addDataset(ids.lungB, {
      genes: genes(2),
      cells: [cell([5])],
      names: ['same'],
      obs: { age: { kind: 'number', type: 'int64', values: BigInt64Array.of(7n) } },
    })
    const { path, notices } = await acquire(double, 'cellxgene://?tissue=lung')
    const { obs, counts, genes: table } = await contentOf(path)
    expect(new Set(obs.index).size).toBe(3)
    expect(table.index).toEqual(genes(1, 2))
    expect(counts).toEqual([
      [1, 5],
      [0, 4],
      [0, 5],
    ])
    expect(obs.columns.has('age')).toBe(false)
    expect(codes(notices)).toEqual(
      expect.arrayContaining(['GENES_SUMMED', 'CELLS_RENAMED', 'REFERENCE_PART_LEFT_OUT']),
    )
  })

  it('without counts stay as they are, and say so', async () => {
    await using double = await startCellxgene()
    const path = join(double.folder.path, 'logs.h5ad')
    const cells = Array.from({ length: 6 }, (_, i) => ({ type: 'T', counts: [0.3 + i, 1.7, 2.2] }))
    await writeH5ad(path, datasetParts({ genes: genes(1, 2, 3), cells }))
    const { notices, path: output } = await acquire(double, path, { maxCells: 2 })
    expect(codes(notices)).toContain('REFERENCE_NO_COUNTS')
    expect((await contentOf(output)).counts[0]![1]).toBeCloseTo(1.7, 6)
  })

  it('that are no files of cells are refused, and folders are told of', async () => {
    await using double = await startCellxgene()
    const path = join(double.folder.path, 'table.csv')
    await writeFile(path, 'a,b\n')
    await expect(acquire(double, path)).rejects.toMatchObject({ code: 'FORMAT_UNKNOWN' })
    await expect(acquire(double, join(double.folder.path, 'none.h5ad'))).rejects.toMatchObject({
      code: 'FILE_MISSING',
    })
    await expect(acquire(double, double.folder.path)).rejects.toMatchObject({ name: 'BadInput' })
  })

  it('of no cells are refused', async () => {
    await using double = await startCellxgene()
    const path = join(double.folder.path, 'empty.h5ad')
    await writeH5ad(path, datasetParts({ genes: genes(1), cells: [] }))
    await expect(acquire(double, path)).rejects.toMatchObject({ code: 'NO_CELLS' })
  })
})
