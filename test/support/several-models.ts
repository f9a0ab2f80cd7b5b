/** Models for jobs with several of them: any genes and labels, weights by seed, and what a job made of them as plain values. */
import { join } from 'node:path'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { type ModelFacts, makeLinearModel } from '../../lib/models/linear-model.ts'
import type { JobResult } from '../../lib/workflows/parts/results.ts'
import { factsFor } from '../models/toy-model.ts'
import type { Installation } from './installation.ts'
import { arrayOf, numbersOf, plain, textsOf } from './read-h5ad.ts'
import { filesUnder, runStepsOf } from './road-run.ts'
import { jobFile, walk } from './walk.ts'

export async function saveRandomModel(
  { stores }: Installation,
  facts: { name: string; genes: string[]; labels: string[]; seed: number } & Partial<ModelFacts>,
): Promise<string> {
  const { seed, genes, labels, ...rest } = facts
  const draw = random(seed)
  const of = (length: number, make: () => number) => Float64Array.from({ length }, make)
  const model = makeLinearModel(
    { ...factsFor(genes, labels), ontology: {}, ...rest },
    {
      weights: of((labels.length === 2 ? 1 : labels.length) * genes.length, () => draw.normal()),
      intercept: of(labels.length === 2 ? 1 : labels.length, () => draw.normal()),
      mean: of(genes.length, () => 1 + draw.uniform()),
      scale: of(genes.length, () => 0.5 + draw.uniform()),
    },
  )
  return (await saveModel(stores.models, model)).id
}

export interface Annotations {
  predicted: (string | undefined)[]
  /** null where there is no such column */
  raw: (string | undefined)[] | null
  uncertainty: number[]
  ids: (string | undefined)[]
  /** null where there is no such column */
  model: (string | undefined)[] | null
  byCell: (string | undefined)[] | null
  second: (string | undefined)[] | null
  margin: number[] | null
  obsm: string[]
  /** cells x classes; null where they were not written */
  probabilities: number[] | null
  uns: Record<string, unknown>
}

/** A whole job in this process, of cells in a file `q.h5ad` beside it. */
export async function annotateWith(
  lab: Installation,
  name: string,
  { query, settings }: { query: AnnDataToWrite; settings: Record<string, unknown> },
): Promise<{ annotations: Annotations; result: JobResult; page: string; table: string[] }> {
  await lab.upload(`jobs/${name}/q.h5ad`, query)
  const job = jobFile({ query: 'q.h5ad', umap: false, min_counts: 0, ...settings })
  const state = await walk(await lab.upload(`jobs/${name}/job.json`, job), lab.environment, 'PlanCompute')
  const codes = await runStepsOf(lab, state)
  if (codes.some((code) => code !== 0)) throw new Error(`${name} ended with ${codes}`)
  const files = await filesUnder(lab.stores.outbox, state.start.output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  const path = join(lab.folder.path, 'outbox', state.start.output, result.outputs.h5ad!)
  const file = (await openCells(path)) as AnnDataFile
  try {
    return {
      annotations: await annotationsOf(file),
      result,
      page: files.get('report.html')!.toString(),
      table: files.get('predictions.csv')!.toString().trimEnd().split('\n'),
    }
  } finally {
    await file.close()
  }
}

async function annotationsOf(file: AnnDataFile): Promise<Annotations> {
  const { columns, rows } = await file.obs()
  const column = (name: string) => columns.get(`cxg_cell_type_${name}`)
  const texts = (name: string) => (column(name) === undefined ? null : textsOf(column(name)))
  const obsm = await file.mapping('obsm')
  const uns = plain(await file.unstructured('cxg_cell_type_predictions')) as Record<string, unknown>
  const classes = (uns.classes as string[]).length
  const probabilities = 'cxg_cell_type_probabilities'
  return {
    predicted: textsOf(column('predicted')),
    raw: texts('predicted_raw'),
    uncertainty: numbersOf(column('predicted_uncertainty')),
    ids: textsOf(column('predicted_ontology_term_id')),
    model: texts('model'),
    byCell: texts('predicted_by_cell'),
    second: texts('predicted_second'),
    margin: column('predicted_margin') === undefined ? null : numbersOf(column('predicted_margin')),
    obsm: [...obsm.keys()],
    probabilities: obsm.has(probabilities) ? arrayOf(obsm, probabilities, [rows, classes]) : null,
    uns,
  }
}
