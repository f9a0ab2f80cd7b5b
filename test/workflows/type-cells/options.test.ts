/** Contract: every setting of `type-cells` does what it says, seen in what the job leaves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transformConfidence } from '../../../lib/labels/confidence-transforms.ts'
import { importCelltypist } from '../../../lib/models/celltypist-import.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf } from '../../support/read-h5ad.ts'
import { runStepsOf } from '../../support/road-run.ts'
import {
  categorical,
  referenceFile,
  type StudyType,
  simulateStudy,
  studyFile,
  studyTypes,
} from '../../support/simulated-studies.ts'
import {
  csvOf,
  type JobFiles,
  learntCells,
  resultOf,
  shareOf,
  type TypedRun,
  typed,
} from '../../support/type-cells-run.ts'
import { walk } from '../../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const cells = 50
const asked = simulateStudy(3, cells)
const taught = simulateStudy(1, 150)
const query = studyFile(asked.counts)

type Called = (type: StudyType, cell: number) => string | undefined
const filesOf = (called: Called = (type) => type, more: JobFiles = {}): JobFiles => ({
  'q.h5ad': query,
  'ref-1.h5ad': referenceFile(taught, { called }),
  ...more,
})
const run = (called?: Called, settings: Record<string, unknown> = {}, more: JobFiles = {}) =>
  typed(lab, filesOf(called, more), settings)
/** the same, as far as it is known which cells are learnt from */
const chosen = (called?: Called, settings: Record<string, unknown> = {}, more: JobFiles = {}) =>
  learntCells(lab, filesOf(called, more), settings)
/** cells of each class that were learnt from */
const learnt = ({ files }: TypedRun) =>
  Object.fromEntries(
    csvOf(files.get('training_cells.csv')).map((line) => [line.cell_type, Number(line.n_after)]),
  )
const scoresOf = ({ look }: TypedRun, classes = studyTypes.length) =>
  look(async (file) => arrayOf(await file.mapping('obsm'), 'cell_type_decision_scores', [cells, classes]))
const confidenceOf = ({ obs }: TypedRun) => numbersOf(obs.columns.get('cell_type_confidence'))

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

describe('confidence', () => {
  it.each(['zscore', 'softmax', 'minmax', 'raw'] as const)(
    'as %s is what that makes of the scores',
    async (method) => {
      const made = await run(undefined, { confidence_transform: method, out_of_reference: false })
      const scores = Float32Array.from(await scoresOf(made))
      const expected = transformConfidence(scores, { labels: studyTypes.length, method })
      const raw = numbersOf(made.obs.columns.get('cell_type_confidence_raw'))
      const confidence = confidenceOf(made)
      for (let cell = 0; cell < cells; cell++)
        expect(confidence[cell]).toBeCloseTo(method === 'raw' ? raw[cell]! : expected[cell]!, 5)
      expect(made.labels).toEqual(
        made.predicted.map((type, cell) => (confidence[cell]! < 0.8 ? 'Unassigned' : type)),
      )
      const page = made.files.get('report.html')!.toString()
      expect(page).toContain('is no probability')
    },
  )

  it('below the threshold leaves a cell unassigned, and at 0 none', async () => {
    const all = await run(undefined, { confidence_threshold: 0, out_of_reference: false })
    expect(all.labels).toEqual(all.predicted)
    expect(new Set(all.texts('cell_type_reason'))).toEqual(new Set(['assigned']))
    const none = await run(undefined, { confidence_threshold: 1 })
    const sure = confidenceOf(none)
    for (const [cell, label] of none.labels.entries())
      expect(label === 'Unassigned').toBe(
        sure[cell]! < 1 || none.texts('cell_type_reason')[cell] !== 'assigned',
      )
    expect(none.labels.filter((label) => label === 'Unassigned').length).toBeGreaterThan(cells / 2)
  })

  it('falls where a cell is unlike all that was learnt from, unless that is not asked', async () => {
    const known = { types: studyTypes.filter((type) => type !== 'fibroblast') }
    const reference = referenceFile(simulateStudy(1, 400, known))
    const files = { 'q.h5ad': query, 'ref-1.h5ad': reference }
    const strangers = asked.types.map((type) => type === 'fibroblast')
    const made = await typed(lab, files)
    const out = made.texts('cell_type_reason').map((reason) => reason === 'out-of-reference')
    const caught = out.filter((isOut, cell) => isOut && strangers[cell]).length
    expect(caught / strangers.filter(Boolean).length).toBeGreaterThan(0.7)
    expect(out.filter((isOut, cell) => isOut && !strangers[cell]).length).toBeLessThan(cells * 0.1)
    const off = await typed(lab, files, { out_of_reference: false })
    expect(off.texts('cell_type_reason')).not.toContain('out-of-reference')
    expect(off.obs.columns.has('cell_type_out_of_reference')).toBe(false)
  })
})

describe('labels', () => {
  it('are broadened to what the cell is sure of', async () => {
    // two in three B cells bear a narrower label that nothing tells apart
    const called: Called = (type, cell) => (type === 'B cell' && cell % 3 > 0 ? 'naive B cell' : type)
    const files = { 'q.h5ad': query, 'ref-1.h5ad': referenceFile(simulateStudy(1, 400), { called }) }
    const settings = { out_of_reference: false, confidence_threshold: 0, write_probabilities: true }
    const plain = await typed(lab, files, settings)
    const classes = [...studyTypes.slice(0, 4), 'naive B cell', 'natural killer cell'].sort()
    const probabilities = await plain.look(async (file) =>
      arrayOf(await file.mapping('obsm'), 'cell_type_probabilities', [cells, 6]),
    )
    const of = (cell: number, label: string) => probabilities[cell * 6 + classes.indexOf(label)]!
    const both = (cell: number) => of(cell, 'B cell') + of(cell, 'naive B cell')
    const narrow = [...asked.types.keys()].filter((cell) => plain.predicted[cell] === 'naive B cell')
    const middle = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
    // where about half of the cells are sure of both together and not of one
    const threshold = (middle(narrow.map((cell) => of(cell, 'naive B cell'))) + middle(narrow.map(both))) / 2
    const broad = await typed(lab, files, {
      ...settings,
      confidence_threshold: threshold,
      broaden_labels: true,
    })
    const reasons = broad.texts('cell_type_reason')
    for (const cell of narrow) {
      const isSure = of(cell, 'naive B cell') >= threshold
      const isBroad = !isSure && both(cell) >= threshold
      const label = isSure ? 'naive B cell' : isBroad ? 'B cell' : 'Unassigned'
      expect([broad.labels[cell], reasons[cell] === 'broadened']).toEqual([label, isBroad])
      if (isBroad) expect(confidenceOf(broad)[cell]).toBeCloseTo(both(cell), 5)
    }
    expect(reasons).toContain('broadened')
  })

  it('that few cells have become Low_count', async () => {
    const rare = simulateStudy(9, 40, { types: [...studyTypes.slice(0, 4), ...studyTypes.slice(0, 4)] })
    const one = simulateStudy(10, 2, { types: ['natural killer cell'] })
    const files = { ...filesOf(), 'q.h5ad': studyFile([...rare.counts, ...one.counts]) }
    const settings = { min_cells_per_predicted_type: 5, out_of_reference: false, confidence_threshold: 0 }
    const made = await typed(lab, files, settings)
    expect(made.labels.slice(40)).toEqual(['Low_count', 'Low_count'])
    expect(made.predicted.slice(40)).toEqual(['natural killer cell', 'natural killer cell'])
    expect(made.texts('cell_type_reason').slice(40)).toEqual(['low-count', 'low-count'])
  })

  it('are what most cells of a cluster have, or Heterogeneous', async () => {
    // the first cluster is mixed, the others are of one type each
    const clusters = asked.types.map((type, cell) => (cell < 10 ? 'mixed' : type))
    const files = {
      ...filesOf(),
      'q.h5ad': studyFile(asked.counts, { obs: { leiden: categorical(clusters) } }),
    }
    const made = await typed(lab, files, { majority_voting: true, min_proportion: 0.5 })
    expect(made.labels.slice(0, 10)).toEqual(new Array(10).fill('Heterogeneous'))
    expect(new Set(made.texts('cell_type_reason').slice(0, 10))).toEqual(new Set(['heterogeneous']))
    expect(made.predicted.slice(10)).toEqual(asked.types.slice(10))
    expect(made.texts('cell_type_predicted_by_cell')).toEqual(asked.types)
    expect(new Set(made.texts('cell_type_ontology_term_id').slice(0, 10))).toEqual(new Set(['unknown']))
  })

  it('need their markers where filter_by_markers is on: the given ones count first', async () => {
    const { counts, types } = simulateStudy(12, 300, { types: ['B cell', 'T cell'] })
    // every third B cell has none of the marker
    const marker = 0
    const silenced = types.map((type, cell) => type === 'B cell' && cell % 3 === 0)
    const rows = counts.map((row, cell) =>
      row.map((count, gene) => (silenced[cell] && gene === marker ? 0 : count)),
    )
    const files = { ...filesOf(), 'q.h5ad': studyFile(rows), 'm.json': '{"B cell":["MS4A1"]}' }
    const made = await typed(lab, files, {
      ...{ filter_by_markers: true, generate_plots: true, markers: 'm.json' },
      ...{ out_of_reference: false, confidence_threshold: 0 },
    })
    const reasons = made.texts('cell_type_reason')
    for (const [cell, isSilenced] of silenced.entries())
      if (isSilenced && made.predicted[cell] === 'B cell') {
        expect(made.labels[cell]).toBe('Unassigned')
        expect(reasons[cell]).toBe('markers')
      }
    expect(reasons.filter((reason) => reason === 'markers').length).toBeGreaterThanOrEqual(40)
    const table = csvOf(made.files.get('celltyping_2d_validation.csv'))
    expect(table.find(({ cell_type }) => cell_type === 'B cell')).toMatchObject({
      markers: 'MS4A1',
      markers_from: 'given',
      n_markers: '1',
    })
  })
})

describe('what is written', () => {
  it('has the prefix asked for, replaces an earlier run only when told to, and leaves out what is not wanted', async () => {
    const first = await run(undefined, {
      annotation_prefix: 'mine',
      write_probabilities: true,
      keep_counts: false,
    })
    expect(first.obs.columns.has('mine_ontology_term_id')).toBe(true)
    expect([...first.obs.columns.keys()].every((name) => name.startsWith('mine'))).toBe(true)
    const [keys, matrices] = await first.look(async (file) => [
      [...(await file.mapping('obsm')).keys()].sort(),
      file.matrices,
    ])
    expect(keys).toEqual(['mine_decision_scores', 'mine_probabilities'])
    expect(matrices).toEqual(['X'])
    expect([...first.files.keys()].some((name) => name.endsWith('.png'))).toBe(false)
    expect(first.obs.columns.has('mine_marker_check')).toBe(false)

    const files = { ...filesOf(), 'q.h5ad': first.files.get('q.annotated.h5ad')! }
    await expect(typed(lab, files, { annotation_prefix: 'mine' })).rejects.toMatchObject({
      code: 'OUTPUT_EXISTS',
      place: expect.stringContaining('/obs/mine'),
    })
    const settings = { annotation_prefix: 'mine', overwrite: true, out_of_reference: false }
    const second = await typed(lab, files, { ...settings, store_decision_scores: false })
    expect(second.predicted).toEqual(first.predicted)
    // what the later run did not make is gone, not left from the earlier one
    expect(second.obs.columns.has('mine_out_of_reference')).toBe(false)
    expect(await second.look(async (file) => [...(await file.mapping('obsm')).keys()])).toEqual([])
    expect(await second.look(async (file) => file.matrices)).toEqual(['X', 'layers/counts'])
  })
})

describe("SpatialCore's own configuration", () => {
  it('makes a job with nothing but a workflow and a query added', async () => {
    const folder = 'jobs/yaml'
    await lab.upload(`${folder}/xenium_lung.h5ad`, query)
    await lab.upload(`${folder}/hlca.h5ad`, referenceFile(simulateStudy(1, 300)))
    await lab.upload(`${folder}/lung.h5ad`, referenceFile(simulateStudy(2, 250)))
    const config = `workflow: type-cells
query: xenium_lung.h5ad
tissue: lung
references:
  - hlca.h5ad
  - lung.h5ad
label_columns:
  - cell_type
  - cell_type
balance_strategy: proportional
max_cells_per_type: 5000
max_cells_per_ref: 100000
confidence_threshold: 0.8
add_ontology: true
generate_plots: true
`
    const state = await walk(await lab.upload(`${folder}/job.yaml`, config), lab.environment, 'PlanCompute')
    expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0, 0])
    const made = await resultOf(lab, { state })
    expect(shareOf(made.predicted, asked.types)).toBe(1)
    expect(made.result.summary.trainingCells).toBe(550)
    expect(Object.keys(made.result.outputs)).toEqual(
      expect.arrayContaining(['h5ad', 'model', 'plot_confidence', 'plot_2d_validation', 'umap']),
    )
  })
})
