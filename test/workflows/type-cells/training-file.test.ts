/** Contract: training.h5ad holds the cells that were learnt from, each with its counts, its class, and all that its reference says of it. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../../lib/data/anndata/file.ts'
import type { Column, Table } from '../../../lib/data/cells.ts'
import { openCells } from '../../../lib/data/open-cells.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { numbersOf, plain, textsOf } from '../../support/read-h5ad.ts'
import {
  categorical,
  ensemblNames,
  referenceFile,
  type Study,
  simulateStudy,
  studyFile,
  studyGenes,
  termIds,
} from '../../support/simulated-studies.ts'
import { csvOf, type TypedRun, typed } from '../../support/type-cells-run.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

interface TrainingFile {
  obs: Table
  genes: string[]
  x: Map<number, number>[]
  counts: Map<number, number>[] | undefined
  uns: Record<string, unknown>
}

async function trainingOf(run: TypedRun): Promise<TrainingFile> {
  const path = join(lab.folder.path, 'outbox', run.state.start.output, run.result.outputs.training!)
  const file = (await openCells(path)) as AnnDataFile
  try {
    const uns = await Promise.all(
      file.namesIn('uns').map(async (name) => [name, plain(await file.unstructured(name))]),
    )
    return {
      obs: await file.obs(),
      genes: (await file.var()).index,
      x: await rowsOf(file, 'X'),
      counts: file.matrices.includes('layers/counts') ? await rowsOf(file, 'layers/counts') : undefined,
      uns: Object.fromEntries(uns) as Record<string, unknown>,
    }
  } finally {
    await file.close()
  }
}

async function rowsOf(file: AnnDataFile, name: string): Promise<Map<number, number>[]> {
  const rows: Map<number, number>[] = []
  for await (const slab of (await file.matrix(name)).slabs())
    for (let row = 0; row < slab.rows; row++) {
      const own = new Map<number, number>()
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
        own.set(slab.indices[i]!, slab.values[i]!)
      rows.push(own)
    }
  return rows
}

const studies = [simulateStudy(1, 150), simulateStudy(2, 120, { depth: 3 })] as const
const query = () => studyFile(simulateStudy(3, 40).counts)
const numberColumn = (values: Int32Array | Float64Array): Column => ({
  kind: 'number',
  type: values instanceof Int32Array ? 'int32' : 'float64',
  values,
})
const each = <Value>(study: Study, make: (cell: number) => Value) => study.types.map((_, cell) => make(cell))

async function twoReferences() {
  const [first, second] = studies
  return {
    'q.h5ad': query(),
    'ref-1.h5ad': referenceFile(first, {
      ids: true,
      obs: {
        batch: { kind: 'string', values: each(first, (cell) => `b${cell % 3}`) },
        age: numberColumn(Int32Array.from(each(first, (cell) => cell))),
        score: numberColumn(Float64Array.from(each(first, (cell) => cell / 8))),
        quality: numberColumn(Float64Array.from(each(first, (cell) => cell / 4))),
      },
    }),
    'ref-2.h5ad': referenceFile(second, {
      called: (type) => `${type}s`,
      genes: await ensemblNames(studyGenes),
      names: each(second, (cell) => `cell-${Math.floor(cell / 2)}`),
      obs: {
        batch: categorical(each(second, (cell) => `b${(cell % 3) + 2}`)),
        score: categorical(each(second, () => 'fine')),
        quality: numberColumn(Int32Array.from(each(second, (cell) => cell))),
        reference_source: categorical(each(second, () => 'elsewhere')),
      },
    }),
  }
}

describe('the cells that were learnt from, as a file', () => {
  let run: TypedRun
  let training: TrainingFile
  /** of each cell of the file, its reference and its row there */
  let from: { source: 0 | 1; row: number }[]
  beforeAll(async () => {
    run = await typed(lab, await twoReferences(), {
      write_training: true,
      max_cells_per_type: 30,
      match_depth: false,
    })
    training = await trainingOf(run)
    const quality = numbersOf(training.obs.columns.get('quality'))
    from = training.obs.index.map((name, cell) => {
      const source = name.endsWith('-0') ? 0 : 1
      return { source, row: quality[cell]! * (source === 0 ? 4 : 1) }
    })
  })

  it('has as many of each type and reference as the table of training cells says', () => {
    expect(training.obs.rows).toBe(run.result.summary.trainingCells)
    const [types, sources] = ['cell_type', 'reference_source'].map((name) =>
      textsOf(training.obs.columns.get(name)),
    )
    const found = new Map<string, number>()
    for (const [cell, type] of types!.entries()) {
      const key = `${type} of ${sources![cell]}`
      found.set(key, (found.get(key) ?? 0) + 1)
    }
    const table = csvOf(run.files.get('training_cells.csv')).filter(({ n_after: after }) => after !== '0')
    expect(found).toEqual(
      new Map(table.map((line) => [`${line.cell_type} of ${line.reference_source}`, Number(line.n_after)])),
    )
    expect(found.size).toBe(10)
  })

  it('has for each cell its counts, and the log of them per 10,000 over these genes', () => {
    expect(training.genes).toEqual([...studyGenes].sort())
    const columns = training.genes.map((gene) => studyGenes.indexOf(gene))
    for (const [cell, { source, row }] of from.entries()) {
      const own = studies[source].counts[row]!
      const wanted = columns.map((column) => own[column]!)
      const total = wanted.reduce((sum, count) => sum + count, 0)
      expect(columns.map((_, gene) => training.counts![cell]!.get(gene) ?? 0)).toEqual(wanted)
      for (const [gene, count] of wanted.entries())
        expect(training.x[cell]!.get(gene) ?? 0).toBeCloseTo(Math.log1p((count / total) * 1e4), 5)
    }
  })

  it('says of each cell its label, reference, class and term, and what its reference says, if that was asked there', () => {
    const { columns } = training.obs
    const truth = from.map(({ source, row }) => studies[source].types[row]!)
    expect(textsOf(columns.get('cell_type'))).toEqual(truth)
    expect(textsOf(columns.get('cell_type_ontology_term_id'))).toEqual(truth.map((type) => termIds.get(type)))
    expect(textsOf(columns.get('original_label'))).toEqual(
      truth.map((type, cell) => (from[cell]!.source === 0 ? type : `${type}s`)),
    )
    expect(textsOf(columns.get('reference_source'))).toEqual(from.map(({ source }) => `ref-${source + 1}`))
    expect(textsOf(columns.get('batch'))).toEqual(
      from.map(({ source, row }) => `b${(row % 3) + (source === 0 ? 0 : 2)}`),
    )
    expect(new Set(training.obs.index).size).toBe(from.length)
    for (const [cell, { source, row }] of from.entries())
      expect(training.obs.index[cell]).toMatch(
        source === 0 ? `cell-${row}-0` : new RegExp(`^cell-${Math.floor(row / 2)}(?:-1)?-1$`),
      )
    const age = columns.get('age')
    expect(age).toMatchObject({ kind: 'number', type: 'int32' })
    const mask = age?.kind === 'number' ? age.mask : undefined
    expect(Array.from(mask!, Boolean)).toEqual(from.map(({ source }) => source === 1))
    expect(numbersOf(age).filter((_, cell) => mask![cell] === 0)).toEqual(
      from.filter(({ source }) => source === 0).map(({ row }) => row),
    )
    expect([...columns.keys()]).toEqual([
      ...['original_label', 'reference_source', 'cell_type_ontology_term_id', 'cell_type'],
      ...['batch', 'age', 'quality'],
    ])
  })

  it('tells what of the references it does not have', () => {
    const told = (code: string) => run.result.notices.filter((notice) => notice.code === code)
    expect(told('TRAINING_COLUMN_LEFT_OUT')).toMatchObject([
      {
        place: 'training.h5ad',
        problem: expect.stringContaining(
          '"score" of the references is not in it: it holds numbers in 1, text in 1',
        ),
      },
    ])
    expect(told('TRAINING_COLUMN_REPLACED')).toMatchObject([
      { problem: expect.stringContaining('"reference_source" of ref-2') },
    ])
    const repeated = new Set(
      from.filter(({ source, row }) => source === 1 && row % 2 === 1).map(({ row }) => row),
    )
    expect(repeated.size).toBeGreaterThan(0)
    expect(told('TRAINING_NAMES_REPEATED').length).toBe(1)
  })

  it('keeps what was found of the labels, and how it was made', () => {
    const findings = JSON.parse(training.uns.validation_results as string)
    expect(findings).toMatchObject([
      { reference: 'reference-1', column: 'cell_type', n_cells: 150, n_types: 5 },
      { reference: 'reference-2', column: 'cell_type', n_cells: 120, n_types: 5 },
    ])
    expect(training.uns.training).toMatchObject({
      references: ['ref-1', 'ref-2'],
      model_id: run.result.summary.model,
    })
    expect(run.files.get('report.html')!.toString()).toContain('training.h5ad')
  })
})

describe('without all that it could hold', () => {
  it('there is no such file unless it is asked for', async () => {
    const { files, result } = await typed(lab, { 'q.h5ad': query(), 'ref-1.h5ad': referenceFile(studies[0]) })
    expect(files.has('training.h5ad')).toBe(false)
    expect(result.outputs).not.toHaveProperty('training')
  })

  it('X is what was learnt of a deeper reference, thinned, and the layer all of its counts', async () => {
    const files = {
      'q.h5ad': query(),
      'ref-1.h5ad': referenceFile(studies[1], {
        obs: { row: numberColumn(Int32Array.from(each(studies[1], (cell) => cell))) },
      }),
    }
    const run = await typed(lab, files, { write_training: true })
    expect(run.codes).toContain('REFERENCE_THINNED')
    const { x, counts, genes, obs, uns } = await trainingOf(run)
    const columns = genes.map((gene) => studyGenes.indexOf(gene))
    let lost = 0
    for (const [cell, row] of numbersOf(obs.columns.get('row')).entries()) {
      const own = studies[1].counts[row]!
      expect(columns.map((_, gene) => counts![cell]!.get(gene) ?? 0)).toEqual(
        columns.map((column) => own[column]!),
      )
      expect([...x[cell]!.keys()].every((gene) => counts![cell]!.has(gene))).toBe(true)
      const total = [...x[cell]!.values()].reduce((sum, value) => sum + Math.expm1(value), 0)
      expect(Math.abs(total - 1e4)).toBeLessThan(0.1)
      lost += counts![cell]!.size - x[cell]!.size
    }
    expect(lost).toBeGreaterThan(0)
    expect(uns.training).toMatchObject({ basis: expect.stringContaining('drawn down') })
  })

  it('it has no layer of counts where a reference has none, and says so', async () => {
    const logs = studies[1].counts.map((row) => {
      const total = row.reduce((sum, count) => sum + count, 0)
      return row.map((count) => Math.log1p((count / total) * 1e4))
    })
    const files = {
      'q.h5ad': query(),
      'ref-1.h5ad': referenceFile(studies[0], { ids: true }),
      'ref-2.h5ad': referenceFile({ ...studies[1], counts: logs }),
    }
    const run = await typed(lab, files, { write_training: true })
    const { counts, x, obs } = await trainingOf(run)
    expect(counts).toBeUndefined()
    expect(x.length).toBe(obs.rows)
    expect(run.notices.get('TRAINING_NO_COUNTS')?.problem).toContain('no raw counts in ref-2')
  })
})
