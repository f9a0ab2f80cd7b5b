/**
 * Contract: the whole road of `annotate` as `celldrop` runs it (state machine, functions, one process a step) on simulated cells: every
 * key under its documented names, everything of the input as it was, and one result however often and by whomever the job is run.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { RoadState, Start } from '../../lib/job/road.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { arrayOf, numbersOf, plain, textsOf } from '../support/read-h5ad.ts'
import { filesUnder, fingerprints, runRoadOf, runStepOf, runStepsOf, spawnRoad } from '../support/road-run.ts'
import {
  saveSimulatedModel,
  simulateCells,
  simulatedQuery,
  simulatedTypes,
} from '../support/simulated-cells.ts'
import { jobFile, walk } from '../support/walk.ts'

const cells = 90
const labels = simulatedTypes

let lab: Installation
let modelId: string
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'blood' })
  modelId = await saveSimulatedModel(lab.stores)
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

interface Done {
  start: Start
  files: Map<string, Buffer>
  result: JobResult
}

async function done(start: Start): Promise<Done> {
  await runRoadOf(lab, start)
  const files = await filesUnder(lab.stores.outbox, start.output)
  return { start, files, result: JSON.parse(files.get('result.json')!.toString()) as JobResult }
}

describe('a job with everything that can be asked for', () => {
  const settings = {
    query: 'my cells.h5ad',
    majority_voting: true,
    over_clustering: 'group',
    write_second: true,
    write_probabilities: true,
    write_neighbours: true,
    show_genes: ['CD3D', 'NOT-A-GENE'],
    min_counts: 250,
    seed: 11,
    name: 'everything',
  }
  let made: Done
  let file: AnnDataFile
  let input: string
  beforeAll(async () => {
    await lab.upload('jobs/all/my cells.h5ad', simulatedQuery(7, cells))
    input = join(lab.folder.path, 'inbox/jobs/all/my cells.h5ad')
    made = await done((await lab.upload('jobs/all/job.json', jobFile(settings))).start)
    file = (await openCells(
      join(lab.folder.path, 'outbox', made.start.output, 'my cells.annotated.h5ad'),
    )) as AnnDataFile
  })
  afterAll(() => file.close())

  it('leaves the four files and result.json, and nothing else', async () => {
    expect([...made.files.keys()].sort()).toEqual([
      'my cells.annotated.h5ad',
      'predictions.csv',
      'report.html',
      'result.json',
      'umap.png',
    ])
    expect(made.result).toMatchObject({
      jobId: made.start.jobId,
      workflow: 'annotate',
      name: 'everything',
      status: 'succeeded',
      created: '2026-11-21T10:00:00.000Z',
      outputs: {
        h5ad: 'my cells.annotated.h5ad',
        report: 'report.html',
        umap: 'umap.png',
        predictions: 'predictions.csv',
      },
      summary: { cells, model: modelId, modelGenesFound: 66 },
    })
    expect(made.result.timings.map(({ step }) => step)).toEqual(['Prepare', 'Embed', 'Label'])
  })

  it('has the labels, the ids of their terms and how sure they are, under the names of CELLxGENE Annotate', async () => {
    const obs = await file.obs()
    const predicted = textsOf(obs.columns.get('cxg_cell_type_predicted'))
    const { types } = simulateCells(7, cells)
    expect(predicted.filter((label, cell) => label === types[cell]).length / cells).toBeGreaterThan(0.97)
    const ids = textsOf(obs.columns.get('cxg_cell_type_predicted_ontology_term_id'))
    const known = new Map([
      ['B cell', 'CL:0000236'],
      ['monocyte', 'CL:0000576'],
      ['natural killer cell', 'CL:0000623'],
      ['T cell', 'CL:0000084'],
    ])
    expect(ids).toEqual(predicted.map((label) => known.get(label!)))
    const uncertainty = obs.columns.get('cxg_cell_type_predicted_uncertainty')
    expect(uncertainty).toMatchObject({ kind: 'number', type: 'float32' })
    for (const value of numbersOf(uncertainty)) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
    }
  })

  it('has the vote: what each cell alone said, its cluster, and the share of the cluster', async () => {
    const { columns } = await file.obs()
    const own = textsOf(columns.get('cxg_cell_type_predicted_by_cell'))
    const clusters = textsOf(columns.get('cxg_cell_type_over_clustering'))
    expect(clusters).toEqual(textsOf(columns.get('group')))
    const predicted = textsOf(columns.get('cxg_cell_type_predicted'))
    const shares = numbersOf(columns.get('cxg_cell_type_majority_share'))
    for (let cell = 0; cell < cells; cell++) {
      const among = own.filter((_, other) => clusters[other] === clusters[cell])
      const agreeing = among.filter((label) => label === predicted[cell])
      expect(shares[cell]).toBeCloseTo(agreeing.length / among.length, 6)
      expect(agreeing.length / among.length).toBeGreaterThanOrEqual(1 / labels.length)
    }
  })

  it('has what was asked for besides: second label, margin, probabilities, neighbours, low counts', async () => {
    const { columns } = await file.obs()
    const obsm = await file.mapping('obsm')
    const scores = arrayOf(obsm, 'cxg_cell_type', [cells, labels.length])
    const probabilities = arrayOf(obsm, 'cxg_cell_type_probabilities', [cells, labels.length])
    const [second, margin] = [
      textsOf(columns.get('cxg_cell_type_predicted_second')),
      numbersOf(columns.get('cxg_cell_type_predicted_margin')),
    ]
    const own = textsOf(columns.get('cxg_cell_type_predicted_by_cell'))
    for (let cell = 0; cell < cells; cell++) {
      const row = Array.from(probabilities.slice(cell * labels.length, (cell + 1) * labels.length))
      const order = row.map((_, k) => k).sort((a, b) => row[b]! - row[a]!)
      expect(own[cell]).toBe(labels[order[0]!])
      expect(second[cell]).toBe(labels[order[1]!])
      expect(margin[cell]).toBeCloseTo(row[order[0]!]! - row[order[1]!]!, 6)
      for (const [k, value] of row.entries())
        expect(value).toBeCloseTo(1 / (1 + Math.exp(-scores[cell * labels.length + k]!)), 5)
    }
    const totals = simulateCells(7, cells).counts.map((row) => row.reduce((sum, count) => sum + count, 0))
    expect(numbersOf(columns.get('cxg_cell_type_low_counts'))).toEqual(
      totals.map((total) => Number(total < 250)),
    )
    expect(totals.some((total) => total < 250) && totals.some((total) => total >= 250)).toBe(true)
    const obsp = await file.mapping('obsp')
    expect([...obsp.keys()].sort()).toEqual([
      'cxg_cell_type_neighbors_connectivities',
      'cxg_cell_type_neighbors_distances',
    ])
    expect(await file.unstructured('cxg_cell_type_neighbors')).toBeDefined()
  })

  it('has the map under both of its names, finite and alike', async () => {
    const obsm = await file.mapping('obsm')
    const [map, shown] = ['cxg_cell_type_umap', 'X_cxg_cell_type_umap'].map((name) =>
      arrayOf(obsm, name, [cells, 2]),
    )
    expect(map).toEqual(shown)
    expect(map!.every(Number.isFinite)).toBe(true)
    expect(new Set(map).size).toBeGreaterThan(cells)
  })

  it('says in uns how the labels came about', async () => {
    expect(plain(await file.unstructured('cxg_cell_type_predictions'))).toMatchObject({
      model_id: modelId,
      model_name: 'blood',
      model_url: `celldrop:blood/${modelId}`,
      classifier: 'default',
      organism: 'Homo sapiens',
      counts_source: 'X',
      gene_column: 'var index',
      n_model_genes: 66n,
      n_genes_found: 66n,
      seed: 11n,
      created_at: '2026-11-21T10:00:00.000Z',
      job_id: made.start.jobId,
      label_ontology: { 'B cell': 'CL:0000236' },
    })
  })

  it('has every byte of the input where it was, but for the head of the file, and the input is not touched', async () => {
    const before = readFileSync(input)
    const after = made.files.get('my cells.annotated.h5ad')!
    expect(after.length).toBeGreaterThan(before.length)
    expect(after.subarray(96, before.length).equals(before.subarray(96))).toBe(true)
    const source = (await openCells(input)) as AnnDataFile
    const [was, is] = [await source.obs(), await file.obs()]
    expect(is.index).toEqual(was.index)
    for (const [name, column] of was.columns) expect(is.columns.get(name)).toEqual(column)
    expect(await file.var()).toEqual(await source.var())
    expect(plain(await file.unstructured('parameters'))).toEqual(
      plain(await source.unstructured('parameters')),
    )
    await source.close()
    const { size, etag } = (await lab.stores.inbox.head('jobs/all/my cells.h5ad'))!
    expect({ size, etag }).toMatchObject({ size: before.length })
  })

  it('tells in table, page and result what the h5ad holds', async () => {
    const lines = made.files.get('predictions.csv')!.toString().trimEnd().split('\n')
    expect(lines).toHaveLength(cells + 1)
    expect(lines[0]!.split(',').slice(0, 3)).toEqual(['cell', 'predicted', 'uncertainty'])
    const predicted = textsOf((await file.obs()).columns.get('cxg_cell_type_predicted'))
    expect(lines.slice(1).map((line) => line.split(',')[1])).toEqual(predicted)
    const page = made.files.get('report.html')!.toString()
    for (const label of labels) expect(page).toContain(label)
    expect(made.result.notices.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['GENE_NOT_FOUND', 'CELLS_LOW_COUNTS']),
    )
    expect(made.files.get('umap.png')!.subarray(1, 4).toString()).toBe('PNG')
    const counts = Object.fromEntries(
      labels.map((label) => [label, predicted.filter((one) => one === label).length]),
    )
    expect(made.result.summary.labels).toEqual(counts)
  })

  it('is done when it is told of again: no file is written anew', async () => {
    const infos = async () => {
      const found = []
      for await (const info of lab.stores.outbox.list(made.start.output)) found.push(info)
      return found
    }
    const before = await infos()
    const { created: _, ...same } = made.start
    await runRoadOf(lab, { ...same, created: '2026-11-29T00:00:00.000Z' })
    expect(await infos()).toEqual(before)
  })

  describe('whose result is the query of another job', () => {
    const again = async (name: string, extra: object) => {
      await lab.stores.inbox.write(`jobs/${name}/again.h5ad`, made.files.get('my cells.annotated.h5ad')!)
      const job = jobFile({ query: 'again.h5ad', umap: false, ...extra })
      return lab.upload(`jobs/${name}/job.json`, job)
    }

    it('is refused, since its annotations would be lost', async () => {
      const { start } = await again('refused', {})
      await expect(runRoadOf(lab, start)).rejects.toMatchObject({
        name: 'JobFailed',
        report: { code: 'OUTPUT_EXISTS', place: expect.stringContaining('cxg_cell_type_predicted') },
      })
      expect([...(await filesUnder(lab.stores.outbox, start.output)).keys()]).toEqual(['error.json'])
    })

    it('replaces them where the job says so, or stands beside them under another name', async () => {
      const columnsOf = async (uploaded: RoadState) => {
        const state = await walk(uploaded, lab.environment, 'PlanCompute')
        expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0])
        const { start } = state
        const path = join(lab.folder.path, 'outbox', start.output, 'again.annotated.h5ad')
        const opened = (await openCells(path)) as AnnDataFile
        const [columns, maps] = [(await opened.obs()).columns, [...(await opened.mapping('obsm')).keys()]]
        await opened.close()
        return { columns, maps }
      }
      const [replaced, beside] = [
        await columnsOf(await again('replaced', { overwrite: true })),
        await columnsOf(await again('beside', { run_name: 'r2' })),
      ]
      const own = 'cxg_cell_type_predicted_by_cell'
      // without a vote the label of a cell is what it was before the vote
      expect(textsOf(replaced.columns.get('cxg_cell_type_predicted'))).toEqual(
        textsOf(beside.columns.get(own)),
      )
      expect(textsOf(beside.columns.get('cxg_cell_type_r2_predicted'))).toEqual(
        textsOf(beside.columns.get(own)),
      )
      expect(beside.maps).toEqual(
        expect.arrayContaining(['cxg_cell_type', 'cxg_cell_type_r2', 'cxg_cell_type_umap']),
      )
      expect(beside.maps).not.toContain('cxg_cell_type_r2_umap')
    })
  })
})

describe('one job that two programs run', () => {
  const started = async () => {
    await lab.upload('annotate/shared.h5ad', simulatedQuery(9, 60))
    const { etag, size } = (await lab.stores.inbox.head('annotate/shared.h5ad'))!
    return { key: 'annotate/shared.h5ad', etag, size }
  }
  const ended = async (child: ChildProcess) => {
    const errors = text(child.stderr!)
    child.stdout!.resume()
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, errors: await errors }
  }

  it('at the same time comes to the result that one of them would have come to', async () => {
    const upload = await started()
    const start = {
      jobId: 'shared',
      attempt: 1,
      created: '2026-11-21T10:00:00.000Z',
      upload,
      output: 'both/',
    }
    const ends = await Promise.all([spawnRoad(lab, start), spawnRoad(lab, start)].map(ended))
    expect(ends).toEqual([
      { code: 0, errors: '' },
      { code: 0, errors: '' },
    ])
    const both = fingerprints(await filesUnder(lab.stores.outbox, 'both/'))
    expect(Object.keys(both)).toHaveLength(5)
    // another attempt has all of its steps to itself but for the place of its results
    const alone = await done({ ...start, attempt: 2, output: 'alone/' })
    expect(fingerprints(alone.files)).toEqual(both)
  })

  it('in the same moment of its last step leaves every file once', async () => {
    const state = await walk(
      await lab.upload('annotate/moment.h5ad', simulatedQuery(9, 40)),
      lab.environment,
      'PlanCompute',
    )
    expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
    for (const shard of [0, 1]) expect(await runStepOf(lab, 'Embed', { state, shard })).toBe(0)
    expect(await runStepOf(lab, 'Label', { state })).toBe(0)
    const ends = await Promise.all([1, 2, 3].map(() => runStepOf(lab, 'Publish', { state })))
    expect(ends).toEqual([0, 0, 0])
    expect((await filesUnder(lab.stores.outbox, state.start.output)).size).toBe(5)
  })
})
