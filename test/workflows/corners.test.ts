/** Law: whatever a job asks for and however few or alike its cells are, it comes to a whole result, and what was left out is said. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Column } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { makeLinearModel } from '../../lib/models/linear-model.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { factsFor } from '../models/toy-model.ts'
import { cellsOf, type Installation, makeInstallation } from '../support/installation.ts'
import { textsOf } from '../support/read-h5ad.ts'
import { filesUnder, runStepsOf } from '../support/road-run.ts'
import {
  saveSimulatedModel,
  simulateCells,
  simulatedGenes,
  simulatedQuery,
} from '../support/simulated-cells.ts'
import { jobFile, walk } from '../support/walk.ts'

const oddLabels = ['A/B "x", <b>y</b> | z', 'Ünknown\tcell\n2']

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await saveSimulatedModel(lab.stores)
  const facts = { ...factsFor(simulatedGenes, oddLabels), name: 'odd' }
  const each = (value: number) => new Float64Array(simulatedGenes.length).fill(value)
  const weights = Float64Array.from(simulatedGenes, (_, gene) => (gene < 5 ? 1 : -0.1))
  const arrays = { weights, intercept: Float64Array.of(0.3), mean: each(3), scale: each(1) }
  await saveModel(lab.stores.models, makeLinearModel(facts, arrays))
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

let count = 0
/** The road's steps one after another, in this process. */
async function annotated(cells: AnnDataToWrite, settings: Record<string, unknown>) {
  const name = `corner-${count++}`
  await lab.upload(`jobs/${name}/q.h5ad`, cells)
  const job = jobFile({ query: 'q.h5ad', model: 'blood', min_counts: 0, ...settings })
  const state = await walk(await lab.upload(`jobs/${name}/job.json`, job), lab.environment, 'PlanCompute')
  expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0])
  const files = await filesUnder(lab.stores.outbox, state.start.output)
  const { notices, summary } = JSON.parse(files.get('result.json')!.toString()) as JobResult
  const path = join(lab.folder.path, 'outbox', state.start.output, 'q.annotated.h5ad')
  const file = (await openCells(path)) as AnnDataFile
  const found = { obs: await file.obs(), obsm: await file.mapping('obsm'), obsp: await file.mapping('obsp') }
  await file.close()
  const labels = textsOf(found.obs.columns.get('cxg_cell_type_predicted'))
  return { ...found, files, summary, labels, codes: notices.map(({ code }) => code) }
}

const withColumn = (cells: number, column: Column) => {
  const made = simulatedQuery(5, cells)
  made.obs.columns.set('mine', column)
  return made
}

describe('a query', () => {
  it('of one cell has its label, and no map', async () => {
    const { labels, codes, files } = await annotated(simulatedQuery(5, 1), { majority_voting: true })
    expect(labels).toHaveLength(1)
    expect(codes).toEqual(expect.arrayContaining(['MAP_NOT_MADE', 'VOTING_SKIPPED']))
    expect(files.has('umap.png')).toBe(false)
  })

  it('with fewer cells than neighbours asked for has a map', async () => {
    const { obsm } = await annotated(simulatedQuery(5, 6), { n_neighbors: 100, n_components: 200 })
    expect(obsm.has('X_cxg_cell_type_umap')).toBe(true)
  })

  it('of equal cells has labels, no map and no vote, whatever space is asked for', async () => {
    const [one] = simulateCells(5, 1).counts
    const same = () => cellsOf(new Array(60).fill(one), { genes: simulatedGenes })
    const byGenes = await annotated(same(), { majority_voting: true })
    expect(byGenes.codes).toEqual(expect.arrayContaining(['MAP_NOT_MADE', 'VOTING_SKIPPED']))
    const byScores = await annotated(same(), { majority_voting: true, umap_space: 'latent' })
    expect(byScores.codes).toContain('VOTING_SKIPPED')
    expect(new Set(byScores.labels).size).toBe(1)
  })

  it('with empty cells among others has a label for each, and a flag', async () => {
    const counts = simulateCells(5, 60).counts.map((row, cell) => (cell % 5 === 0 ? row.map(() => 0) : row))
    const { labels, obs } = await annotated(cellsOf(counts, { genes: simulatedGenes }), { min_counts: 1 })
    expect(labels.every(Boolean)).toBe(true)
    expect(
      Array.from((obs.columns.get('cxg_cell_type_low_counts') as { values: Uint8Array }).values),
    ).toEqual(counts.map((_, cell) => Number(cell % 5 === 0)))
  })
})

describe('a vote', () => {
  it.each([
    [50, ['VOTING_SKIPPED'], false],
    [51, [], true],
  ])('among %i cells is held only when they are enough', async (cells, said, isHeld) => {
    const { codes, obs } = await annotated(simulatedQuery(5, cells), { majority_voting: true, umap: false })
    expect(codes.filter((code) => code === 'VOTING_SKIPPED')).toEqual(said)
    expect(obs.columns.has('cxg_cell_type_majority_share')).toBe(isHeld)
  })

  it('leaves a cell without a cluster what it is', async () => {
    const values = Float64Array.from({ length: 60 }, (_, cell) => (cell % 3 === 0 ? Number.NaN : 7))
    const { labels, obs } = await annotated(withColumn(60, { kind: 'number', type: 'float64', values }), {
      majority_voting: true,
      over_clustering: 'mine',
      umap: false,
    })
    const own = textsOf(obs.columns.get('cxg_cell_type_predicted_by_cell'))
    const voted = new Set(labels.filter((_, cell) => cell % 3 !== 0))
    expect(voted.size).toBe(1)
    expect(labels.filter((_, cell) => cell % 3 === 0)).toEqual(own.filter((_, cell) => cell % 3 === 0))
  })
})

describe('a job', () => {
  it('that wants certainty gets it: no label above a probability of one', async () => {
    const { labels } = await annotated(simulatedQuery(5, 20), {
      mode: 'prob_match',
      p_threshold: 1,
      umap: false,
    })
    expect(new Set(labels)).toEqual(new Set(['Unassigned']))
  })

  it('that wants neighbours without a map has them', async () => {
    const { obsp, obsm } = await annotated(simulatedQuery(5, 30), { umap: false, write_neighbours: true })
    expect([...obsp.keys()]).toContain('cxg_cell_type_neighbors_distances')
    expect(obsm.has('cxg_cell_type_umap')).toBe(false)
  })

  it('with an odd model writes its labels as they are, and shows none of them as markup', async () => {
    const settings = { model: 'odd', write_second: true, majority_voting: true, write_probabilities: true }
    const { labels, files, codes, summary } = await annotated(simulatedQuery(5, 60), settings)
    expect(new Set(labels)).toEqual(new Set(oddLabels))
    expect(Object.keys(summary.labels as object).sort()).toEqual([...oddLabels].sort())
    expect(codes).toContain('ONTOLOGY_UNMAPPED')
    expect(files.get('report.html')!.toString()).not.toContain('<b>y</b>')
    expect(files.get('predictions.csv')!.toString()).toContain('"A/B ""x"", <b>y</b> | z"')
  })
})
