/**
 * Typing of real blood cells: the references and the query of the recorded runs, references cut without one type, and what the labels
 * that come out are worth. Types are compared coarsely, as the recorded runs were: each class by the references' own coarse column.
 */
import { readFileSync } from 'node:fs'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Column, Matrix, RowSlab, Table } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { alignRows } from '../../lib/prep/align-genes.ts'
import { selectRows } from '../../lib/prep/select-rows.ts'
import { numbersOf, textsOf } from './read-h5ad.ts'
import { sharedPath } from './shared.ts'

export const sortedCells = sharedPath('data/pbmc_sorted_ref/pbmc_sorted_zheng.h5ad')
export const kangControl = sharedPath('data/kang_ifnb/kang_ctrl.h5ad')
export const bloodQuery = sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad')

/** The 400 genes that the recorded runs had for a panel, in the order of the query. */
export function panelGenes(): string[] {
  return readFileSync(sharedPath('golden/spatialcore/panel_400_genes.txt'), 'utf8').trim().split('\n')
}

export type RecordedRun = 'default' | 'cap300' | 'cap300_equal' | 'no_B' | 'no_NK' | 'no_Mono'

/** What SpatialCore 0.3 with CellTypist 1.7 made of the same cells. */
export interface RecordedFigures {
  train_cells: number
  classes: string[]
  n_query: number
  accuracy_coarse: number
  pass_0_8_share: number
  n_wrong: number
  wrong_passing: number
  auroc_confidence: number
  auroc_raw: number
}

export function recordedFigures(run: RecordedRun): RecordedFigures {
  const text = readFileSync(sharedPath('golden/spatialcore/figures.json'), 'utf8')
  return (JSON.parse(text) as Record<RecordedRun, RecordedFigures>)[run]
}

/** Writes the cells of a file that are not of the given coarse type, over all genes or those named, in the order of the file. */
export async function writeCut(
  to: string,
  { from, without, genes }: { from: string; without?: string; genes?: readonly string[] },
): Promise<void> {
  const file = await openCells(from)
  try {
    const [obs, every] = [await file.obs(), await file.var()]
    const coarse = textsOf(obs.columns.get('coarse'))
    const rows = Int32Array.from(obs.index.keys()).filter((row) => coarse[row] !== without)
    const wanted = new Set(genes ?? every.index)
    const kept = every.index.filter((gene) => wanted.has(gene))
    const matrix = await file.matrix('X')
    const slabs = await rowsOver(matrix, { rows, genes: every.index, kept })
    await writeH5ad(to, {
      obs: { ...obs, ...rowsOfTable(obs, rows) },
      var: { rows: kept.length, indexName: every.indexName, index: kept, columns: new Map() },
      x: {
        rows: rows.length,
        columns: kept.length,
        type: matrix.type,
        stored: slabs.reduce((sum, { indices }) => sum + indices.length, 0),
        async *slabs() {
          yield* slabs
        },
      },
    })
  } finally {
    await file.close()
  }
}

async function rowsOver(
  matrix: Matrix,
  { rows, genes, kept }: { rows: Int32Array; genes: readonly string[]; kept: readonly string[] },
): Promise<RowSlab[]> {
  const place = new Map(kept.map((gene, at) => [gene, at]))
  const target = Int32Array.from(genes, (gene) => place.get(gene) ?? -1)
  const slabs: RowSlab[] = []
  for await (const slab of selectRows(matrix, rows).slabs())
    slabs.push({ ...slab, ...alignRows(slab, { target, genes: kept.length, values: 'counts' }) })
  return slabs
}

function rowsOfTable({ index, columns }: Table, rows: Int32Array): Omit<Table, 'indexName'> {
  const kept = new Map<string, Column>()
  for (const [name, column] of columns)
    if (column.kind === 'categorical')
      kept.set(name, { ...column, codes: Int32Array.from(rows, (row) => column.codes[row]!) })
  return { rows: rows.length, index: Array.from(rows, (row) => index[row]!), columns: kept }
}

/** Coarse type of each Cell Ontology id and of its name, as the references of the recorded runs have them side by side. */
export async function coarseTypes(): Promise<Map<string, string>> {
  const coarse = new Map<string, string>()
  for (const path of [sortedCells, kangControl]) {
    const file = await openCells(path)
    try {
      const { columns } = await file.obs()
      const ids = textsOf(columns.get('cell_type_ontology_term_id'))
      const names = textsOf(columns.get('cell_type'))
      for (const [cell, type] of textsOf(columns.get('coarse')).entries())
        for (const key of [ids[cell], names[cell]])
          if (type !== undefined && key !== undefined) coarse.set(key, type)
    } finally {
      await file.close()
    }
  }
  return coarse
}

/** Of each cell of a typed file. */
export interface TypedCells {
  /** coarse; undefined where nobody knows it */
  truth: (string | undefined)[]
  predicted: (string | undefined)[]
  /** coarse type of the prediction */
  called: (string | undefined)[]
  /** coarse type of the label, which may be broader than the prediction; undefined for cells that were left without one */
  labelled: (string | undefined)[]
  /** false for cells that were left without a type */
  passes: boolean[]
  reasons: (string | undefined)[]
  confidence: number[]
  confidenceRaw: number[]
  /** scores of all classes, cells x classes */
  scores: Float32Array
  classes: number
}

const withoutType = new Set(['Unassigned', 'Low_count', 'Heterogeneous'])
const unknownIds = ['unknown', 'skipped']

/**
 * Reads what type-cells has added to a query under the given prefix.
 * @param of.coarse coarse type by Cell Ontology id
 * @param of.truth obs column that knows better, where there is one
 */
export async function typedCells(
  path: string,
  of: { coarse: ReadonlyMap<string, string>; prefix: string; truth: string | null },
): Promise<TypedCells> {
  const { coarse, prefix, truth } = of
  const file = await openCells(path)
  try {
    const { columns } = await file.obs()
    const text = (name: string) => textsOf(columns.get(name))
    const labels = text(prefix)
    const predicted = text(`${prefix}_predicted`)
    const ids = text(`${prefix}_ontology_term_id`)
    const obsm = await (file as AnnDataFile).mapping('obsm')
    const stored = obsm.get(`${prefix}_decision_scores`)
    if (stored?.kind !== 'array') throw new Error('no scores')
    return {
      truth: truth === null ? [] : text(truth).map((type) => (type === 'unknown' ? undefined : type)),
      predicted,
      called: ids.map((id) => (id === undefined || unknownIds.includes(id) ? undefined : coarse.get(id))),
      labelled: labels.map((label) => (label === undefined ? undefined : coarse.get(label))),
      passes: labels.map((label) => label !== undefined && !withoutType.has(label)),
      reasons: text(`${prefix}_reason`),
      confidence: numbersOf(columns.get(`${prefix}_confidence`)),
      confidenceRaw: numbersOf(columns.get(`${prefix}_confidence_raw`)),
      scores: Float32Array.from(stored.values as ArrayLike<number>),
      classes: stored.shape[1]!,
    }
  } finally {
    await file.close()
  }
}

export interface TypingFigures {
  /** cells whose type is known */
  cells: number
  accuracy: number
  macroF1: number
  wrong: number
  /** wrong and left with a type all the same */
  wrongPassing: number
  /** of all cells whose type is known */
  passShare: number
  accuracyOfPassing: number
  /** area under the curve of right against wrong */
  aurocConfidence: number
  aurocRaw: number
  /** expected calibration error over the query, 15 bins */
  queryEce: number
}

export function typingFigures(typed: TypedCells): TypingFigures {
  const cells = [...typed.truth.keys()].filter((cell) => typed.truth[cell] !== undefined)
  const right = cells.map((cell) => typed.called[cell] === typed.truth[cell])
  const passing = cells.map((cell) => typed.passes[cell]!)
  const count = (isCounted: (at: number) => boolean) =>
    cells.reduce((sum, _, at) => sum + Number(isCounted(at)), 0)
  const wrongPassing = count((at) => {
    const cell = cells[at]!
    return passing[at]! && typed.labelled[cell] !== typed.truth[cell]
  })
  const passes = count((at) => passing[at]!)
  const of = (values: readonly number[]) => cells.map((cell) => values[cell]!)
  return {
    cells: cells.length,
    accuracy: count((at) => right[at]!) / cells.length,
    macroF1: macroF1(
      cells.map((cell) => typed.truth[cell]!),
      cells.map((cell) => typed.called[cell] ?? ''),
    ),
    wrong: count((at) => !right[at]!),
    wrongPassing,
    passShare: passes / cells.length,
    accuracyOfPassing: (passes - wrongPassing) / passes,
    aurocConfidence: auroc(of(typed.confidence), right),
    aurocRaw: auroc(of(typed.confidenceRaw), right),
    queryEce: calibrationError(of(typed.confidence), right),
  }
}

/** Over the types that occur. */
export function macroF1(truth: readonly string[], called: readonly string[]): number {
  const types = [...new Set(truth)]
  const scores = types.map((type) => {
    const both = truth.filter((own, at) => own === type && called[at] === type).length
    const either = truth.filter((own) => own === type).length + called.filter((own) => own === type).length
    return (2 * both) / either
  })
  return scores.reduce((sum, score) => sum + score, 0) / types.length
}

/** How often a right cell has the higher value of a right and a wrong one; equal ones count half. */
export function auroc(values: readonly number[], right: readonly boolean[]): number {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!)
  let sum = 0
  for (let from = 0; from < order.length; ) {
    let to = from
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++
    for (let at = from; at < to; at++) if (right[order[at]!]) sum += (from + to + 1) / 2
    from = to
  }
  const positive = right.filter(Boolean).length
  return (sum - (positive * (positive + 1)) / 2) / (positive * (right.length - positive))
}

function calibrationError(values: readonly number[], right: readonly boolean[]): number {
  const bins = 15
  const gaps = new Float64Array(bins)
  for (const [at, value] of values.entries())
    gaps[Math.min(bins - 1, Math.floor(value * bins))]! += value - Number(right[at])
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / values.length
}
