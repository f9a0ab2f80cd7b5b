/**
 * Contract: what users get wrong, by the table of SpatialCore's errors and ours: each ends the job as failed, and as the user's to mend;
 * the outbox holds error.json and nothing else, with code, place, problem and remedy.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import type { ErrorReport } from '../../../lib/job/errors.ts'
import { JobFailed } from '../../../lib/local/job-failed.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { filesUnder, runRoadOf } from '../../support/road-run.ts'
import {
  categorical,
  controlProbes,
  referenceFile,
  type Study,
  simulateStudy,
  studyFile,
  studyGenes,
} from '../../support/simulated-studies.ts'
import { type JobFiles, uploadTyping } from '../../support/type-cells-run.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

type Expected = string | RegExp
const matching = (expected: Expected) =>
  typeof expected === 'string' ? expect.stringContaining(expected) : expect.stringMatching(expected)

interface Case {
  /** good ones where there are none */
  query?: AnnDataToWrite
  /** null where none lies there */
  reference?: AnnDataToWrite | null
  files?: JobFiles
  job?: Record<string, unknown>
}

async function failed({ query = good.query, reference = good.reference, files = {}, job = {} }: Case) {
  const all = { 'q.h5ad': query, ...(reference !== null && { 'ref-1.h5ad': reference }), ...files }
  const { start } = await uploadTyping(lab, all, job)
  const error = await runRoadOf(lab, start).catch((thrown: unknown) => thrown)
  if (!(error instanceof JobFailed)) throw new Error(`the job ended with ${String(error)}`)
  const left = await filesUnder(lab.stores.outbox, start.output)
  expect([...left.keys()]).toEqual(['error.json'])
  const written = JSON.parse(left.get('error.json')!.toString()) as ErrorReport
  expect(written).toEqual({ jobId: start.jobId, ...error.report, refused: true })
  return { report: error.report, isRefused: error.isRefused }
}

const [asked, taught] = [simulateStudy(3, 30), simulateStudy(1, 100)]
const good = { query: studyFile(asked.counts), reference: referenceFile(taught) }
const called = (name: (type: string, cell: number) => string | undefined) =>
  referenceFile(taught, { called: name })
/** as they are, but for the genes' names */
const renamed = ({ counts, types }: Study, genes: readonly string[]) =>
  referenceFile({ counts, types }, { genes })
const perMillion = (rows: readonly (readonly number[])[]) =>
  rows.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count) => Math.log1p((count / total) * 1e6))
  })
const scaled = asked.counts.map((row) => row.map((count) => (count - 5) / 3))
const foreign = studyGenes.map((_, gene) => `chr1_${1000 * gene}_${1000 * gene + 500}`)
const threeShared = studyGenes.map((gene, at) => (at < 3 ? gene : foreign[at]!))
const halves = [0, 1].map((half) => studyGenes.map((gene, at) => (at % 2 === half ? gene : foreign[at]!)))
const withObs = (obs: Parameters<typeof studyFile>[1]) => studyFile(asked.counts, obs)
const typedBefore = () => withObs({ obs: { cell_type_predicted: categorical(asked.types) } })
const review = 'label,cl_id,decision\r\nT cell,CL:0000084,CL:9999999\r\n'

// what is wrong, the job, and the report that it gets
// biome-ignore format: a table
const cases: [string, Case, code: string, place: Expected, problem: Expected, remedy: Expected][] = [
  ['no column of labels', { job: { label_columns: [] } }, 'LABELS_REQUIRED', 'label_columns', 'none is guessed', 'celldrop inspect'],
  ['one column for two references', { files: { 'ref-2.h5ad': good.reference }, job: { label_columns: ['cell_type'] } }, 'PATHS_LABELS_LEN', 'label_columns', '2 references and 1 label columns', 'one obs column for each'],
  ['a misspelt setting', { job: { label_colums: ['x'] } }, 'SETTING_UNKNOWN', 'label_colums', 'no such', '"label_columns"'],
  ['no reference', { reference: null }, 'SETTING_INVALID', 'references', '1', 'SETTINGS.md'],
  ['a threshold beyond one', { job: { confidence_threshold: 80 } }, 'SETTING_INVALID', 'confidence_threshold', '1', 'SETTINGS.md'],
  ['an unknown way to balance', { job: { balance_strategy: 'fair' } }, 'SETTING_INVALID', 'balance_strategy', /proportional.*equal/, 'SETTINGS.md'],
  ['a term that is no id', { job: { ontology: { 'T cell': 'T cell' } } }, 'SETTING_INVALID', 'ontology.T cell', 'CL:0000000', 'SETTINGS.md'],
  ['proportions beyond one', { job: { target_proportions: { 'T cell': 20 } } }, 'SETTING_INVALID', 'target_proportions', /\w/, 'SETTINGS.md'],

  ['a reference that is not there', { job: { references: ['lung.h5ad'] } }, 'INPUT_NOT_FOUND', /reference-1.*lung\.h5ad/, 'no such file', 'before the job file'],
  ['a reference in another cloud', { job: { references: ['gs://other/lung.h5ad'] } }, 'INPUT_NOT_ALLOWED', 'gs://other', 'CELLDROP_SOURCES', 'beside the job file'],
  ['markers that are not there', { job: { markers: 'markers.json' } }, 'INPUT_NOT_FOUND', /markers.*markers\.json/, 'no such file', 'name'],
  ['cells given for markers', { job: { markers: 'q.h5ad' } }, 'MARKERS_UNREADABLE', /q\.h5ad/, '', ''],
  ['markers that are no JSON', { files: { 'm.json': 'T cell: CD3D' }, job: { markers: 'm.json' } }, 'MARKERS_UNREADABLE', 'm.json', 'not JSON', '{"T cell"'],
  ['markers of one type twice', { files: { 'm.json': '{"T cell":["CD3D"],"t cell":["CD3E"]}' }, job: { markers: 'm.json' } }, 'MARKERS_UNREADABLE', 'm.json', 'twice', '{"T cell"'],

  ['a column that is not there', { job: { label_columns: ['celltype'] } }, 'LABEL_COLUMN', 'ref-1.h5ad:/obs', 'no column "celltype"', 'cell_type'],
  ['a tenth of the labels missing', { reference: called((type, cell) => (cell % 10 === 0 ? undefined : type)) }, 'VALIDATION', 'ref-1.h5ad:/obs/cell_type', 'EXCESSIVE_NULLS (error): 10 of 100', 'Label these cells'],
  ['no label at all', { reference: called(() => undefined) }, 'VALIDATION', 'ref-1.h5ad:/obs/cell_type', '100 of 100 cells', 'Label these cells'],
  ['a rare label where the job is strict', { reference: called((type, cell) => (cell < 3 ? 'rare' : type)), job: { strict_validation: true } }, 'VALIDATION', 'ref-1.h5ad', 'LOW_CELL_COUNTS (error)', 'strict_validation'],
  ['a reference of scaled values', { reference: studyFile(scaled, { obs: { cell_type: categorical(asked.types) } }) }, 'COUNTS_NOT_FOUND', 'ref-1.h5ad:X', 'negative values', 'layers["counts"]'],
  ['a reference of logs per million', { reference: referenceFile({ ...taught, counts: perMillion(taught.counts) }) }, 'COUNTS_NOT_FOUND', 'ref-1.h5ad:X', 'counts per million', 'layers["counts"]'],
  ['a query of logs per million', { query: studyFile(perMillion(asked.counts)) }, 'COUNTS_NOT_FOUND', 'q.h5ad:X', 'counts per million', 'layers["counts"]'],
  ['a query of zeros', { query: studyFile(asked.counts.map((row) => row.map(() => 0))) }, 'COUNTS_NOT_FOUND', 'q.h5ad:X', 'nothing but zeros', 'raw counts into X'],
  ['a reference without cells', { reference: referenceFile({ counts: [], types: [] }) }, 'CELLS_NONE', 'ref-1.h5ad', 'no cells', 'with cells'],
  ['types of an earlier run', { query: typedBefore() }, 'OUTPUT_EXISTS', 'cell_type_predicted', 'already', /annotation_prefix.*overwrite/],
  ['a vote without clusters', { job: { majority_voting: true } }, 'VOTING_NO_CLUSTER', 'q.h5ad:/obs', 'no column "leiden"', 'over_clustering'],
  ['a vote in no column', { job: { majority_voting: true, over_clustering: 'group' } }, 'VOTING_NO_CLUSTER', 'q.h5ad:/obs', '"group"', 'over_clustering'],

  ['a reference of other genes', { reference: renamed(taught, foreign) }, 'GENES_NO_OVERLAP', 'ref-1.h5ad:/var', 'none of the 60', 'gene column'],
  ['references without a gene in common', { reference: renamed(taught, halves[0]!), files: { 'ref-2.h5ad': renamed(taught, halves[1]!) } }, 'GENES_NO_SHARED', 'q.h5ad:/var', /no gene is in all files.*has 30/, 'fewest'],
  ['a panel that shares three genes', { query: studyFile(asked.counts, { genes: threeShared }) }, 'GENES_TOO_FEW', 'q.h5ad:/var', 'only 3 genes', 'min_genes'],
  ['a panel of control probes', { query: studyFile(asked.counts.map((row) => row.slice(0, 3)), { genes: controlProbes }) }, 'GENES_NONE_WANTED', 'q.h5ad:/var', 'control probes', 'gene column'],
  ['target genes of another panel', { job: { target_genes: ['TP53'] } }, 'GENES_NONE_WANTED', 'q.h5ad:/var', 'none of the 1 target_genes', 'target_genes'],
  ['no such gene column', { job: { gene_column: 'symbol' } }, 'GENE_COLUMN_MISSING', '/var', '"symbol"', 'index'],

  ['an id for no label', { job: { ontology: { 'T cel': 'CL:0000084' } } }, 'ONTOLOGY_LABEL', 'T cel', 'no such label', 'T cell'],
  ['an id that is none', { job: { ontology: { 'T cell': 'CL:9999999' } } }, 'ONTOLOGY_ID', 'T cell', 'CL:9999999', 'ols4'],
  ['a review that decides for no term', { files: { 'r.csv': review }, job: { ontology_review: 'r.csv' } }, 'ONTOLOGY_REVIEW', 'r.csv', /row 2, column decision.*CL:9999999/, 'keep'],
  ['a review without its columns', { files: { 'r.csv': 'a,b\r\n1,2\r\n' }, job: { ontology_review: 'r.csv' } }, 'ONTOLOGY_REVIEW', 'r.csv', 'label', 'Save the table'],
  ['proportions that are no table', { files: { 'p.json': '[0.5]' }, job: { target_proportions: 'p.json' } }, 'PROPORTIONS_FORMAT', 'p.json', 'not a JSON object', '.csv'],
  ['proportions in other columns', { files: { 'p.csv': 'type,share\r\nT cell,0.1\r\n' }, job: { target_proportions: 'p.csv' } }, 'PROPORTIONS_COLUMNS', 'p.csv', '"type"', 'cell_type and proportion'],
  ['a proportion that is no number', { files: { 'p.csv': 'cell_type,proportion\r\nT cell,10%\r\n' }, job: { target_proportions: 'p.csv' } }, 'PROPORTIONS_NUMBER', 'p.csv: line 2', '10%', '0 to 1'],
  ['a proportion beyond one', { files: { 'p.json': '{"T cell":1.5}' }, job: { target_proportions: 'p.json' } }, 'PROPORTIONS_RANGE', 'p.json', '"T cell" is 1.5', '2 % as 0.02'],

  ['labels that all name no type', { reference: called((_, cell) => (cell % 2 ? 'Unknown' : 'doublet')) }, 'LABELS_ALL_EXCLUDED', 'ref-1.h5ad:/obs/cell_type', '"Unknown" (50)', 'exclude_labels'],
  ['one type', { reference: called(() => 'T cell') }, 'CLASSES_TOO_FEW', 'references', 'only one type is left to learn, "T cell"', 'add references'],
  ['too few cells of each type', { job: { min_cells_per_type: 50 } }, 'TYPES_NONE_LEFT', 'references', 'none of the 5 types has 50 cells; the most frequent has 20', 'min_cells_per_type'],
  ['labels that are all rare', { reference: called((type, cell) => `${type} ${cell % 10}`), job: { min_cells_per_label: 20 } }, 'CLASSES_TOO_FEW', 'references', /no type is left to learn; 10 labels have fewer than 20 cells/, 'min_cells_per_label'],
  ['labels without terms where these are dropped', { reference: called((_, cell) => `Zed ${cell % 4}`), job: { unmapped_labels: 'drop' } }, 'CLASSES_TOO_FEW', 'references', /no type is left to learn.*"Zed 0"/, 'add references'],
  ['one type with enough cells', { reference: called((type, cell) => (cell < 60 ? 'T cell' : type)), job: { min_cells_per_type: 15 } }, 'CLASSES_TOO_FEW', 'references', /only one type is left.*fewer than 10 cells.*B cell"? \(8\)/, 'min_cells_per_type'],
  ['a proportion of no type', { job: { target_proportions: { basophil: 0.1 } } }, 'PROPORTIONS_UNKNOWN', 'target_proportions', 'basophil', 'T cell'],
  ['proportions that are more than all', { job: { target_proportions: { 'T cell': 0.7, 'B cell': 0.5 } } }, 'PROPORTIONS_SUM', 'target_proportions', 'sum to 1.2000', 'at most 1'],
  ['proportions that leave nothing for others', { job: { target_proportions: { 'T cell': 0.5, 'B cell': 0.5 } } }, 'PROPORTIONS_INCOMPLETE', 'target_proportions', /without one: "fibroblast"/, 'Give all types'],
  ['poor cells where the job is strict', { job: { strict: true, min_counts: 5000 } }, 'CELLS_LOW_COUNTS', 'q.h5ad', '30 cells have fewer than 5000', 'min_counts'],
  ['less than a batch where all is as in SpatialCore', { job: { compat: 'spatialcore' } }, 'BATCH_TOO_BIG', 'training cells', '100 cells are no more than one batch of 1000', 'batch_size'],
  ['no more genes than are to be chosen', { job: { feature_selection: true } }, 'FEATURES_TOO_FEW', 'training cells', '300 are wanted', 'top_genes'],
]

describe('a job with', () => {
  it.each(cases)('%s fails, and says so', async (_, given, code, place, problem, remedy) => {
    const { report, isRefused } = await failed(given)
    const [told, helped] = [matching(problem), matching(remedy)]
    expect(report).toEqual({ code, place: matching(place), problem: told, remedy: helped })
    expect(isRefused).toBe(true)
  })

  it('hostile labels says them in a form that no terminal acts on', async () => {
    const reference = called((type, cell) => (cell % 10 === 0 ? undefined : `${type}\u001b[2J\u0007`))
    const { report } = await failed({ reference, job: { strict_validation: true } })
    expect(Object.values(report).join('')).not.toMatch(/\p{Cc}/u)
    const { report: asked } = await failed({
      reference: called((type) => `${type}\u001b[2J`),
      job: { ontology: { nothing: 'CL:0000084' } },
    })
    expect(Object.values(asked).join('')).not.toMatch(/\p{Cc}/u)
  })
})
