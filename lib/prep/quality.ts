/**
 * What a cell looks like before anything is done with it: its total counts, the genes detected, the share of mitochondrial
 * counts. Cells of few counts are flagged and stay: CELLxGENE Annotate ends the whole run at the first one.
 */
import type { RowSlab } from '../data/cells.ts'
import type { ErrorReport } from '../job/errors.ts'

export interface RowQuality {
  /** for each row the sum of its counts; of logs the sum of what they stand for, which is no depth */
  totals: Float64Array
  /** genes of each row that are not zero */
  detected: Int32Array
  /** of `totals`, what lies in mitochondrial genes: 0 to 1, NaN for an empty cell; undefined where none is known */
  mitochondrial: Float64Array | undefined
}

/** 1 for each mitochondrial gene by its symbol (MT-ND1, mt-Nd1); undefined where there is none, as with Ensembl ids. */
export function mitochondrialGenes(symbols: readonly string[]): Uint8Array | undefined {
  const found = Uint8Array.from(symbols, (symbol) => Number(/^(MT|mt|Mt)-/.test(symbol)))
  return found.includes(1) ? found : undefined
}

export function rowQuality(
  { rows, indptr, indices, values }: RowSlab,
  { areLogs, isMitochondrial }: { areLogs: boolean; isMitochondrial?: Uint8Array | undefined },
): RowQuality {
  const totals = new Float64Array(rows)
  const detected = new Int32Array(rows)
  const mitochondrial = isMitochondrial === undefined ? undefined : new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    let [total, genes, inMitochondria] = [0, 0, 0]
    const end = indptr[row + 1]!
    for (let i = indptr[row]!; i < end; i++) {
      const stored = values[i]!
      if (stored === 0) continue
      const value = areLogs ? Math.expm1(stored) : stored
      total += value
      genes++
      if (isMitochondrial?.[indices[i]!] === 1) inMitochondria += value
    }
    totals[row] = total
    detected[row] = genes
    if (mitochondrial !== undefined) mitochondrial[row] = inMitochondria / total
  }
  return { totals, detected, mitochondrial }
}

export interface CellQuality extends RowQuality {
  /** 1 for cells of fewer than `minCounts` counts; undefined where the counts are not known */
  hasFewCounts: Uint8Array | undefined
  notices: ErrorReport[]
}

export interface QualityOptions {
  /** how many cells there are */
  cells: number
  /** for messages: the matrix */
  place: string
  /** what the rows were normalised from: of logs nobody knows the counts */
  from: 'counts' | 'log1p_10k' | 'log1p'
  /** 200 unless told */
  minCounts?: number
}

export interface QualityGathering {
  add(slab: { start: number } & RowQuality): void
  finish(): CellQuality
}

/** Gathers what comes with the slabs of `normalisedRows`, so that no second pass is needed. */
export function gatherQuality({ cells, place, from, minCounts = 200 }: QualityOptions): QualityGathering {
  const totals = new Float64Array(cells)
  const detected = new Int32Array(cells)
  let mitochondrial: Float64Array | undefined
  return {
    add(slab) {
      totals.set(slab.totals, slab.start)
      detected.set(slab.detected, slab.start)
      if (slab.mitochondrial === undefined) return
      mitochondrial ??= new Float64Array(cells)
      mitochondrial.set(slab.mitochondrial, slab.start)
    },
    finish() {
      const gathered = { totals, detected, mitochondrial }
      if (from !== 'counts') return { ...gathered, hasFewCounts: undefined, notices: [depthUnknown(place)] }
      const hasFewCounts = Uint8Array.from(totals, (total) => Number(total < minCounts))
      const few = hasFewCounts.reduce((sum, flag) => sum + flag, 0)
      const notices = few === 0 ? [] : [fewCounts(place, { few, cells, minCounts })]
      return { ...gathered, hasFewCounts, notices }
    },
  }
}

function fewCounts(
  place: string,
  { few, cells, minCounts }: { few: number; cells: number; minCounts: number },
): ErrorReport {
  return {
    code: 'CELLS_LOW_COUNTS',
    place,
    problem: `${few} of ${cells} cells have fewer than ${minCounts} counts; they are kept, and flagged`,
    remedy: 'Read their labels with care, or filter them before',
  }
}

function depthUnknown(place: string): ErrorReport {
  const problem = 'there are no counts: cells of few counts cannot be told from others'
  return { code: 'DEPTH_UNKNOWN', place, problem, remedy: 'Keep the raw counts in layers["counts"]' }
}
