/** Contract: every setting of `type-cells` about confidence, labels and what is written does what it says. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { transformConfidence } from '../../../lib/labels/confidence-transforms.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf } from '../../support/read-h5ad.ts'
import { runStepsOf } from '../../support/road-run.ts'
import {
  categorical,
  referenceFile,
  simulateStudy,
  studyFile,
  studyTypes,
} from '../../support/simulated-studies.ts'
import {
  csvOf,
  type JobFiles,
  resultOf,
  shareOf,
  type TypedRun,
  typed,
} from '../../support/type-cells-run.ts'
import { walk } from '../../support/walk.ts'
import { asked, type Called, cells, confidenceOf, filesOf, query, runStudy } from './one-study.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const run = (called?: Called, settings: Record<string, unknown> = {}, more: JobFiles = {}) =>
  runStudy(lab, { called, settings, more })
const scoresOf = ({ look }: TypedRun, classes = studyTypes.length) =>
  look(async (file) => arrayOf(await file.mapping('obsm'), 'cell_type_decision_scores', [cells, classes]))

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
