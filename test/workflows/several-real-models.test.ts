/**
 * Oracle: two real models on 2,170 real cells. CellTypist 1.7.1's own probabilities (../shared/golden/celltypist) say which model is surest
 * of each cell and what it calls it; a job with both models says the same.
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import { makeInstallation } from '../support/installation.ts'
import { numbersOf, textsOf } from '../support/read-h5ad.ts'
import { runStepsOf } from '../support/road-run.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { jobFile, walk } from '../support/walk.ts'

const golden = (name: string): string => sharedPath('golden/celltypist', name)
const files = {
  pbmc_sorted_lr: golden('pbmc_sorted_lr.pkl'),
  lung31: sharedPath('data/models/celltypist_lung31_popv.pkl'),
}

/** Of each cell the highest recorded probability and its label. */
function recorded(name: string): { label: string; probability: number }[] {
  const lines = gunzipSync(readFileSync(golden(`${name}.probability.csv.gz`)))
    .toString()
    .trimEnd()
    .split('\n')
  const labels = [...lines[0]!.matchAll(/,("[^"]*"|[^,]*)/g)].map(([, field]) => field!.replaceAll('"', ''))
  return lines.slice(1).map((line) => {
    const values = line.split(',').slice(1).map(Number)
    const probability = Math.max(...values)
    return { label: labels[values.indexOf(probability)]!, probability }
  })
}

test('a job with two real models agrees with what CellTypist recorded of each', async ({ skip }) => {
  if (!hasShared) return skip('real data are not beside this repository (../shared)')
  const lab = await makeInstallation()
  const names = Object.keys(files) as (keyof typeof files)[]
  for (const name of names) {
    const facts = { organism: 'Homo sapiens', licence: '', source: '', ontology: new Map() }
    const created = '2026-01-01T00:00:00Z'
    await saveModel(
      lab.stores.models,
      importCelltypist(readFileSync(files[name]), { ...facts, name, created }).model,
    )
  }
  const bytes = await readFile(sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad'))
  await lab.stores.inbox.write('jobs/real/q.h5ad', bytes)
  const job = jobFile({ query: 'q.h5ad', model: names, gene_matching: 'exact', umap: false })
  const state = await walk(await lab.upload('jobs/real/job.json', job), lab.environment, 'PlanCompute')
  expect(new Set(await runStepsOf(lab, state))).toEqual(new Set([0]))
  const file = (await openCells(
    join(lab.folder.path, 'outbox', state.start.output, 'q.annotated.h5ad'),
  )) as AnnDataFile
  const { columns } = await file.obs()
  const [predicted, model] = ['predicted', 'model'].map((name) =>
    textsOf(columns.get(`cxg_cell_type_${name}`)),
  )
  const unsure = numbersOf(columns.get('cxg_cell_type_predicted_uncertainty'))
  const of = names.map(recorded)
  const winners = { pbmc_sorted_lr: 0, lung31: 0 }
  for (const [cell, uncertainty] of unsure.entries()) {
    const best = Math.max(...of.map((cells) => cells[cell]!.probability))
    expect(1 - uncertainty).toBeCloseTo(best, 4)
    // what float32 cannot tell apart may go either way
    const isClear = of.filter((cells) => best - cells[cell]!.probability < 2e-5).length === 1
    if (!isClear) continue
    const winner = names[of.findIndex((cells) => cells[cell]!.probability === best)]!
    winners[winner]++
    expect([model![cell], predicted![cell]]).toEqual([winner, of[names.indexOf(winner)]![cell]!.label])
  }
  expect(winners.pbmc_sorted_lr).toBeGreaterThan(100)
  expect(winners.lung31).toBeGreaterThan(100)
  await file.close()
  await lab.folder[Symbol.asyncDispose]()
}, 120_000)
