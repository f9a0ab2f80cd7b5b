/**
 * type-cells on real cells, from the command line: two references of blood and a query of another study, against what SpatialCore 0.3
 * with CellTypist 1.7 made of the same files and the same 400 genes, with and without a type that the references lack.
 * The recorded figures, and how they were made, lie beside the repository.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { csvRows } from '../../lib/knowledge/csv-table.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { textsOf } from '../support/read-h5ad.ts'
import {
  bloodQuery,
  coarseTypes,
  kangControl,
  panelGenes,
  type RecordedRun,
  recordedFigures,
  sortedCells,
  type TypedCells,
  typedCells,
  typingFigures,
  writeCut,
} from '../support/real-typing.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const main = resolve(import.meta.dirname, '../../lib/local/main.ts')
const run = promisify(execFile)
const xenium = sharedPath('data/spatial_xenium_breast/xenium_breast_bulbasaur.h5ad')

/** What `summary` of result.json says. */
interface Summary {
  trainingCells: number
  types: number
  modelGenes: number
  labels: Record<string, number>
  heldOut: { accuracy: number; macroF1: number; calibrationError: number }
}

interface Typing {
  place: string
  result: JobResult
  summary: Summary
  typed: TypedCells
}

describe.skipIf(!hasShared)('type-cells on real cells of blood', () => {
  let folder: TemporaryFolder
  let coarse: Map<string, string>
  beforeAll(async () => {
    folder = await temporaryFolder()
    coarse = await coarseTypes()
  })
  afterAll(() => folder?.[Symbol.asyncDispose]())

  /** The references of a recorded run: a type may be missing. */
  async function referencesOf(name: RecordedRun): Promise<string[]> {
    const [, without] = /^no_(.+)$/.exec(name) ?? []
    if (without === undefined) return [sortedCells, kangControl]
    // the recorded tables name the files so
    const cut = (file: string) => join(folder.path, name, `no${without}_${file}`)
    const references = [cut('pbmc_sorted_zheng.h5ad'), cut('kang_ctrl.h5ad')]
    if (existsSync(references[0]!)) return references
    await mkdir(join(folder.path, name))
    await writeCut(references[0]!, { from: sortedCells, without })
    await writeCut(references[1]!, { from: kangControl, without })
    return references
  }

  /** Runs a job from the command line and reads what it wrote. */
  async function type(
    name: string,
    { job, truth = 'coarse' }: { job: Record<string, unknown>; truth?: string | null },
  ): Promise<Typing> {
    const place = join(folder.path, `run-${name}`)
    await mkdir(place)
    const file = { workflow: 'type-cells', tissue: 'blood', umap: false, generate_plots: false, ...job }
    await writeFile(join(place, 'job.json'), JSON.stringify(file))
    await run(process.execPath, [main, 'run', 'job.json', '--out', 'out', '--models', 'models'], {
      cwd: place,
    })
    const result = JSON.parse(readFileSync(join(place, 'out/result.json'), 'utf8')) as JobResult
    const typed = await typedCells(join(place, 'out', result.outputs.h5ad!), {
      coarse,
      prefix: 'cell_type',
      truth,
    })
    return { place, result, summary: result.summary as unknown as Summary, typed }
  }

  async function recordedJob(name: RecordedRun, options: Record<string, unknown> = {}) {
    const references = await referencesOf(name)
    const labels = ['cell_type', 'cell_type']
    const target_genes = panelGenes()
    return { query: bloodQuery, references, label_columns: labels, target_genes, overwrite: true, ...options }
  }

  it.each<[RecordedRun, number]>([
    ['default', 0.65],
    ['no_B', 0.55],
    ['no_NK', 0.65],
    ['no_Mono', 0.45],
  ])(
    '%s: more cells are right than with the original, at most half as many wrong ones keep a label, and at least %f keep one',
    async (name, floor) => {
      const { summary, typed } = await type(name, { job: await recordedJob(name) })
      const ours = typingFigures(typed)
      const theirs = recordedFigures(name)
      expect(ours.cells).toBe(theirs.n_query)
      expect(ours.accuracy).toBeGreaterThanOrEqual(theirs.accuracy_coarse)
      expect(ours.wrongPassing).toBeLessThanOrEqual(theirs.wrong_passing / 2)
      expect(ours.aurocConfidence).toBeGreaterThan(theirs.auroc_confidence)
      expect(ours.passShare).toBeGreaterThan(floor)
      expect(ours.accuracyOfPassing).toBeGreaterThan(
        1 - theirs.wrong_passing / theirs.n_query / theirs.pass_0_8_share,
      )
      expect(ours.accuracyOfPassing).toBeGreaterThan(0.9)
      expect(summary.heldOut.calibrationError).toBeLessThanOrEqual(0.05)
      // what it says of cells from the same references holds for those of another study, roughly
      expect(ours.queryEce).toBeLessThan(0.12)
    },
  )

  it.each<[RecordedRun, Record<string, unknown>]>([
    ['default', {}],
    ['cap300', { max_cells_per_type: 300 }],
    ['cap300_equal', { max_cells_per_type: 300, balance_strategy: 'equal' }],
    ['no_B', {}],
    ['no_NK', {}],
    ['no_Mono', {}],
  ])(
    '%s with compat: spatialcore learns from as many cells of each type and is as right as the original',
    async (name, options) => {
      const job = await recordedJob(name, { ...options, compat: 'spatialcore', calibration_folds: 2 })
      const { place, summary, typed } = await type(`${name}-compat`, { job })
      const theirs = recordedFigures(name)
      expect(summary.trainingCells).toBe(theirs.train_cells)
      expect(balanceOf(readFileSync(join(place, 'out/training_cells.csv'), 'utf8'))).toEqual(
        balanceOf(readFileSync(sharedPath(`golden/spatialcore/${name}.balance_counts.csv`), 'utf8')),
      )
      expect(classesOf(place)).toEqual([...theirs.classes].sort())
      const ours = typingFigures(typed)
      expect(Math.abs(ours.accuracy - theirs.accuracy_coarse)).toBeLessThanOrEqual(0.05)
      expect(Math.abs(ours.passShare - theirs.pass_0_8_share)).toBeLessThanOrEqual(0.1)
      expectZscores(typed)
    },
  )

  it('types cells over all genes that the files share when no panel is named', async () => {
    const job = {
      query: bloodQuery,
      references: [kangControl],
      label_columns: ['cell_type'],
      overwrite: true,
    }
    const { summary, typed } = await type('whole', { job: { ...job, umap: true, generate_plots: true } })
    const figures = typingFigures(typed)
    expect(summary.modelGenes).toBeGreaterThan(5000)
    expect(figures.accuracy).toBeGreaterThan(0.7)
    expect(figures.accuracyOfPassing).toBeGreaterThan(figures.accuracy)
    expect(summary.heldOut.calibrationError).toBeLessThanOrEqual(0.05)
  })

  it('says of most cells of a breast tumour that they are unlike a reference of blood', async () => {
    const job = {
      query: xenium,
      references: [sortedCells, kangControl],
      label_columns: ['cell_type', 'cell_type'],
    }
    const { result, typed } = await type('xenium', { job: { ...job, generate_plots: true }, truth: null })
    const cells = typed.reasons.length
    const share = (reason: string) => typed.reasons.filter((one) => one === reason).length / cells
    expect(share('out-of-reference')).toBeGreaterThan(0.5)
    expect(share('assigned')).toBeLessThan(0.2)
    expect(result.notices.map(({ code }) => code)).toContain('QUERY_UNLIKE_REFERENCE')
    expect(existsSync(join(folder.path, 'run-xenium/out/celltyping_confidence.png'))).toBe(true)
  })

  it('leaves a model with which annotate gives the same cells the same types', async () => {
    const query = join(folder.path, 'panel.h5ad')
    await writeCut(query, { from: bloodQuery, genes: panelGenes() })
    const job = { ...(await recordedJob('default')), query, model_name: 'blood' }
    const { place, typed } = await type('then-annotate', { job })
    await run(
      process.execPath,
      [main, 'annotate', query, '--model', 'blood', '--models', 'models', '--out', 'annotated', '--no-umap'],
      { cwd: place },
    )
    const file = await openCells(join(place, 'annotated/panel.annotated.h5ad'))
    try {
      const { columns } = await file.obs()
      expect(textsOf(columns.get('cxg_cell_type_predicted'))).toEqual(typed.predicted)
    } finally {
      await file.close()
    }
  })

  /** Names of the classes in the metadata of the exported model. */
  function classesOf(place: string): string[] {
    const { outputs } = JSON.parse(readFileSync(join(place, 'out/result.json'), 'utf8')) as JobResult
    const metadata = readFileSync(join(place, 'out', outputs.model_metadata!), 'utf8')
    return (JSON.parse(metadata) as { cell_types: string[] }).cell_types
  }
})

/** Cells before and after by Cell Ontology id and reference. */
function balanceOf(text: string): Map<string, [number, number]> {
  const [header, ...rows] = csvRows(text).map(({ fields }) => fields)
  const at = (name: string) => header!.indexOf(name)
  const [id, source, before, after] = [
    at('cell_type_ontology_term_id'),
    at('reference_source'),
    at('n_before'),
    at('n_after'),
  ]
  const lines = rows.map((row): [string, [number, number]] => [
    `${row[id!]} of ${row[source!]}`,
    [Number(row[before!]), Number(row[after!])],
  ])
  return new Map(lines.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The confidence is that of the scores beside it: how far the best class stands out among those of one cell. */
function expectZscores({ scores, classes, confidence }: TypedCells): void {
  for (const [cell, value] of confidence.entries()) {
    const own = scores.subarray(cell * classes, (cell + 1) * classes)
    const mean = own.reduce((sum, score) => sum + score, 0) / classes
    const variance = own.reduce((sum, score) => sum + (score - mean) ** 2, 0) / classes
    const z = (Math.max(...own) - mean) / (Math.sqrt(variance) || 1)
    expect(value).toBeCloseTo(1 / (1 + Math.exp(-z)), 5)
  }
}
