/** Law: however few, odd or alike cells and labels are, a job of `type-cells` comes to a whole result, and what was left out is said. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column } from '../../../lib/data/cells.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { numbersOf, plain } from '../../support/read-h5ad.ts'
import {
  ensemblNames,
  referenceFile,
  type StudyType,
  simulateStudy,
  studyFile,
  studyGenes,
  studyTypes,
} from '../../support/simulated-studies.ts'
import { csvOf, type JobFiles, shareOf, typed } from '../../support/type-cells-run.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const asked = simulateStudy(3, 40)
const taught = simulateStudy(1, 150)
const reference = referenceFile(taught)
const query = studyFile(asked.counts)
const run = (files: JobFiles, settings: Record<string, unknown> = {}) =>
  typed(lab, { 'q.h5ad': query, 'ref-1.h5ad': reference, ...files }, settings)
const withLabels = (cell_type: Column) => studyFile(taught.counts, { obs: { cell_type } })
const logs = (rows: readonly (readonly number[])[], scale = 1e4) =>
  rows.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count) => Math.log1p((count / total) * scale))
  })

describe('a query', () => {
  it('of one cell has its type, no map and no checks that take more', async () => {
    const made = await run({ 'q.h5ad': studyFile([asked.counts[0]!]) }, { umap: true, generate_plots: true })
    expect(made.predicted).toEqual([asked.types[0]])
    expect(made.codes).toEqual(expect.arrayContaining(['MAP_NOT_MADE', 'DEG_NOT_ASSESSED']))
    expect(made.files.has('umap.png')).toBe(false)
    const checks = csvOf(made.files.get('celltyping_2d_validation.csv'))
    expect(new Set(checks.map(({ status }) => status))).toEqual(new Set(['not-assessed']))
  })

  it('with empty cells, or cells without counts of the shared genes, gives those no type that it is sure of', async () => {
    // every fifth cell has counts of nothing, or of a gene that no reference has
    const counts = asked.counts.map((row, cell) =>
      cell % 5 === 0 ? [...row.map(() => 0), cell % 10 === 0 ? 0 : 500] : [...row, 0],
    )
    const made = await run({ 'q.h5ad': studyFile(counts, { genes: [...studyGenes, 'TP53'] }) })
    for (const [cell, type] of asked.types.entries())
      if (cell % 5 === 0) expect(made.labels[cell]).toBe('Unassigned')
      else expect(made.predicted[cell]).toBe(type)
    expect(numbersOf(made.obs.columns.get('cell_type_confidence')).every(Number.isFinite)).toBe(true)
    expect(made.codes).toContain('CELLS_LOW_COUNTS')
  })

  it('that is the reference itself, and references that are one file twice, are taken as they are', async () => {
    const self = { ...reference }
    const made = await typed(
      lab,
      { 'ref-1.h5ad': self },
      {
        query: 'ref-1.h5ad',
        references: ['ref-1.h5ad', 'ref-1.h5ad'],
        label_columns: ['cell_type', 'cell_type'],
        annotation_prefix: 'again',
      },
    )
    expect(shareOf(made.predicted, taught.types)).toBe(1)
    const sources = csvOf(made.files.get('training_cells.csv')).map(
      ({ reference_source }) => reference_source,
    )
    expect(new Set(sources).size).toBe(2)
  })

  it('and a reference of logs alone are taken back to one basis, and it is said', async () => {
    const files = {
      'q.h5ad': studyFile(logs(asked.counts)),
      'ref-1.h5ad': referenceFile({ ...taught, counts: logs(taught.counts) }),
    }
    const made = await run(files)
    expect(shareOf(made.predicted, asked.types)).toBe(1)
    expect(made.codes).toEqual(expect.arrayContaining(['COUNTS_LOGS_USED', 'COUNTS_NOT_KEPT']))
    expect(await made.look(async (file) => file.matrices)).toEqual(['X'])
    const told = await made.look(async (file) => plain(await file.unstructured('spatialcore_annotation')))
    expect(told).toMatchObject({ counts_state: 'log1p_10k' })
  })

  it('of human symbols is typed by mouse cells', async () => {
    const mouse = studyGenes.map((gene) => gene[0] + gene.slice(1).toLowerCase())
    const made = await run({ 'ref-1.h5ad': referenceFile(taught, { genes: mouse }) })
    expect(made.codes).toContain('GENES_OTHER_SPECIES')
    expect(shareOf(made.predicted, asked.types)).toBeGreaterThan(0.95)
  })

  it('by Ensembl ids has a model of symbols', async () => {
    const made = await run({ 'q.h5ad': studyFile(asked.counts, { genes: await ensemblNames(studyGenes) }) })
    expect(shareOf(made.predicted, asked.types)).toBe(1)
    const record = JSON.parse(made.files.get(made.result.outputs.model_metadata!)!.toString())
    expect(record.genes).toEqual(expect.arrayContaining(['CD3D', 'MS4A1']))
  })
})

describe('labels', () => {
  const hostile = new Map<StudyType, string>([
    ['B cell', '__proto__'],
    ['T cell', '=HYPERLINK("http://x.example","a")'],
    ['fibroblast', 'a/b <b>bold</b>'],
    ['monocyte', `${'x'.repeat(199)}y`],
    ['natural killer cell', 'constructor\u001b[2J\u0007'],
  ])

  it.each([true, false])(
    'of any text are learnt and written as they are (with ontology: %s)',
    async (ontology) => {
      const file = referenceFile(taught, { called: (type) => hostile.get(type) })
      const made = await run(
        { 'ref-1.h5ad': file },
        { add_ontology: ontology, generate_plots: true, umap: true },
      )
      expect(made.predicted).toEqual(asked.types.map((type) => hostile.get(type)))
      expect(new Set(made.texts('cell_type_ontology_term_id'))).toEqual(new Set(['unknown']))
      expect(Object.keys(made.result.summary.labels as object)).toContain('__proto__')
      const page = made.files.get('report.html')!.toString()
      expect(page).not.toContain('<b>bold</b>')
      const table = made.files.get('predictions.csv')!.toString()
      expect(table).toContain(`"'=HYPERLINK(""http`)
      expect(table).not.toMatch(/(?:^|,)"?=HYPERLINK/m)
      const colours = JSON.parse(made.files.get(made.result.outputs.colours!)!.toString())
      expect(new Set(Object.keys(colours))).toEqual(new Set(hostile.values()))
      expect(made.notices.get('INTERNAL')).toBeUndefined()
    },
  )

  it('named as what every object has are labels like others', async () => {
    const names = ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf']
    const file = referenceFile(taught, { called: (type) => names[studyTypes.indexOf(type)] })
    for (const add_ontology of [true, false]) {
      const made = await run({ 'ref-1.h5ad': file }, { add_ontology, generate_plots: !add_ontology })
      expect(made.predicted).toEqual(asked.types.map((type) => names[studyTypes.indexOf(type)]))
      expect(new Set(made.texts('cell_type_ontology_label'))).toEqual(new Set(['unknown']))
      expect(new Set(made.texts('cell_type_ontology_tier'))).toEqual(new Set(['unmapped']))
      if (add_ontology) continue
      const checks = csvOf(made.files.get('celltyping_2d_validation.csv'))
      expect(new Set(checks.map((line) => `${line.markers_of}${line.markers_from}`))).toEqual(new Set(['']))
    }
  })

  it('may be whole numbers or truth values', async () => {
    const numbers = Int32Array.from(taught.types, (type) => studyTypes.indexOf(type))
    const byNumber = await run({
      'ref-1.h5ad': withLabels({ kind: 'number', type: 'int32', values: numbers }),
    })
    expect(byNumber.predicted).toEqual(asked.types.map((type) => String(studyTypes.indexOf(type))))
    expect(byNumber.codes).toContain('SUSPICIOUS_LABELS')
    const isT = Uint8Array.from(taught.types, (type) => Number(type === 'T cell'))
    const byTruth = await run({ 'ref-1.h5ad': withLabels({ kind: 'boolean', values: isT }) })
    expect(new Set(byTruth.predicted).size).toBe(2)
  })

  it('that a few cells lack are said, and those cells train nothing', async () => {
    const called = (type: StudyType, cell: number) => (cell < 5 ? undefined : type)
    const made = await run({ 'ref-1.h5ad': referenceFile(taught, { called }) })
    expect(made.notices.get('NULL_VALUES')?.problem).toContain('5 of 150')
    expect(made.result.summary.trainingCells).toBe(145)
  })

  it('of two types are told apart, with scores of either sign', async () => {
    const two = { types: studyTypes.slice(0, 2) }
    const [few, some] = [simulateStudy(3, 20, two), simulateStudy(1, 60, two)]
    const made = await run({ 'q.h5ad': studyFile(few.counts), 'ref-1.h5ad': referenceFile(some) })
    expect(shareOf(made.predicted, few.types)).toBe(1)
    const zscores = await run(
      { 'q.h5ad': studyFile(few.counts), 'ref-1.h5ad': referenceFile(some) },
      { confidence_transform: 'zscore' },
    )
    expect(zscores.codes).toContain('CONFIDENCE_CEILING')
    expect(new Set(zscores.labels)).toEqual(new Set(['Unassigned']))
  })

  it('of one cell alone are learnt where that is wanted', async () => {
    const called = (type: StudyType, cell: number) => (cell === 7 ? 'lone cell' : type)
    const made = await run(
      { 'ref-1.h5ad': referenceFile(taught, { called }) },
      { filter_min_cells: false, min_cells_per_type: 0 },
    )
    expect(made.result.summary.types).toBe(6)
    expect(shareOf(made.predicted, asked.types)).toBeGreaterThan(0.9)
    expect(made.codes).toEqual(expect.arrayContaining(['LOW_CELL_COUNTS', 'CALIBRATION_LABELS']))
  })
})
