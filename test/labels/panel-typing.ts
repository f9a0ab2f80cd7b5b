/**
 * The set-up of ../shared/golden/spatialcore anew: 2,170 blood cells cut to 400 genes, typed by a model of two references that share only
 * some labels. Here as a caller does it: held-out rounds, calibration, distance to the reference, thresholds.
 */
import { readFileSync } from 'node:fs'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { broadenCalls, coversMatrix, probabilityOfCall } from '../../lib/labels/broader-labels.ts'
import { type Calibration, calibratedProbabilities, fitCalibration } from '../../lib/labels/calibration.ts'
import { heldOutFolds } from '../../lib/labels/held-out.ts'
import type { SparseCells, Standard } from '../../lib/labels/lifted-rows.ts'
import { bestMatch } from '../../lib/labels/match.ts'
import { fitOutOfReference, outOfReferenceTails, withinReference } from '../../lib/labels/out-of-reference.ts'
import { assignLabels } from '../../lib/labels/thresholds.ts'
import { fitLinear, type LinearFit } from '../../lib/models/fit-linear.ts'
import { sharedPath } from '../support/shared.ts'

export interface LabelledCells {
  cells: SparseCells
  types: string[]
  coarse: string[]
  sources: Int32Array
}

/** Cells on some genes of a file, counts scaled to 10,000 over these genes, log1p. */
export async function readPanel(path: string, genes: readonly string[]): Promise<LabelledCells> {
  const file = await openCells(sharedPath('data', path))
  const place = new Map(genes.map((gene, at) => [gene, at]))
  const columns = (await file.var()).index.map((gene) => place.get(gene) ?? -1)
  const obs = await file.obs()
  const [indptr, indices, values]: [number[], number[], number[]] = [[0], [], []]
  for await (const slab of (await file.matrix('X')).slabs())
    for (let row = 0; row < slab.rows; row++) {
      const first = values.length
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) {
        const column = columns[slab.indices[i]!]!
        if (column < 0 || slab.values[i] === 0) continue
        indices.push(column)
        values.push(slab.values[i]!)
      }
      const total = values.slice(first).reduce((sum, value) => sum + value, 0)
      for (let i = first; i < values.length; i++) values[i] = Math.log1p((values[i]! * 1e4) / total)
      indptr.push(values.length)
    }
  await file.close()
  const texts = (name: string): string[] => columnTexts(obs.columns.get(name)!)!
  return {
    cells: sparse(indptr, { indices, values, columns: genes.length }),
    types: texts('cell_type'),
    coarse: texts('coarse'),
    sources: new Int32Array(obs.rows),
  }
}

function sparse(
  indptr: readonly number[],
  { indices, values, columns }: { indices: readonly number[]; values: readonly number[]; columns: number },
): SparseCells {
  return {
    rows: indptr.length - 1,
    columns,
    indptr: Float64Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

export function takeRows(
  { cells, types, coarse, sources }: LabelledCells,
  rows: readonly number[],
): LabelledCells {
  const [indptr, indices, values]: [number[], number[], number[]] = [[0], [], []]
  for (const row of rows) {
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      indices.push(cells.indices[i]!)
      values.push(cells.values[i]!)
    }
    indptr.push(indices.length)
  }
  return {
    cells: sparse(indptr, { indices, values, columns: cells.columns }),
    types: rows.map((row) => types[row]!),
    coarse: rows.map((row) => coarse[row]!),
    sources: Int32Array.from(rows, (row) => sources[row]!),
  }
}

export function together(parts: readonly LabelledCells[]): LabelledCells {
  const indptr = [0]
  for (const { cells } of parts)
    for (let row = 0; row < cells.rows; row++)
      indptr.push(indptr.at(-1)! + cells.indptr[row + 1]! - cells.indptr[row]!)
  return {
    cells: sparse(indptr, {
      indices: parts.flatMap(({ cells }) => [...cells.indices]),
      values: parts.flatMap(({ cells }) => [...cells.values]),
      columns: parts[0]!.cells.columns,
    }),
    types: parts.flatMap(({ types }) => types),
    coarse: parts.flatMap(({ coarse }) => coarse),
    sources: Int32Array.from(parts.flatMap(({ cells }, part) => Array<number>(cells.rows).fill(part))),
  }
}

export interface Panel {
  query: LabelledCells
  reference: LabelledCells
}

export async function readPanelData(): Promise<Panel> {
  const genes = readFileSync(sharedPath('golden/spatialcore/panel_400_genes.txt'), 'utf8')
    .trim()
    .split(/\r?\n/)
  return {
    query: await readPanel('pbmc4k_query/pbmc4k_soupx_labelled.h5ad', genes),
    reference: together([
      await readPanel('pbmc_sorted_ref/pbmc_sorted_zheng.h5ad', genes),
      await readPanel('kang_ifnb/kang_ctrl.h5ad', genes),
    ]),
  }
}

/** Labels of 50 cells and more, without a coarse type where one is to be missing. */
export function trainingCells(reference: LabelledCells, without?: string): LabelledCells {
  const sizes = new Map<string, number>()
  const isUsed = (row: number): boolean =>
    reference.types[row] !== 'unknown' && reference.coarse[row] !== without
  const rows = [...reference.types.keys()].filter(isUsed)
  for (const row of rows) sizes.set(reference.types[row]!, (sizes.get(reference.types[row]!) ?? 0) + 1)
  return takeRows(
    reference,
    rows.filter((row) => sizes.get(reference.types[row]!)! >= 50),
  )
}

/** As the Cell Ontology has it. */
const narrower: Record<string, string[]> = {
  'CD4-positive, alpha-beta T cell': [
    'CD4-positive helper T cell',
    'CD4-positive, alpha-beta memory T cell',
    'naive thymus-derived CD4-positive, alpha-beta T cell',
  ],
  'CD8-positive, alpha-beta T cell': ['CD8-positive, alpha-beta cytotoxic T cell'],
}

export interface Typing {
  labels: string[]
  calibration: Calibration
  /** of cells with a known coarse type: whether the call has it */
  right: boolean[]
  unseen: boolean[]
  tails: number[]
  /** of the label called, of it and narrower ones, of all labels of its coarse type; all within the reference */
  confidence: { own: number[]; covered: number[]; coarse: number[] }
  /** cells that keep a label at 0.8, right or wrong, by the label called and by the broader one that may stand in */
  kept: { called: boolean[]; broadened: boolean[]; broadenedRight: boolean[]; coarse: boolean[] }
}

export async function typeQuery(
  { query, reference }: Panel,
  { strength = 0.01, seed = 0 } = {},
): Promise<Typing> {
  const labels = [...new Set(reference.types)].sort()
  const codes = Int32Array.from(reference.types, (type) => labels.indexOf(type))
  const modelOf = (cells: SparseCells, own: Int32Array) =>
    fitLinear(cells, {
      codes: own,
      labels: labels.length,
      loss: 'ovr',
      strength,
      tolerance: 1e-6,
      threads: 1,
    })
  const folds = heldOutFolds({ codes, sources: reference.sources, seed })
  const scores = new Float64Array(codes.length * labels.length)
  for (let fold = 0; fold < 5; fold++) {
    const [train, test] = [(row: number) => folds[row] !== fold, (row: number) => folds[row] === fold].map(
      (isIn) => [...codes.keys()].filter(isIn),
    ) as [number[], number[]]
    const model = await modelOf(
      takeRows(reference, train).cells,
      Int32Array.from(train, (row) => codes[row]!),
    )
    const own = scoresOf(takeRows(reference, test).cells, model)
    test.forEach((row, at) => {
      scores.set(own.subarray(at * labels.length, (at + 1) * labels.length), row * labels.length)
    })
  }
  const { calibration } = fitCalibration({ scores, codes, labels: labels.length, loss: 'ovr' })
  const model = await modelOf(reference.cells, codes)
  const standard: Standard = { mean: model.mean, scale: model.scale }
  const { reference: space } = await fitOutOfReference(reference.cells, {
    codes,
    labels: labels.length,
    standard,
    folds,
    called: bestMatch(scores, labels.length),
    seed,
  })
  const queryScores = scoresOf(query.cells, model)
  const called = bestMatch(queryScores, labels.length)
  const tails = outOfReferenceTails(query.cells, { reference: space!, standard, called })
  return judged({ query, reference, labels, calibration, queryScores, called, tails })
}

function judged({
  query,
  reference,
  labels,
  calibration,
  queryScores,
  called,
  tails,
}: Panel & {
  labels: string[]
  calibration: Calibration
  queryScores: Float64Array
  called: Int32Array
  tails: Float64Array
}): Typing {
  const coarseOf = labels.map((label) => reference.coarse[reference.types.indexOf(label)]!)
  const probabilities = calibratedProbabilities(queryScores, { calibration, within: withinReference(tails) })
  const [count, codes] = [labels.length, called]
  const covers = coversMatrix(
    count,
    (broad, narrow) => narrower[labels[broad]!]?.includes(labels[narrow]!) ?? false,
  )
  const sameCoarse = coversMatrix(count, (one, other) => coarseOf[one] === coarseOf[other])
  const sure = (matrix?: Uint8Array) =>
    probabilityOfCall(probabilities, { labels: count, codes, covers: matrix })
  const wide = broadenCalls(probabilities, { labels: count, codes, covers, threshold: 0.8 })
  const keeps = (which: Int32Array, confidence: Float64Array) => {
    const { names } = assignLabels({ codes: which, labels, confidence }, { outOfReference: { tails } })
    return names.map((name) => name !== 'Unassigned')
  }
  const known = [...query.coarse.keys()].filter((cell) => query.coarse[cell] !== 'unknown')
  const pick = <Item>(all: ArrayLike<Item>): Item[] => known.map((cell) => all[cell]!)
  const isRight = (which: Int32Array) =>
    pick(Array.from(which, (code, cell) => coarseOf[code] === query.coarse[cell]))
  return {
    labels,
    calibration,
    right: isRight(called),
    unseen: known.map((cell) => !coarseOf.includes(query.coarse[cell]!)),
    tails: pick(tails),
    confidence: { own: pick(sure()), covered: pick(sure(covers)), coarse: pick(sure(sameCoarse)) },
    kept: {
      called: pick(keeps(called, sure(covers))),
      broadened: pick(keeps(wide.codes, wide.confidence)),
      broadenedRight: isRight(wide.codes),
      coarse: pick(keeps(called, sure(sameCoarse))),
    },
  }
}

function scoresOf(cells: SparseCells, { weights, intercept, mean, scale }: LinearFit): Float64Array {
  const labels = intercept.length
  const scores = new Float64Array(cells.rows * labels)
  const zero = mean.map((value, gene) => -value / (scale[gene] || 1))
  const base = intercept.map((value, label) => {
    let sum = value
    for (let gene = 0; gene < cells.columns; gene++)
      sum += weights[label * cells.columns + gene]! * zero[gene]!
    return sum
  })
  for (let row = 0; row < cells.rows; row++) {
    scores.set(base, row * labels)
    for (let i = cells.indptr[row]!; i < cells.indptr[row + 1]!; i++) {
      const gene = cells.indices[i]!
      const lifted = Math.min((cells.values[i]! - mean[gene]!) / (scale[gene] || 1), 10) - zero[gene]!
      for (let label = 0; label < labels; label++)
        scores[row * labels + label]! += lifted * weights[label * cells.columns + gene]!
    }
  }
  return scores
}

/** Probability that one of the first is above one of the second; ties are half. */
export function auroc(high: readonly number[], low: readonly number[]): number {
  const all = [...high.map((value) => ({ value, is: 1 })), ...low.map((value) => ({ value, is: 0 }))]
  all.sort((a, b) => a.value - b.value)
  let ranks = 0
  for (let at = 0; at < all.length; ) {
    let end = at
    while (end < all.length && all[end]!.value === all[at]!.value) end++
    for (let i = at; i < end; i++) if (all[i]!.is === 1) ranks += (at + end + 1) / 2
    at = end
  }
  return (ranks - (high.length * (high.length + 1)) / 2) / (high.length * low.length)
}
