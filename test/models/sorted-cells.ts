/** The sorted blood cells of Zheng 2017 to train on, and the 4,000 of another sample that their authors labelled coarsely, to be right about. */
import type { Column } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { bestMatch } from '../../lib/labels/match.ts'
import { type LinearModel, makeLinearModel } from '../../lib/models/linear-model.ts'
import { createLinearScorer } from '../../lib/models/linear-scorer.ts'
import type { TrainingRows } from '../../lib/models/standardised-cells.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { sharedPath } from '../support/shared.ts'
import { factsFor } from './toy-model.ts'

/** Which of the query's coarse labels each sorted type is. */
const coarse = new Map([
  ['B cell', 'B'],
  ['CD14-positive monocyte', 'Mono'],
  ['CD4-positive helper T cell', 'T CD4'],
  ['CD4-positive, alpha-beta memory T cell', 'T CD4'],
  ['CD8-positive, alpha-beta cytotoxic T cell', 'T CD8'],
  ['naive thymus-derived CD4-positive, alpha-beta T cell', 'T CD4'],
  ['naive thymus-derived CD8-positive, alpha-beta T cell', 'T CD8'],
  ['natural killer cell', 'NK'],
  ['regulatory T cell', 'T CD4'],
])

export interface LabelledCells {
  cells: TrainingRows
  genes: string[]
  labels: string[]
}

export interface Reference extends LabelledCells {
  codes: Int32Array
  distinct: string[]
}

export async function sortedReference(): Promise<Reference> {
  const found = await labelledFile('data/pbmc_sorted_ref/pbmc_sorted_zheng.h5ad', 'cell_type')
  const distinct = [...new Set(found.labels)].sort()
  return { ...found, distinct, codes: Int32Array.from(found.labels, (label) => distinct.indexOf(label)) }
}

export async function coarseQuery(): Promise<LabelledCells> {
  return labelledFile('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad', 'coarse')
}

/** Share of the query's labelled cells whose best match is of their coarse label. */
export function coarseAccuracy(model: LinearModel, query: LabelledCells): number {
  const places = new Map(model.card.genes.map((gene, i) => [gene, i]))
  const target = Int32Array.from(query.genes, (gene) => places.get(gene) ?? -1)
  const present = new Uint8Array(places.size)
  for (const gene of target) if (gene >= 0) present[gene] = 1
  const { rows, indptr, indices, values } = query.cells
  const kept: number[] = []
  const offsets = new Int32Array(rows + 1)
  for (let row = 0; row < rows; row++) {
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) if (target[indices[i]!]! >= 0) kept.push(i)
    offsets[row + 1] = kept.length
  }
  const scores = createLinearScorer(model, present).score({
    ...{ start: 0, rows, columns: places.size, indptr: offsets },
    indices: Int32Array.from(kept, (i) => target[indices[i]!]!),
    values: Float64Array.from(kept, (i) => values[i]!),
  })
  const best = bestMatch(scores, model.card.labels.length)
  let known = 0
  let right = 0
  for (const [row, label] of query.labels.entries()) {
    if (label === 'unknown') continue
    known++
    if (coarse.get(model.card.labels[best[row]!]!) === label) right++
  }
  return right / known
}

/** Weights over genes of the reference as a model. */
export function modelOf(
  { weights, intercept, mean, scale }: Pick<LinearModel, 'weights' | 'intercept' | 'mean' | 'scale'>,
  { genes, distinct }: { genes: string[]; distinct: string[] },
): LinearModel {
  return makeLinearModel(factsFor(genes, distinct), { weights, intercept, mean, scale })
}

async function labelledFile(path: string, name: string): Promise<LabelledCells> {
  const file = await openCells(sharedPath(path))
  const labels = textsOf((await file.obs()).columns.get(name))
  const genes = (await file.var()).index
  const indptr = [0]
  const parts: { indices: Int32Array; values: Float32Array | Float64Array }[] = []
  for await (const slab of normalisedRows(await file.matrix('X'), { from: 'counts' })) {
    const begun = indptr.at(-1)!
    for (let row = 1; row <= slab.rows; row++) indptr.push(begun + slab.indptr[row]!)
    const stored = slab.indptr[slab.rows]!
    parts.push({ indices: slab.indices.slice(0, stored), values: slab.values.slice(0, stored) })
  }
  await file.close()
  const [indices, values] = [new Int32Array(indptr.at(-1)!), new Float32Array(indptr.at(-1)!)]
  let at = 0
  for (const part of parts) {
    indices.set(part.indices, at)
    values.set(part.values, at)
    at += part.indices.length
  }
  const rows = indptr.length - 1
  return {
    cells: { rows, columns: genes.length, indptr: Float64Array.from(indptr), indices, values },
    genes,
    labels,
  }
}

function textsOf(column: Column | undefined): string[] {
  if (column?.kind !== 'categorical' || column.categories.kind !== 'string') throw new Error('no labels')
  const names = column.categories.values
  return Array.from(column.codes, (code) => names[code]!)
}
