/** Contract: every setting of `type-cells` about what is learnt does what it says, seen in what the job leaves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importCelltypist } from '../../../lib/models/celltypist-import.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { studyTypes } from '../../support/simulated-studies.ts'
import { csvOf, type JobFiles, learntCells, shareOf, type TypedRun } from '../../support/type-cells-run.ts'
import { asked, type Called, filesOf, runStudy } from './one-study.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const run = (called?: Called, settings: Record<string, unknown> = {}, more: JobFiles = {}) =>
  runStudy(lab, { called, settings, more })
/** the same, as far as it is known which cells are learnt from */
const chosen = (called?: Called, settings: Record<string, unknown> = {}, more: JobFiles = {}) =>
  learntCells(lab, filesOf(called, more), settings)
/** cells of each class that were learnt from */
const learnt = ({ files }: TypedRun) =>
  Object.fromEntries(
    csvOf(files.get('training_cells.csv')).map((line) => [line.cell_type, Number(line.n_after)]),
  )
/** one type under a name that no ontology knows, with a few cells called otherwise */
const withOddLabels: Called = (type, cell) => {
  if (cell < 6) return 'Unknown'
  if (cell < 10) return 'debris'
  return type === 'monocyte' ? 'Zed 1' : type
}

describe('labels of the references', () => {
  it('that name no type or are rare are left out, and said', async () => {
    const made = await run(withOddLabels)
    expect(Object.keys(learnt(made))).toEqual([
      'B cell',
      'T cell',
      'Zed 1',
      'fibroblast',
      'natural killer cell',
    ])
    expect(made.notices.get('LABELS_EXCLUDED')?.problem).toContain('"Unknown" (6)')
    expect(made.notices.get('LABELS_RARE')?.problem).toContain('"debris" (4)')
    expect(made.notices.get('ONTOLOGY_UNMAPPED')?.problem).toContain('Zed 1')
    const ofOdd = made
      .texts('cell_type_ontology_term_id')
      .filter((_, cell) => made.predicted[cell] === 'Zed 1')
    expect(new Set(ofOdd)).toEqual(new Set(['unknown']))
  })

  it('are left out as exclude_labels and filter_min_cells say', async () => {
    const settings = {
      exclude_labels: ['debris'],
      filter_min_cells: false,
      min_cells_per_type: 0,
      add_ontology: false,
    }
    const made = await run(withOddLabels, settings)
    expect(learnt(made)).toMatchObject({ Unknown: 6, 'Zed 1': 28 })
    expect(learnt(made)).not.toHaveProperty('debris')
    expect(made.codes).not.toContain('LABELS_RARE')
    expect(made.files.has('ontology_review.csv')).toBe(false)
    expect(new Set(made.texts('cell_type_ontology_term_id'))).toEqual(new Set(['unknown']))
  })

  it('that name no type are told of even where exclude_labels is empty', async () => {
    const called: Called = (type, cell) => (cell < 30 ? 'Other' : type)
    const { cells: own, notices } = await chosen(called, { exclude_labels: [] })
    expect(own).not.toHaveProperty('Other')
    expect(notices).toContainEqual(
      expect.objectContaining({ code: 'LABELS_SKIPPED', problem: expect.stringContaining('Other') }),
    )
  })

  it('without a term are dropped, given one, or reviewed', async () => {
    const dropped = await chosen(withOddLabels, { unmapped_labels: 'drop' })
    expect(dropped.cells).not.toHaveProperty('Zed 1')
    const given = await run(withOddLabels, { ontology: { 'Zed 1': 'CL:0000576' } })
    expect(learnt(given)).toMatchObject({ monocyte: 28 })
    expect(new Set(given.texts('cell_type_ontology_tier'))).toContain('existing')
  })

  it('are what a person made of them in the review of an earlier run', async () => {
    const first = await run(withOddLabels)
    const table = first.files.get('ontology_review.csv')!.toString()
    const decisions = new Map([
      ['Zed 1', 'CL:0000576'],
      ['fibroblast', 'drop'],
      ['T cell', 'keep'],
    ])
    const edited = table
      .split('\r\n')
      .map((line) => {
        const label = line.split(',')[0]!.replaceAll('"', '')
        return line.replace(/(?:"")?$/, decisions.get(label) ?? '')
      })
      .join('\r\n')
    expect(edited).not.toBe(table)
    const second = await run(withOddLabels, { ontology_review: 'r.csv' }, { 'r.csv': edited })
    expect(Object.keys(learnt(second))).toEqual(['B cell', 'T cell', 'monocyte', 'natural killer cell'])
    const reviewed = csvOf(second.files.get('ontology_review.csv'))
    const lineOf = (label: string) => reviewed.find((line) => line.label === label)
    expect(lineOf('Zed 1')).toMatchObject({ cl_id: 'CL:0000576', tier: 'reviewed' })
    expect(lineOf('T cell')).toMatchObject({ cl_id: '', tier: 'reviewed' })
    expect(lineOf('fibroblast')).toMatchObject({ tier: 'skipped' })
  })

  it('of one term are one class, or classes of their own where group_by is label', async () => {
    const called: Called = (type, cell) => (type === 'T cell' && cell % 2 === 0 ? 'T cells' : type)
    expect((await chosen(called)).cells).toMatchObject({ 'T cell': 30 })
    const made = await run(called, { group_by: 'label' })
    expect(learnt(made)).toMatchObject({ 'T cell': 15, 'T cells': 15 })
    const ids = made.texts('cell_type_ontology_term_id').filter((_, cell) => asked.types[cell] === 'T cell')
    expect(new Set(ids)).toEqual(new Set(['CL:0000084']))
  })

  it('of subtypes become their parent where granularity is spatial', async () => {
    const called: Called = (type) => (type === 'monocyte' ? 'conventional dendritic cell' : type)
    expect((await chosen(called)).cells).toMatchObject({ 'conventional dendritic cell': 30 })
    expect((await chosen(called, { granularity: 'spatial' })).cells).toMatchObject({ 'dendritic cell': 30 })
  })
})

describe('training cells', () => {
  it('are capped by reference and by type', async () => {
    const { cells: some, notices } = await chosen(undefined, { max_cells_per_ref: 75 })
    expect(some).toEqual(Object.fromEntries(studyTypes.map((type) => [type, 15])))
    expect(notices.map(({ code }) => code)).toContain('REFERENCE_CAPPED')
    const { cells: capped } = await chosen(undefined, { max_cells_per_type: 12 })
    expect(capped).toEqual(Object.fromEntries(studyTypes.map((type) => [type, 12])))
  })

  it('have the proportions that were asked for, whether in the job, as JSON or as CSV', async () => {
    const settings = { min_cells_per_type: 5 }
    // by label, by name and by id
    const shares = { 'T cells': 0.05, 'CL:0000576': 0.1 }
    const called: Called = (type) => (type === 'T cell' ? 'T cells' : type)
    const csv = `cell_type,proportion\r\n${Object.entries(shares)
      .map(([type, share]) => `${type},${share}`)
      .join('\r\n')}\r\n`
    const files = { 'p.json': JSON.stringify(shares), 'p.csv': csv }
    const of = async (given: unknown) =>
      (await chosen(called, { ...settings, target_proportions: given }, files)).cells
    const inline = await of(shares)
    const total = Object.values(inline).reduce((sum, count) => sum + count, 0)
    expect(inline['T cell']! / total).toBeCloseTo(0.05, 1)
    expect(inline.monocyte! / total).toBeCloseTo(0.1, 1)
    expect(inline['B cell']).toBe(30)
    expect(await of('p.json')).toEqual(inline)
    expect(await of('p.csv')).toEqual(inline)
  })
})

describe('a classifier', () => {
  it.each([
    ['sgd', { classifier: 'sgd', max_iter: 20 }, 'SGDClassifier'],
    ['sgd_mini_batch', { classifier: 'sgd_mini_batch', batch_size: 40, epochs: 3 }, 'SGDClassifier'],
    ['multinomial', { multi_class: 'multinomial' }, 'LogisticRegression'],
    ['few genes', { feature_selection: true, top_genes: 4 }, 'LogisticRegression'],
  ])('by %s is trained, recorded and saved as CellTypist reads it', async (kind, settings, estimator) => {
    const made = await run(undefined, settings)
    expect(shareOf(made.predicted, asked.types)).toBeGreaterThan(0.95)
    const name = made.result.outputs.model!
    const { model } = importCelltypist(made.files.get(name)!, {
      ...{ name: 'x', organism: 'Homo sapiens', licence: '', source: '' },
      ...{ ontology: new Map(), created: '2026-11-21T00:00:00Z' },
    })
    expect(model.card.labels).toEqual(studyTypes)
    expect(model.card.trained.estimator).toBe(estimator)
    const record = JSON.parse(made.files.get(made.result.outputs.model_metadata!)!.toString())
    expect(record.training).toMatchObject({
      use_SGD: estimator === 'SGDClassifier',
      mini_batch: kind === 'sgd_mini_batch',
      n_cells: 150,
      ...('epochs' in settings && { epochs: 3, batch_size: 40 }),
      ...(kind === 'multinomial' && { multi_class: 'multinomial' }),
    })
    if (kind === 'few genes') {
      expect(record.n_genes).toBeLessThanOrEqual(20)
      expect(model.card.genes).toEqual(record.genes)
    }
  })
})
