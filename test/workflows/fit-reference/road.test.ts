/** Contract: the whole road of `fit-reference` on simulated cells of two batches: what it writes, what it finds, and that one job has one result. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import { importScvi, openScviModel } from '../../../lib/models/scvi-import.ts'
import { runStep } from '../../../lib/workflows/road/run-step.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf, textsOf } from '../../support/read-h5ad.ts'
import { fingerprints, runStepOf, runStepsOf } from '../../support/road-run.ts'
import { simulatedGenes, simulatedTypes } from '../../support/simulated-cells.ts'
import { walk } from '../../support/walk.ts'
import {
  atlasOf,
  fitted,
  gathered,
  type Made,
  refusal,
  simulatedParts,
  small,
  texts,
  uploadAtlas,
} from './atlas.ts'

const cells = 240
const { counts, types, batches } = simulatedParts(3, cells)
/** two cells of seven without a label: "Unknown", or no value at all */
const labels = types.map((type, cell) => (cell % 7 === 0 ? 'Unknown' : cell % 7 === 3 ? '' : type))

const ordered = ['B cell', 'T cell', 'natural killer cell', 'monocyte', 'Unknown']

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

describe('a reference with labels', () => {
  let made: Made
  beforeAll(async () => {
    const atlas = atlasOf({ counts, types: labels, batches })
    made = await fitted(lab, await uploadAtlas(lab, atlas, { write_probabilities: true }))
  })
  afterAll(() => made.file.close())

  it('leaves atlas, model, page, pictures and tables, and nothing else', () => {
    expect([...made.files.keys()].sort()).toEqual([
      'atlas.annotated.h5ad',
      'genes.csv',
      'held_out.csv',
      'label_distribution.png',
      'model/model.pt',
      'predictions.csv',
      'report.html',
      'result.json',
      'training_history.csv',
      'training_scanvi.png',
      'training_scvi.png',
      'umap.png',
    ])
    expect(made.result.summary).toMatchObject({
      cells,
      cellsLearntFrom: cells,
      modelGenes: simulatedGenes.length,
      batches: 2,
      kind: 'scanvi',
      name: 'mine',
      epochs: { scvi: 25, scanvi: 12 },
    })
    expect(made.result.timings.map(({ step }) => step)).toEqual(['Prepare', 'Fit', 'Embed', 'Label'])
  })

  it('tells types apart in cells whose labels it was not taught, and in those that have none', async () => {
    const { heldOut, labelAgreement, batchMixing } = made.result.summary as {
      heldOut: { labelled: number; accuracy: number }
      labelAgreement: number
      batchMixing: number
    }
    expect(heldOut.labelled).toBe(17)
    expect(heldOut.accuracy).toBeGreaterThan(0.9)
    expect(labelAgreement).toBeGreaterThan(0.9)
    expect(batchMixing).toBeGreaterThan(0.4)
    const obs = await made.file.obs()
    const predicted = textsOf(obs.columns.get('scanvi_predicted'))
    const unlabelled = types.flatMap((type, cell) => (labels[cell] === type ? [] : [[type, predicted[cell]]]))
    expect(unlabelled.filter(([type, call]) => type === call).length / unlabelled.length).toBeGreaterThan(0.9)
    expect(new Set(predicted)).toEqual(new Set(simulatedTypes))
  })

  it('writes the latent space, probabilities that add up, and what each cell was to the training', async () => {
    const arrays = await made.file.mapping('obsm')
    expect(arrayOf(arrays, 'X_scANVI', [cells, 4]).every(Number.isFinite)).toBe(true)
    const soft = arrayOf(arrays, 'X_scANVI_probabilities', [cells, 4])
    const confidence = numbersOf((await made.file.obs()).columns.get('scanvi_confidence'))
    for (let cell = 0; cell < cells; cell++) {
      const own = Array.from({ length: 4 }, (_, label) => soft[4 * cell + label]!)
      expect(own.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 5)
      expect(Math.max(...own)).toBeCloseTo(confidence[cell]!, 6)
    }
    const use = textsOf((await made.file.obs()).columns.get('scanvi_use'))
    expect(use.filter((one) => one === 'held out').length).toBe(23)
    expect(new Set(use)).toEqual(new Set(['learnt from', 'held out']))
    const ids = textsOf((await made.file.obs()).columns.get('scanvi_predicted_ontology_term_id'))
    expect(new Set(ids)).toEqual(new Set(['CL:0000236', 'CL:0000576', 'CL:0000623', 'CL:0000084']))
  })

  it('has a model in the store that says what it is, and is the model.pt to the bit', async () => {
    const { card, model } = await loadNetwork(lab.stores.models, 'mine')
    expect(card.id).toBe(made.result.summary.model)
    expect(card).toMatchObject({
      kind: 'scanvi',
      bins: null,
      setup: { batch: { column: 'sample', categories: ['one', 'two'] } },
      shape: { genes: simulatedGenes.length, latent: 4, classes: 4, encodeCovariates: true },
      training: { cells, epochs: 37 },
    })
    // sorted, then "Unknown" changed places with the last, as in scvi-tools
    expect(card.setup.labels.categories).toEqual(ordered)
    expect(card.evaluation).toMatchObject({ heldOutLabelled: 17 })
    expect(card.training.settings).toMatchObject({ n_hidden: 16, batch_key: 'sample' })
    const source = await openScviModel(lab.stores.outbox, `${made.state.start.output}model`)
    try {
      const again = (await importScvi(source)).model
      expect(again.genes).toEqual(simulatedGenes)
      expect(again.setup.labels.categories).toEqual(ordered)
      for (const [name, { data }] of model.weights) expect(again.weights.get(name)?.data).toEqual(data)
    } finally {
      await source.close()
    }
  })

  it('shows the course of the training, and says what the labels missed', () => {
    const page = made.files.get('report.html')!.toString()
    for (const text of ['Training of scVI', 'Training of SCANVI', 'Labels by batch', 'Held-out cells'])
      expect(page).toContain(text)
    const codes = made.result.notices.map(({ code }) => code)
    expect(codes).toContain('LABELS_MISSING')
    const lines = made.files.get('training_history.csv')!.toString().trimEnd().split('\r\n')
    expect(lines.length).toBe(1 + 25 + 12)
    expect(lines[0]).toMatch(/^training,epoch,train_loss,elbo_train/)
  })

  it('refuses a job of that name, unless it is the same job or may overwrite', async () => {
    const atlas = atlasOf({ counts, types: labels, batches })
    const upTo = async (settings: Record<string, unknown>) =>
      walk(await uploadAtlas(lab, atlas, settings), lab.environment, 'ValidateJob')
    await expect(upTo({ n_hidden: 8 })).rejects.toMatchObject({ code: 'MODEL_EXISTS' })
    await expect(upTo({ n_hidden: 8, overwrite: true })).resolves.toBeDefined()
    await expect(upTo({ write_probabilities: true })).resolves.toBeDefined()
  })

  it('refuses another atlas under that name before it trains', async () => {
    const atlas = atlasOf(simulatedParts(9, 60))
    const state = await walk(
      await uploadAtlas(lab, atlas, { write_probabilities: true }),
      lab.environment,
      'PlanCompute',
    )
    expect((await runStepsOf(lab, state)).slice(0, 2)).toEqual([0, 10])
  })
})

describe('a job that is stopped in its training', () => {
  it('goes on where it was and ends in the same model and files', async () => {
    // long enough that a stop meets each training before its end
    const settings = { name: 'stopped', max_epochs: 600, scanvi_epochs: 300, umap: false }
    const atlas = atlasOf({ counts, types, batches })
    const state = await walk(await uploadAtlas(lab, atlas, settings), lab.environment, 'PlanCompute')
    expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
    const environment = {
      ...lab.environment,
      CELLDROP_SCRATCH: `${lab.folder.path}/scratch`,
      CELLDROP_JOB: state.start.jobId,
      CELLDROP_ATTEMPT: '1',
      CELLDROP_ROAD: state.plan!.road,
    }
    const run = async (until: string | null) => {
      const stop = new AbortController()
      const told = new Set<string>()
      const print = (line: string) => {
        const { note, done } = JSON.parse(line) as { note: string; done: number }
        told.add(note)
        if (note === until && done > 3) stop.abort(new Error('stopped'))
      }
      const code = await runStep('Fit', { environment, signal: stop.signal, print })
      return { code, told }
    }
    expect((await run('training scVI')).code).not.toBe(0)
    const second = await run('training SCANVI')
    expect(second.code).not.toBe(0)
    expect(second.told).toContain('training scVI')
    const third = await run(null)
    // the scVI of the run before is there still
    expect(third.told).not.toContain('training scVI')
    expect(third.told).toContain('training SCANVI')
    const codes = [third.code]
    for (const shard of [0, 1]) codes.push(await runStepOf(lab, 'Embed', { state, shard }))
    for (const step of ['Label', 'Publish'] as const) codes.push(await runStepOf(lab, step, { state }))
    expect(codes).toEqual([0, 0, 0, 0, 0])
    const halted = await gathered(lab, state)
    await halted.file.close()
    let left = 0
    for await (const { key } of lab.stores.work.list('steps/Fit/')) if (key.endsWith('.checkpoint')) left++
    expect(left).toBe(0)

    const other = await makeInstallation()
    try {
      const start = await uploadAtlas(other, atlas, settings)
      const whole = await fitted(other, { start: { ...start.start, jobId: state.start.jobId } })
      await whole.file.close()
      // the card names the atlas by its etag, which is of its own file
      const { model: _, ...summary } = whole.result.summary
      expect(halted.result.summary).toMatchObject(summary)
      expect(whole.files.get('predictions.csv')).toEqual(halted.files.get('predictions.csv'))
      expect(fingerprints(whole.files)['model/model.pt']).toBe(fingerprints(halted.files)['model/model.pt'])
    } finally {
      await other.folder[Symbol.asyncDispose]()
    }
  })
})

describe('a reference without labels', () => {
  it('is a scVI, corrects for covariates too, and leaves out what cannot be learnt from', async () => {
    const bad = counts.map((row, cell) => (cell === 5 ? row.map(() => 0) : row))
    const some = batches.map((batch, cell) => (cell === 6 ? '' : batch))
    const atlas = atlasOf(
      { counts: bad, types, batches: some },
      {
        donor: texts(types.map((_, cell) => (cell === 7 ? '' : `d${cell % 3}`))),
        age: {
          kind: 'number',
          type: 'float64',
          values: Float64Array.from(types, (_, cell) => (cell === 8 ? Number.NaN : cell % 10)),
        },
      },
    )
    const made = await fitted(
      lab,
      await uploadAtlas(lab, atlas, {
        name: 'plain',
        label_column: undefined,
        categorical_covariate_keys: ['donor'],
        continuous_covariate_keys: ['age'],
        max_epochs: 5,
        min_counts: 0,
      }),
    )
    try {
      expect(made.result.summary).toMatchObject({ cells, cellsLearntFrom: cells - 4, kind: 'scvi' })
      expect([...made.files.keys()]).not.toContain('held_out.csv')
      const latent = arrayOf(await made.file.mapping('obsm'), 'X_scVI', [cells, 4])
      const places = Array.from({ length: cells }, (_, cell) => latent[4 * cell]!)
      expect(places.flatMap((place, cell) => (Number.isNaN(place) ? [cell] : []))).toEqual([5, 6, 7, 8])
      const use = textsOf((await made.file.obs()).columns.get('scvi_use'))
      expect(use.slice(5, 9)).toEqual([
        'left out: no counts on the genes of the model',
        'left out: no batch',
        'left out: no covariate',
        'left out: no covariate',
      ])
      const told = made.result.notices.filter(({ code }) => code === 'CELLS_LEFT_OUT')
      expect(told.map(({ problem }) => problem.slice(0, 20))).toEqual([
        '1 of 240 cells have ',
        '1 of 240 cells have ',
        '2 of 240 cells have ',
      ])
      const { card } = await loadNetwork(lab.stores.models, 'plain')
      expect(card.shape).toMatchObject({ categories: [2, 3], continuous: 1 })
    } finally {
      await made.file.close()
    }
  })

  it('learns from bins where it is asked to, and its card says so', async () => {
    const atlas = atlasOf({ counts, types, batches })
    const made = await fitted(
      lab,
      await uploadAtlas(lab, atlas, {
        ...{ name: 'binned', label_column: undefined, binning: 50, max_epochs: 3 },
        umap: false,
      }),
    )
    await made.file.close()
    const { card } = await loadNetwork(lab.stores.models, 'binned')
    expect(card.bins).toEqual({ count: 50 })
    expect(card.setup.layer).toBe('binned_data')
  })

  it('learns from the layer that holds the counts, and names it for scvi-tools', async () => {
    const atlas = atlasOf({ counts, types, batches })
    const logs = atlasOf({ counts: counts.map((row) => row.map((n) => Math.log1p(n / 7))), types, batches })
    const made = await fitted(
      lab,
      await uploadAtlas(
        lab,
        { ...logs, layers: new Map([['counts', atlas.x!]]) },
        { ...{ name: 'layered', label_column: undefined, max_epochs: 2 }, umap: false },
      ),
    )
    await made.file.close()
    const { card } = await loadNetwork(lab.stores.models, 'layered')
    expect(card.setup.layer).toBe('counts')
    expect(made.result.notices.map(({ code }) => code)).toContain('COUNTS_NOT_IN_X')
  })

  it('learns from a panel, genes that the atlas lacks as zeros', async () => {
    const atlas = atlasOf({ counts, types, batches })
    const panel = [...simulatedGenes.slice(0, 40), 'FOXP3', 'GATA1']
    const made = await fitted(
      lab,
      await uploadAtlas(
        lab,
        atlas,
        {
          ...{ name: 'panel', label_column: undefined, gene_panel: 'panel.txt', max_epochs: 2 },
          umap: false,
        },
        { 'panel.txt': `# ours\n${panel.join('\n')}\n` },
      ),
    )
    await made.file.close()
    const { card } = await loadNetwork(lab.stores.models, 'panel')
    expect(card.genes).toEqual([...panel].sort())
  })

  it('is refused a panel that has nothing to do with the atlas', async () => {
    const atlas = atlasOf({ counts, types, batches })
    const start = await uploadAtlas(
      lab,
      atlas,
      { name: 'far', gene_panel: 'panel.txt' },
      { 'panel.txt': 'nothing-1\nnothing-2\nnothing-3\n' },
    )
    await expect(walk(start, lab.environment, 'PlanCompute')).rejects.toMatchObject({
      code: 'GENES_NO_OVERLAP',
    })
  })
})

describe('what cannot be learnt from', () => {
  const refused = async (parts: Partial<ReturnType<typeof simulatedParts>>, settings = {}) =>
    walk(
      await uploadAtlas(lab, atlasOf({ counts, types, batches, ...parts }), { name: 'bad', ...settings }),
      lab.environment,
      'PlanCompute',
    )

  it.each([
    ['a batch column that is not there', {}, { batch_key: 'nope' }, 'COLUMN_MISSING'],
    ['a label column that is not there', {}, { label_column: 'nope' }, 'LABEL_COLUMN'],
    ['labels that are all unknown', { types: types.map(() => 'Unknown') }, {}, 'LABELS_NONE'],
    ['one label', { types: types.map((_, i) => (i % 2 ? 'Unknown' : 'T cell')) }, {}, 'LABELS_ONE'],
    ['a column for two purposes', {}, { label_column: 'sample' }, 'SETTING_INVALID'],
    [
      'logs',
      { counts: counts.map((row) => row.map((n) => Math.log1p((n * 1e4) / row.reduce((a, b) => a + b)))) },
      {},
      'COUNTS_NEEDED',
    ],
    ['a name that no model can have', {}, { name: '../x' }, 'SETTING_INVALID'],
  ])('%s is refused before a machine is started', async (_, parts, settings, code) => {
    await expect(refused(parts, settings)).rejects.toMatchObject({ code })
  })

  it.each([
    [
      'a count that is not whole',
      (row: number[], cell: number) => (cell === 200 ? row.map((n) => n + 0.5) : row),
      'COUNTS_NOT_WHOLE',
    ],
    [
      'a negative count',
      (row: number[], cell: number) => (cell === 201 ? row.map((n, i) => (i === 3 ? -1 : n)) : row),
      'COUNTS_NOT_FOUND',
    ],
    [
      'a count that is no number',
      (row: number[], cell: number) => (cell === 201 ? row.map((n, i) => (i === 3 ? Number.NaN : n)) : row),
      'COUNTS_NOT_FOUND',
    ],
    ['cells of which none has a batch', null, 'CELLS_TOO_FEW'],
  ] as const)('%s is refused, however it came through', async (_, change, code) => {
    const parts =
      change === null
        ? { counts, types, batches: batches.map((batch, cell) => (cell < 4 ? batch : '')) }
        : { counts: counts.map(change), types, batches }
    const start = await uploadAtlas(lab, atlasOf(parts), { name: 'bad', unsafe_force: true })
    const seen = await refusal(lab, start).catch((error: { code: string }) => error)
    expect(seen.code).toBe(code)
  })

  it('a batch of one cell, and one batch for all, are learnt from and told', async () => {
    const lone = await fitted(
      lab,
      await uploadAtlas(
        lab,
        atlasOf({ counts, types, batches: batches.map((batch, cell) => (cell === 0 ? '__proto__' : batch)) }),
        {
          name: 'lone',
          max_epochs: 2,
          scanvi_epochs: 2,
          umap: false,
          use_batch_norm: 'both',
          batch_size: 239,
        },
      ),
    )
    await lone.file.close()
    expect(lone.result.notices.map(({ code }) => code)).toContain('BATCHES_SMALL')
    expect(lone.result.summary).toMatchObject({ batches: 3 })
    const one = await fitted(
      lab,
      await uploadAtlas(
        lab,
        atlasOf({
          counts,
          types: types.map((type) => (type === 'T cell' ? '__proto__' : type)),
          batches: batches.map(() => 'a'),
        }),
        { name: 'one', max_epochs: 2, scanvi_epochs: 2, umap: false },
      ),
    )
    await one.file.close()
    expect(one.result.notices.map(({ code }) => code)).toContain('BATCH_ONE')
    expect(one.result.summary).toMatchObject({ batchMixing: null, batches: 1 })
    const { card } = await loadNetwork(lab.stores.models, 'one')
    expect(card.setup.labels.categories).toContain('__proto__')
  })

  it('all cells in training leave nothing to stop by, which is told', async () => {
    const made = await fitted(
      lab,
      await uploadAtlas(lab, atlasOf({ counts, types, batches }), {
        ...{ name: 'all', train_size: 1, early_stopping: true, max_epochs: 2, scanvi_epochs: 2 },
        umap: false,
      }),
    )
    await made.file.close()
    expect(made.result.notices.map(({ code }) => code)).toContain('VALIDATION_NONE')
    expect(made.result.summary).toMatchObject({ heldOut: { cells: 0, accuracy: null } })
    expect(small.workflow).toBe('fit-reference')
  })
})
