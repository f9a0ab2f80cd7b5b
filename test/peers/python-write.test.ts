/** Oracle: anndata and h5py read what Celldrop writes, every element of it, and go on writing to the same files. */
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addToH5ad } from '../../lib/data/add-to-h5ad.ts'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Column, Table } from '../../lib/data/cells.ts'
import { convert } from '../../lib/data/h5ad-arrays.ts'
import type { ElementToWrite, PlainValue } from '../../lib/data/h5ad-element.ts'
import type { MatrixToWrite } from '../../lib/data/h5ad-matrix.ts'
import { bytesOf, type StoredNumber } from '../../lib/data/hdf5/write/datatype.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { NumberArray } from '../../lib/data/tree.ts'
import { type AnnDataToWrite, type Elements, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { denseRows, everyColumn, matrixOf, numberTypes, tableOf } from '../support/cells-to-write.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { type PythonProgram, startPython } from '../support/python-program.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()
const script = join(import.meta.dirname, 'check_written.py')
const fixtures = resolve(import.meta.dirname, '../fixtures/formats')

let program: PythonProgram

/** What anndata and h5py find wrong. */
async function problems(task: 'written' | 'appended', expected: object, folder: string): Promise<unknown> {
  const path = join(folder, 'case.json')
  await writeFile(path, JSON.stringify(expected))
  return (await program.ask({ task, case: path })).problems
}

const numbers = (type: string, shape: readonly number[], values: NumberArray) => ({
  type,
  shape,
  bytes: Buffer.from(bytesOf(values)).toString('base64'),
})
const list = (type: string, values: NumberArray) => numbers(type, [values.length], values)

/** The column as Python is to find it. */
function expectedColumn(column: Column): object {
  if (column.kind === 'categorical') {
    const { categories, codes, ordered } = column
    const names =
      categories.kind === 'string'
        ? categories.values
        : list(categories.kind === 'boolean' ? 'bool' : categories.type, categories.values)
    return { kind: 'categorical', ordered, codes: list('int32', codes), categories: names }
  }
  if (column.kind === 'string') {
    if (!column.values.includes(null)) return column
    const names = [...new Set(column.values)].filter((value) => value !== null).sort()
    const codes = Int32Array.from(column.values, (value) => (value === null ? -1 : names.indexOf(value)))
    return { kind: 'categorical', ordered: false, codes: list('int32', codes), categories: names }
  }
  const type = column.kind === 'boolean' ? 'bool' : column.type
  const { mask } = column
  if (mask === undefined) return { kind: column.kind, values: list(type, column.values) }
  if (type === 'float32') {
    const values = Float32Array.from(column.values as Float32Array, (value, i) =>
      mask[i] ? Number.NaN : value,
    )
    return { kind: column.kind, values: list(type, values) }
  }
  return { kind: column.kind, values: list(type, column.values), mask: list('uint8', mask) }
}

const expectedTable = ({ index, indexName, columns }: Table) => ({
  index,
  indexName,
  columns: Object.fromEntries([...columns].map(([name, column]) => [name, expectedColumn(column)])),
})

const expectedMatrix = (
  dense: number[][],
  options: { columns: number; type: StoredNumber; layout: 'csr' | 'dense' },
) => ({
  ...numbers(
    options.type,
    [dense.length, options.columns],
    convert(Float64Array.from(dense.flat()), options.type),
  ),
  layout: options.layout,
})

/** One file with everything, and what Python is to find in it. */
async function everything(
  path: string,
  size: { cells: number; genes: number; gzip: number | undefined },
): Promise<object> {
  const { cells, genes, gzip } = size
  const [dense = []] = fc.sample(denseRows(cells, genes), { numRuns: 1, seed: cells })
  const obs = tableOf(cells, { prefix: 'cell', columns: everyColumn(cells), indexName: 'barcodes' })
  const parts = { obs, var: tableOf(genes, { prefix: 'gene', columns: everyColumn(genes) }) }
  const raw = tableOf(genes, { prefix: 'raw', columns: new Map() })
  const layers: AnnDataToWrite['layers'] & Map<string, ReturnType<typeof matrixOf>> = new Map()
  const matrices: Record<string, object> = {}
  for (const type of numberTypes) {
    for (const layout of ['csr', 'dense'] as const) {
      const options = { columns: genes, type, layout, slabs: [7, 1, 100] }
      layers.set(`${type} ${layout}`, matrixOf(dense, options))
      matrices[`layers/${type} ${layout}`] = expectedMatrix(dense, options)
    }
  }
  const x = { columns: genes, type: 'float32' as const, layout: 'csr' as const, slabs: [50] }
  const embedding = Float32Array.from({ length: cells * 3 }, (_, i) => i / 7)
  const graph = dense.map((_, i) => dense.map((_, j) => Number((i * 7 + j) % 5 === 0)))
  const graphOptions = { columns: cells, type: 'float64' as const, layout: 'csr' as const }
  const obsm: Elements = new Map([
    ['X_pca', { kind: 'array', type: 'float32', shape: [cells, 3], values: embedding }],
  ])
  const obsp: Elements = new Map<string, ElementToWrite>([
    ['graph', { kind: 'matrix', matrix: matrixOf(graph, graphOptions) }],
  ])
  const uns: Record<string, PlainValue> = {
    text: 'γδ',
    whole: 2 ** 40,
    part: 0.1,
    yes: true,
    list: ['a', '', 'γ'],
    deep: { er: { still: 1, numbers: Float32Array.of(1, 2) }, empty: {} },
    many: Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key ${i}`, i])),
  }
  await writeH5ad(
    path,
    { ...parts, x: matrixOf(dense, x), layers, obsm, obsp, uns, raw: { x: matrixOf(dense, x), var: raw } },
    { gzip },
  )
  return {
    path,
    obs: expectedTable(obs),
    var: expectedTable(parts.var),
    matrices: { ...matrices, X: expectedMatrix(dense, x), 'raw/X': expectedMatrix(dense, x) },
    obsm: { X_pca: numbers('float32', [cells, 3], embedding) },
    varm: {},
    obsp: { graph: expectedMatrix(graph, graphOptions) },
    uns: { ...uns, deep: { er: { still: 1, numbers: list('float32', Float32Array.of(1, 2)) }, empty: {} } },
  }
}

function realFiles(): string[] {
  const notAnnData = ['git_lfs_pointer.h5ad', 'muon_h5mu_named_h5ad.h5ad']
  const all = readdirSync(fixtures)
    .filter((name) => name.endsWith('.h5ad'))
    .map((name) => join(fixtures, name))
  if (!hasShared) return all
  const real = readdirSync(sharedPath('data'), { recursive: true, encoding: 'utf8' })
  const wanted = real.filter((name) => name.endsWith('.h5ad') && !notAnnData.includes(basename(name)))
  return [...all, ...wanted.map((name) => sharedPath('data', name))]
}

/** One entry a row, in the column after that of the row before. */
function diagonal(rows: number, columns: number): MatrixToWrite {
  return {
    rows,
    columns,
    type: 'float32',
    stored: rows,
    async *slabs() {
      const indptr = Int32Array.from({ length: rows + 1 }, (_, i) => i)
      const indices = Int32Array.from({ length: rows }, (_, i) => i % columns)
      yield { start: 0, rows, columns, indptr, indices, values: new Float32Array(rows).fill(1) }
    },
  }
}

/** Adds one of each thing to a copy, and replaces the first column. */
async function addedTo(source: string, path: string): Promise<object> {
  const file = (await openCells(source)) as AnnDataFile
  const { rows: cells, columns: genes } = file
  const obs = await file.obs()
  const isOld = (await file.columnsOf('obs')) === undefined
  const existing = isOld ? { obs, obsm: (await file.mapping('obsm')) as Elements } : {}
  await file.close()
  const [first] = obs.columns.keys()
  const columns = new Map([...everyColumn(cells)].map(([name, column]) => [`added ${name}`, column]))
  if (first !== undefined)
    columns.set(first, { kind: 'string', values: Array.from({ length: cells }, (_, i) => `r${i % 5}`) })
  const embedding = Float64Array.from({ length: cells * 2 }, (_, i) => i / 3)
  const uns = { text: 'new', list: ['a', 'b'], deep: { number: 1 } }
  await addToH5ad(source, path, {
    obs: columns,
    obsm: new Map([['X_added', { kind: 'array', type: 'float64', shape: [cells, 2], values: embedding }]]),
    layers: new Map([['added', diagonal(cells, genes)]]),
    uns: { added: uns },
    existing,
    gzip: 4,
  })
  return {
    source,
    path,
    columns: Object.fromEntries([...columns].map(([name, column]) => [name, expectedColumn(column)])),
    obsm: numbers('float64', [cells, 2], embedding),
    uns,
  }
}

describe.skipIf(python === undefined)(`anndata and h5py (${python ?? pythonMissing})`, () => {
  beforeAll(() => {
    program = startPython(python ?? '', [script])
  })
  afterAll(() => program.close())

  it.each([
    { cells: 200, genes: 31, gzip: undefined },
    { cells: 211, genes: 17, gzip: 4 },
    { cells: 1, genes: 1, gzip: 1 },
    { cells: 0, genes: 5, gzip: 4 },
    { cells: 0, genes: 0, gzip: undefined },
  ])('read a file of $cells cells and $genes genes, gzip $gzip, without a warning', async (size) => {
    await using folder = await temporaryFolder()
    const expected = await everything(join(folder.path, 'x.h5ad'), size)
    expect(await problems('written', expected, folder.path)).toEqual([])
  })

  it.each(realFiles())('read a copy of %s to which something was added', async (source) => {
    await using folder = await temporaryFolder()
    const expected = await addedTo(source, join(folder.path, 'x.h5ad'))
    expect(await problems('appended', expected, folder.path)).toEqual([])
  })
})
