/** Contract: the three files of SpatialCore's save_model_artifacts, their names and keys; and a record of training that bounds what it takes. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { product } from '../../lib/job/product.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import type { LinearModel } from '../../lib/models/linear-model.ts'
import { type ModelFile, modelFiles } from '../../lib/models/model-files.ts'
import { type TrainingRecord, trainingRecord } from '../../lib/models/training-record.ts'
import { assignColours } from '../../lib/report/colours.ts'
import { seededModel, toyModel } from './toy-model.ts'

const training: TrainingRecord = {
  references: [
    { name: 'blood.h5ad', etag: '"9f"', label_column: 'cell_type', cells_used: 9 },
    { name: 'lung.h5ad', etag: null, label_column: 'ann_finest_level', cells_used: 3 },
  ],
  label_column: 'cell_type_ontology_label',
  panel_genes: 4,
  cells_by_label: [
    { label: 'B', cells: 4 },
    { label: 'M', cells: 6 },
    { label: 'T', cells: 2 },
  ],
  balance_strategy: 'proportional',
  max_cells_per_type: 5000,
  min_cells_per_type: 50,
  target_proportions: [{ label: 'T', share: 0.2 }],
  seed: 42,
  classifier: 'sgd_mini_batch',
  loss: 'ovr',
  parameters: { alpha: 1e-4, epochs: 10, batch_size: 1000, batch_number: 200, balance_cell_type: true },
  notices: 2,
}

const coloursOf = (model: LinearModel): Map<string, string> => assignColours(model.card.labels)

function parsed(files: ModelFile[], name: string): Record<string, unknown> {
  const file = files.find((one) => one.name === name)
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file?.bytes))
}

/** The toy under other labels. Its card is not checked again: the files must be right whatever a card lets through. */
function relabelled(labels: string[]): LinearModel {
  const model = seededModel(1, { genes: 3, labels: labels.length })
  return { ...model, card: { ...model.card, labels } }
}

describe('the files of a model', () => {
  it('are the three of SpatialCore, named after the model', () => {
    const model = toyModel()
    const files = modelFiles(model, { training, colours: coloursOf(model) })
    expect(files.map(({ name }) => name)).toEqual(['toy.pkl', 'toy_celltypist.json', 'toy_colors.json'])
    const facts = { name: 'toy', organism: 'x', licence: '', source: '', ontology: new Map(), created: '' }
    const { weights, intercept, mean, scale } = importCelltypist(files[0]!.bytes, facts).model
    expect({ weights, intercept, mean, scale }).toEqual({
      ...{ weights: model.weights, intercept: model.intercept, mean: model.mean, scale: model.scale },
    })
    expect(parsed(files, 'toy_colors.json')).toEqual({ B: '#F5252F', M: '#FB3FFC', T: '#00FFFF' })
  })

  it('say of the training what both of its schemas say', () => {
    const model = toyModel()
    const files = modelFiles(model, { training, colours: coloursOf(model) })
    expect(parsed(files, 'toy_celltypist.json')).toEqual({
      model_name: 'toy',
      created_at: '2026-01-01T00:00:00Z',
      celldrop_version: product.version,
      celltypist_version: null,
      n_genes: 4,
      n_cell_types: 3,
      cell_types: ['B', 'M', 'T'],
      genes: ['CD3D', 'MS4A1', 'LYZ', 'ACTB'],
      training: {
        n_cells: 12,
        n_genes: 4,
        n_cell_types: 3,
        label_column: 'cell_type_ontology_label',
        use_SGD: true,
        mini_batch: true,
        balance_cell_type: true,
        feature_selection: null,
        n_jobs: null,
        max_iter: null,
        epochs: 10,
        batch_size: 1000,
        batch_number: 200,
        alpha: 1e-4,
        multi_class: 'ovr',
        classifier: 'sgd_mini_batch',
        seed: 42,
        balance_strategy: 'proportional',
        max_cells_per_type: 5000,
        min_cells_per_type: 50,
        target_proportions: { T: 0.2 },
        n_notices: 2,
      },
      references: [
        { name: 'blood.h5ad', n_cells_used: 9, etag: '"9f"', label_column: 'cell_type' },
        { name: 'lung.h5ad', n_cells_used: 3, etag: null, label_column: 'ann_finest_level' },
      ],
      panel_genes: { n_genes: 4, genes: ['CD3D', 'MS4A1', 'LYZ', 'ACTB'], genes_truncated: false },
      cell_type_summary: { B: 4, M: 6, T: 2 },
    })
  })

  it('list all genes once and the first 50 of the panel, and say when that is not all', () => {
    const model = seededModel(2, { genes: 51, labels: 2 })
    const files = modelFiles(model, { training: undefined, colours: coloursOf(model) })
    const told = parsed(files, 'toy_celltypist.json')
    expect(told.genes).toEqual(model.card.genes)
    expect(told.panel_genes).toEqual({
      n_genes: 51,
      genes: model.card.genes.slice(0, 50),
      genes_truncated: true,
    })
  })

  it('of an imported model say what its file said, and null for what nobody knows', () => {
    const model = toyModel()
    const told = parsed(
      modelFiles(model, { training: undefined, colours: coloursOf(model) }),
      'toy_celltypist.json',
    )
    expect(told).toMatchObject({ references: [], cell_type_summary: {} })
    expect(told.training).toEqual({
      ...{ n_cells: 12, n_genes: 4, n_cell_types: 3, label_column: null, multi_class: 'ovr', C: 1 },
      ...{ use_SGD: false, mini_batch: null, balance_cell_type: null, feature_selection: null },
      ...{ n_jobs: null, max_iter: null, epochs: null, batch_size: null, batch_number: null },
    })
  })

  it('hold every label as a key of its own, whatever it is called', () => {
    const names = fc.oneof(
      fc.constantFrom('__proto__', 'constructor', 'a/b', '1', '"'),
      fc.string({ unit: 'grapheme', minLength: 1 }),
    )
    const labels = fc.uniqueArray(names, { minLength: 2, maxLength: 6 })
    fc.assert(
      fc.property(labels, (given) => {
        const model = relabelled(given)
        const record = {
          ...training,
          cells_by_label: given.map((label, i) => ({ label, cells: i })),
          target_proportions: given.map((label) => ({ label, share: 0.1 })),
        }
        const files = modelFiles(model, { training: record, colours: coloursOf(model) })
        const told = parsed(files, 'toy_celltypist.json')
        const tables = [told.cell_type_summary, parsed(files, 'toy_colors.json')]
        for (const table of tables) expect(Object.keys(table as object).sort()).toEqual([...given].sort())
        for (const [i, label] of given.entries())
          expect(Object.getOwnPropertyDescriptor(told.cell_type_summary, label)?.value).toBe(i)
      }),
    )
  })

  it('are not made with a label that has no colour', () => {
    expect(() => modelFiles(toyModel(), { training, colours: new Map([['B', '#000000']]) })).toThrow(
      'no colour for the label "M"',
    )
  })
})

describe('a record of a training', () => {
  it('is the same after it was JSON', () => {
    expect(trainingRecord.parse(JSON.parse(JSON.stringify(training)))).toEqual(training)
    const odd = [
      { label: '__proto__', cells: 1 },
      { label: 'a/b', cells: 0 },
    ]
    const record = trainingRecord.parse(JSON.parse(JSON.stringify({ ...training, cells_by_label: odd })))
    expect(record.cells_by_label).toEqual(odd)
  })

  it.each([
    ['a key that it does not know', { ...training, path: '/home/me' }],
    ['a setting that it does not know', { ...training, parameters: { n_jobs: -1 } }],
    ['a label twice', { ...training, cells_by_label: [1, 2].map((cells) => ({ label: 'B', cells })) }],
    ['half a cell', { ...training, cells_by_label: [{ label: 'B', cells: 0.5 }] }],
    ['a share above one', { ...training, target_proportions: [{ label: 'T', share: 1.1 }] }],
    ['a seed that is none', { ...training, seed: -1 }],
    ['no end of references', { ...training, references: new Array(1001).fill(training.references[0]) }],
    ['a label without end', { ...training, cells_by_label: [{ label: 'x'.repeat(513), cells: 1 }] }],
  ])('does not take %s', (_, record) => {
    expect(trainingRecord.safeParse(record).success).toBe(false)
  })
})
