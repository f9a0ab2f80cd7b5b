/**
 * Contract: what users get wrong, by the tables of CELLxGENE Annotate's and SpatialCore's errors: each ends the job as failed, and as the
 * user's to mend; the outbox holds error.json and nothing else, with code, place, problem and remedy.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
import { JobFailed } from '../../lib/local/job-failed.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { cellsOf, type Installation, makeInstallation } from '../support/installation.ts'
import { filesUnder, runRoadOf } from '../support/road-run.ts'
import {
  saveSimulatedModel,
  simulateCells,
  simulatedGenes,
  simulatedQuery,
} from '../support/simulated-cells.ts'
import { jobFile } from '../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  await saveSimulatedModel(lab.stores)
  await saveSimulatedModel(lab.stores, 'damaged')
  for await (const { key } of lab.stores.models.list('damaged/'))
    if (key.endsWith('weights.f64')) await lab.stores.models.write(key, new Uint8Array(64))
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

type Expected = string | RegExp
const matching = (expected: Expected) =>
  typeof expected === 'string' ? expect.stringContaining(expected) : expect.stringMatching(expected)

interface Case {
  /** what lies beside the job file as q.h5ad; a job without its query where there is none */
  query?: AnnDataToWrite | string
  /** the whole job file, or settings besides query and model */
  job: string | Record<string, unknown>
}

let count = 0
async function failed({ query, job }: Case) {
  const name = `bad-${count++}`
  if (query !== undefined) await lab.upload(`jobs/${name}/q.h5ad`, query)
  const text = typeof job === 'string' ? job : jobFile({ query: 'q.h5ad', model: 'blood', ...job })
  const { start } = await lab.upload(`jobs/${name}/job.yaml`, text)
  const error = await runRoadOf(lab, start).catch((thrown: unknown) => thrown)
  if (!(error instanceof JobFailed)) throw new Error(`the job ended with ${String(error)}`)
  const files = await filesUnder(lab.stores.outbox, start.output)
  expect([...files.keys()]).toEqual(['error.json'])
  const written = JSON.parse(files.get('error.json')!.toString()) as ErrorReport
  expect(written).toEqual({ jobId: start.jobId, ...error.report, refused: true })
  return { report: error.report, isRefused: error.isRefused }
}

const { counts } = simulateCells(3, 60)
const query = (rows: readonly (readonly number[])[], genes: readonly string[] = simulatedGenes) =>
  cellsOf(rows, { genes })
const good = () => query(counts)
const firstGenes = (many: number) =>
  query(
    counts.map((row) => row.slice(0, many)),
    simulatedGenes.slice(0, many),
  )
const scaled = counts.map((row) => row.map((value) => (value - 5) / 3))
const peaks = simulatedGenes.map((_, i) => `chr1_${1000 * i}_${1000 * i + 500}`)
const lfsPointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'
const annotatedBefore = () => {
  const cells = simulatedQuery(3, 60)
  cells.obs.columns.set('cxg_cell_type_predicted', cells.obs.columns.get('truth')!)
  return cells
}

// what is wrong, the job, and the report that it gets
// biome-ignore format: a table
const cases: [string, Case, code: string, place: string, problem: Expected, remedy: Expected][] = [
  ['text that is no job', { job: 'hello: [world' }, 'MANIFEST_UNREADABLE', 'job.yaml', 'line 1', 'YAML or JSON'],
  ['a list', { job: '- annotate' }, 'MANIFEST_UNREADABLE', 'job.yaml', 'not a list of "setting: value"', 'YAML or JSON'],
  ['an alias', { job: 'workflow: annotate\na: &a 1\nquery: *a' }, 'MANIFEST_UNREADABLE', 'job.yaml', 'aliases', 'YAML'],
  ['no workflow', { job: 'query: q.h5ad' }, 'WORKFLOW_UNKNOWN', 'workflow', 'names no workflow', 'annotate'],
  ['an unknown workflow', { job: 'workflow: anotate' }, 'WORKFLOW_UNKNOWN', 'workflow', '"anotate"', 'annotate'],
  ['a misspelt setting', { job: { majority_votng: true } }, 'SETTING_UNKNOWN', 'majority_votng', 'no such', '"majority_voting"'],
  ['an unknown organism', { job: { organism: 'Homo erectus' } }, 'SETTING_INVALID', 'organism', /Homo sapiens.*Mus musculus/, 'SETTINGS.md'],
  ['an unknown annotation type', { job: { annotation_type: 'tissue' } }, 'SETTING_INVALID', 'annotation_type', 'cell_type', 'SETTINGS.md'],
  ['a number out of range', { job: { p_threshold: 1.5 } }, 'SETTING_INVALID', 'p_threshold', '1', 'SETTINGS.md'],

  ['no query there', { job: {} }, 'INPUT_NOT_FOUND', 'q.h5ad', 'no such file', 'before the job file'],
  ['an empty query', { query: '', job: {} }, 'INPUT_EMPTY', 'q.h5ad', 'empty', 'again'],
  ['another bucket', { job: { query: 's3://other/q.h5ad' } }, 'INPUT_NOT_ALLOWED', 'other', 'only', 'beside the job file'],
  ['an address of the web', { job: { query: 'https://a.org/q.h5ad' } }, 'INPUT_NOT_ALLOWED', 'a.org', 'CELLDROP_SOURCES', 'beside'],
  ['a way out of the inbox', { job: { query: '../../q.h5ad' } }, 'KEY_UNSUPPORTED', 'q.h5ad', '".."', 'another name'],

  ['no model and no default', { query: good(), job: 'workflow: annotate\nquery: q.h5ad' }, 'MODEL_REQUIRED', 'model', 'no default', 'celldrop models'],
  ['an unknown model', { query: good(), job: { model: 'liver' } }, 'MODEL_MISSING', 'models', 'liver', 'blood'],
  ['a damaged model', { query: good(), job: { model: 'damaged' } }, 'MODEL_CORRUPT', 'weights', 'cut short', 'again'],
  ['an unknown classifier', { query: good(), job: { classifier: 'fine' } }, 'SETTING_INVALID', 'classifier', /knn/, /\w/],
  ['a classifier that no linear model has', { query: good(), job: { classifier: 'knn' } }, 'CLASSIFIER_UNKNOWN', 'classifier', '"knn"', 'a network'],
  ['label columns of a linear model', { query: good(), job: { label_columns: ['fine'] } }, 'MODEL_KIND', 'label_columns', 'one column', 'a network'],
  ['surgery on a linear model', { query: good(), job: { mapping: 'surgery' } }, 'MODEL_KIND', 'mapping', 'surgery', 'a network'],

  ['text named h5ad', { query: 'cell,gene\n1,2\n', job: {} }, 'FORMAT_UNKNOWN', 'q.h5ad', 'no format of cells', 'h5ad'],
  ['a git-LFS pointer', { query: lfsPointer, job: {} }, 'FORMAT_UNKNOWN', 'q.h5ad', /\w/, /\w/],
  ['no cells', { query: query([]), job: {} }, 'CELLS_NONE', 'q.h5ad', 'no cells', 'with cells'],
  ['scaled values alone', { query: query(scaled), job: {} }, 'COUNTS_NOT_FOUND', 'q.h5ad:X', 'negative values', 'raw counts into X'],
  ['a layer that is not there', { query: good(), job: { counts_layer: 'raw' } }, 'COUNTS_LAYER_MISSING', 'q.h5ad', "'raw'", 'X'],
  ['annotations of an earlier run', { query: annotatedBefore(), job: {} }, 'OUTPUT_EXISTS', 'cxg_cell_type_predicted', 'already', /run_name.*overwrite/],
  ['a vote in no column', { query: good(), job: { majority_voting: true, over_clustering: 'leiden' } }, 'OVER_CLUSTERING_COLUMN', '/obs', '"leiden"', 'leave out'],

  ['no gene of the model', { query: query(counts, peaks), job: {} }, 'GENES_NO_OVERLAP', '/var', 'none of the 66', 'gene column'],
  ['too few genes', { query: firstGenes(9), job: {} }, 'GENES_TOO_FEW', '/var', 'only 9 of the 66', 'model of the same genes'],
  ['no such gene column', { query: good(), job: { gene_column: 'symbol' } }, 'GENE_COLUMN_MISSING', '/var', "'symbol'", 'index'],
  ['an id for no label', { query: good(), job: { ontology: { 'B cel': 'CL:0000236' } } }, 'ONTOLOGY_LABEL', 'B cel', 'no such label', 'B cell'],
  ['an id that is none', { query: good(), job: { ontology: { 'B cell': 'CL:9999999' } } }, 'ONTOLOGY_ID', 'B cell', 'CL:9999999', 'ols4'],

  ['poor cells where the job is strict', { query: good(), job: { strict: true, min_counts: 5000 } }, 'CELLS_LOW_COUNTS', 'q.h5ad', '60 cells have fewer than 5000', 'min_counts'],
]

describe('a job with', () => {
  it.each(cases)('%s fails, and says so', async (_, given, code, place, problem, remedy) => {
    const { report, isRefused } = await failed(given)
    const [told, helped] = [matching(problem), matching(remedy)]
    expect(report).toEqual({ code, place: matching(place), problem: told, remedy: helped })
    expect(isRefused).toBe(true)
  })

  it('hostile names says them in a form that no terminal acts on', async () => {
    const { report } = await failed({ job: { 'q\u001b[2Juery\u0007': 'x' } })
    expect(Object.values(report).join('')).not.toMatch(/\p{Cc}/u)
    expect(report).toMatchObject({ code: 'SETTING_UNKNOWN', place: expect.stringContaining('\\u001b[2J') })
  })
})

describe('a job that failed', () => {
  it('and was mended has its result, which says what could be lived with, and error.json is gone', async () => {
    await lab.upload('jobs/mended/q.h5ad', firstGenes(40))
    const job = jobFile({
      query: 'q.h5ad',
      model: 'late',
      umap: false,
      min_counts: 300,
      show_genes: ['NOPE'],
    })
    const { start } = await lab.upload('jobs/mended/job.json', job)
    await expect(runRoadOf(lab, start)).rejects.toMatchObject({ report: { code: 'MODEL_MISSING' } })
    await saveSimulatedModel(lab.stores, 'late')
    await runRoadOf(lab, start)
    const files = await filesUnder(lab.stores.outbox, start.output)
    expect([...files.keys()].sort()).toEqual([
      'predictions.csv',
      'q.annotated.h5ad',
      'report.html',
      'result.json',
    ])
    const { notices } = JSON.parse(files.get('result.json')!.toString()) as JobResult
    const problems = new Map(notices.map(({ code, problem }) => [code, problem]))
    expect(problems.get('GENES_LOW_OVERLAP')).toMatch(/40 of the 66/)
    expect(problems.get('CELLS_LOW_COUNTS')).toMatch(/of 60 cells have fewer than 300 counts/)
    expect(problems.get('GENE_NOT_FOUND')).toMatch(/NOPE/)
  })

  it('because its upload was replaced leaves the new one to a job of its own', async () => {
    const { start } = await lab.upload('jobs/twice/job.json', jobFile({ query: 'q.h5ad', model: 'blood' }))
    await lab.upload('jobs/twice/job.json', jobFile({ query: 'q.h5ad', model: 'blood', seed: 1 }))
    await expect(runRoadOf(lab, start)).rejects.toMatchObject({ report: { code: 'UPLOAD_REPLACED' } })
  })
})
