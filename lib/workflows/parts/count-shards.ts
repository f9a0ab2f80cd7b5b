/**
 * Raw counts over a model's genes in shards, and what stands beside them for each cell: codes of batch, covariates and label. Prepare
 * writes them, Fit reads the cells that learn, Embed one shard.
 *
 * A cell without a count on these genes, without a batch or without a covariate takes no part: it is not learnt from and gets no place
 * (NaN), and a notice says how many they are. Cells of several inputs stand one after another and are numbered through.
 */
import type { Matrix, RowSlab } from '../../data/cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { Step } from '../../job/steps.ts'
import type { TrainingCells } from '../../models/training-cells.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { binRows } from '../../prep/bin-counts.ts'
import { checkCounts, noneBroken, notWhole } from '../../prep/count-values.ts'
import { rowQuality } from '../../prep/quality.ts'
import { collectTrainingCounts } from '../../prep/training-counts.ts'
import type { StepContext } from '../workflow.ts'
import { readShard, shardRange, shardWriter } from './shards.ts'

export interface CountSource {
  matrix: Matrix
  /** of the file, for messages */
  place: string
  /** for each column of the matrix the gene of the model, or -1 */
  target: Int32Array
}

export interface CountedCells {
  /** of all sources */
  cells: number
  /** 1 for each cell with a count on the model's genes */
  hasCounts: Uint8Array
}

/**
 * Writes the shards, and blocks `totals` and `detected`: counts and genes of each cell in its whole file.
 * @param of.genes of the model
 * @param of.bins what scPDAC bins a cell's counts into; 0 for the counts themselves
 * @param of.isSeen whether someone else writes these two blocks
 * @throws BadInput VALUES_NOT_COUNTS, COUNTS_NOT_WHOLE
 */
export async function writeCountShards(
  context: StepContext,
  {
    sources,
    genes,
    bins,
    isSeen = false,
  }: { sources: readonly CountSource[]; genes: number; bins: number; isSeen?: boolean },
): Promise<CountedCells> {
  const { road, step } = context
  const cells = sources.reduce((sum, { matrix }) => sum + matrix.rows, 0)
  const shards = shardWriter(step, { cells, shards: road.shards })
  const counted = { cells, hasCounts: new Uint8Array(cells) }
  const totals = new Float64Array(cells)
  const detected = new Int32Array(cells)
  let first = 0
  for (const { matrix, place, target } of sources) {
    const at = `${place}:${matrix.name}`
    for await (const slab of matrix.slabs({ transient: true })) {
      const quality = rowQuality(slab, { areLogs: false })
      totals.set(quality.totals, first + slab.start)
      detected.set(quality.detected, first + slab.start)
      const kept = modelCounts(slab, { place: at, target, genes, bins })
      for (let row = 0; row < kept.rows; row++)
        if (kept.indptr[row + 1]! > kept.indptr[row]!) counted.hasCounts[first + slab.start + row] = 1
      await shards.add({ ...kept, start: first + slab.start })
      context.progress(first + slab.start + slab.rows, cells, 'cells', 'aligning counts')
    }
    first += matrix.rows
  }
  await shards.finish()
  if (isSeen) return counted
  await step.writeBlock('totals', totals)
  await step.writeBlock('detected', detected)
  return counted
}

/**
 * A slab of a file's raw counts as the model takes them: over its genes, in bins where it wants bins.
 * @throws BadInput VALUES_NOT_COUNTS, COUNTS_NOT_WHOLE
 */
export function modelCounts(
  slab: RowSlab,
  { place, target, genes, bins }: { place: string; target: Int32Array; genes: number; bins: number },
): RowSlab {
  const broken = noneBroken()
  checkCounts(slab, { place, broken })
  if (broken.entries > 0) throw refused(notWhole(broken, place))
  const aligned = alignRows(slab, { target, genes, values: 'counts' })
  return bins === 0 ? aligned : binRows(aligned, { place, bins })
}

function refused({ code, place, problem, remedy }: ReturnType<typeof notWhole>): BadInput {
  return new BadInput(code, place, problem, remedy)
}

/** Why a cell takes no part; the first that holds. */
export const leftOutReasons = ['', 'no counts on the genes of the model', 'no batch', 'no covariate'] as const

export interface CellCodes {
  /** by covariate, batch first: category of each cell, -1 for none */
  categories: Int32Array[]
  /** cells x continuous covariates; null where there are none */
  continuous: Float32Array | null
  /** class of each cell, -1 for none; null where there are no labels */
  labels: Int32Array | null
  /** of `leftOutReasons`, 0 for cells that take part */
  leftOut: Uint8Array
}

/** Which cells take no part, from what is known of each. */
export function leftOutCells(
  { cells, hasCounts }: CountedCells,
  { categories, continuous }: Pick<CellCodes, 'categories' | 'continuous'>,
): Uint8Array {
  const width = (continuous?.length ?? 0) / Math.max(1, cells)
  const [batch, ...others] = categories
  return Uint8Array.from(hasCounts, (has, cell) => {
    if (has === 0) return 1
    if (batch![cell]! < 0) return 2
    if (others.some((codes) => codes[cell]! < 0)) return 3
    const own = continuous?.subarray(cell * width, (cell + 1) * width)
    return own !== undefined && !own.every(Number.isFinite) ? 3 : 0
  })
}

export async function writeCellCodes(
  step: Step,
  { categories, continuous, labels, leftOut }: CellCodes,
): Promise<void> {
  for (const [i, codes] of categories.entries()) await step.writeBlock(`category-${i}`, codes)
  if (continuous !== null) await step.writeBlock('continuous', continuous)
  if (labels !== null) await step.writeBlock('classes', labels)
  await step.writeBlock('left-out', leftOut)
}

/** @param step Prepare, finished */
export async function readCellCodes(step: Step): Promise<CellCodes> {
  const { blocks } = await step.finished()
  const has = (name: string) => Object.hasOwn(blocks, name)
  const categories: Int32Array[] = []
  while (has(`category-${categories.length}`))
    categories.push(await step.readBlock(`category-${categories.length}`, Int32Array))
  return {
    categories,
    continuous: has('continuous') ? await step.readBlock('continuous', Float32Array) : null,
    labels: has('classes') ? await step.readBlock('classes', Int32Array) : null,
    leftOut: await step.readBlock('left-out', Uint8Array),
  }
}

/**
 * The cells that learn, in shared memory (training-counts.ts).
 * @param of.genes of the model
 * @param of.isWanted which of the cells that take part; all when absent
 * @returns rows: the number of each among all cells
 * @throws BadInput CELLS_EMPTY where none is left, CELLS_TOO_MANY
 */
export async function readTrainingCells(
  context: StepContext,
  {
    codes,
    genes,
    isWanted = () => true,
  }: { codes: CellCodes; genes: number; isWanted?: (cell: number) => boolean },
): Promise<{ data: TrainingCells; rows: Int32Array }> {
  const { road, signal, before } = context
  const cells = codes.leftOut.length
  const numbers = Int32Array.from({ length: cells }, (_, cell) => cell)
  const rows = numbers.filter((cell) => codes.leftOut[cell] === 0 && isWanted(cell))
  async function* slabs(): AsyncGenerator<RowSlab> {
    let first = 0
    for (let shard = 0; shard < road.shards; shard++) {
      const [start, end] = shardRange(shard, { cells, shards: road.shards })
      const from = first
      while (first < rows.length && rows[first]! < end) first++
      if (first === from) continue
      const slab = await readShard(before('Prepare'), shard, { start, columns: genes })
      const own = rows.subarray(from, first).map((cell) => cell - start)
      yield { ...slabRows(slab, own), start: from }
      signal.throwIfAborted()
    }
  }
  const { indptr, indices, counts, library } = await collectTrainingCounts(slabs(), {
    place: road.inputs[0]!.facts.inspection.place,
    cells: rows.length,
    genes,
  })
  const learnt = { cells: rows.length, genes, indptr, indices, counts, library }
  return { data: { ...learnt, ...codesOf(codes, rows) }, rows }
}

function shared(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}

/** Codes of some cells, in their order. */
export function codesOf(
  { categories, continuous, labels, leftOut }: CellCodes,
  rows: Int32Array,
): Pick<TrainingCells, 'categories' | 'continuous' | 'labels'> {
  const chosen = (codes: Int32Array) => {
    const own = new Int32Array(shared(4 * rows.length))
    for (const [i, cell] of rows.entries()) own[i] = codes[cell]!
    return own
  }
  const width = (continuous?.length ?? 0) / Math.max(1, leftOut.length)
  const numbers = continuous === null ? null : new Float32Array(shared(4 * width * rows.length))
  for (const [i, cell] of numbers === null ? [] : rows.entries())
    numbers!.set(continuous!.subarray(cell * width, (cell + 1) * width), i * width)
  return {
    categories: categories.map(chosen),
    continuous: numbers,
    labels: labels === null ? null : chosen(labels),
  }
}

/** Some rows of a slab as a slab of their own that starts at 0. @param rows within the slab, ascending */
export function slabRows(slab: RowSlab, rows: Int32Array): RowSlab {
  const indptr = new Float64Array(rows.length + 1)
  for (const [i, row] of rows.entries())
    indptr[i + 1] = indptr[i]! + slab.indptr[row + 1]! - slab.indptr[row]!
  const indices = new Int32Array(indptr[rows.length]!)
  const values = new Float32Array(indices.length)
  for (const [i, row] of rows.entries()) {
    const [from, to] = [slab.indptr[row]!, slab.indptr[row + 1]!]
    indices.set(slab.indices.subarray(from, to), indptr[i])
    values.set(slab.values.subarray(from, to), indptr[i])
  }
  return { start: 0, rows: rows.length, columns: slab.columns, indptr, indices, values }
}
