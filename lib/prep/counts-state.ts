/**
 * Where a file keeps its raw counts, and what state its X is in. SpatialCore's detector (`check_normalization_status`) with
 * rows drawn over the whole file in place of the first ones: files are often sorted by sample or by depth.
 *
 * Nothing but a sample is read (64 MiB at most unless told), so it runs over files in a store by ranges.
 */
import type { CellFile, Matrix } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { type Random, random } from '../job/random.ts'
import { layerCounts } from '../job/stored-names.ts'
import {
  isRaw,
  type MatrixState,
  type MatrixStatistics,
  newTally,
  statisticsOf,
  type Tally,
  tallyRows,
  tallyValues,
  withZero,
} from './matrix-state.ts'
import { planSample, type Range, storedValues } from './row-sample.ts'

export interface CountsState {
  rawCounts: {
    found: boolean
    /** name of the matrix: 'X', 'raw/X', 'layers/counts', ... */
    where: string | null
    /** of its non-zero values, or of X's where no counts were found */
    integerShare: number | null
  }
  /** of X; 'unknown' and nulls where there is none */
  normalisation: {
    state: MatrixState
    /** median over cells of what the logs undo to */
    targetSum: number | null
    mean: number | null
    max: number | null
    min: number | null
    fractionInteger: number | null
  }
  /** every matrix that was looked at, in that order */
  checked: CheckedMatrix[]
  notices: ErrorReport[]
}

export interface CheckedMatrix extends MatrixStatistics {
  where: string
}

export interface DetectOptions {
  /** whole number in [0, 2^32) */
  seed: number
  /** cells to look at in each matrix: 1000 unless told */
  sampleRows?: number
  /** `spatialcore` looks at the first rows, ten times as many of them for the test of whole numbers */
  policy?: 'sampled' | 'spatialcore'
  /** the layer that the user says holds the counts, as 'counts' or 'layers/counts'; 'X' and 'raw/X' may be named too */
  countsLayer?: string
  /** bytes to read of all matrices together, before they are packed: 64 MiB unless told */
  mostBytes?: number
}

/** @throws BadInput COUNTS_LAYER_MISSING, and what reading throws */
export async function detectCounts(file: CellFile, options: DetectOptions): Promise<CountsState> {
  const candidates = candidatesOf(file, options.countsLayer)
  const names = file.matrices.includes('X') ? [...new Set([...candidates, 'X'])] : candidates
  const bytes = (options.mostBytes ?? 64 * 2 ** 20) / Math.max(1, names.length)
  const generator = random(options.seed)
  const state: Pick<CountsState, 'checked' | 'notices'> = { checked: [], notices: [] }
  let found: CheckedMatrix | undefined
  for (const where of names) {
    // X is looked at in any case, the others until counts are found
    if (found !== undefined && where !== 'X') continue
    const matrix = await file.matrix(where)
    const look = { file, matrix, bytes, random: generator.fork(where), options }
    const { statistics, notices } = await lookAt(look)
    const checked = { where, ...statistics }
    state.checked.push(checked)
    state.notices.push(...notices)
    if (checked.state === 'raw' && candidates.includes(where)) found ??= checked
  }
  const x = state.checked.find(({ where }) => where === 'X')
  return {
    rawCounts: {
      found: found !== undefined,
      where: found?.where ?? null,
      integerShare: (found ?? x)?.integerShare ?? null,
    },
    normalisation: {
      state: x?.state ?? 'unknown',
      targetSum: x?.targetSum ?? null,
      mean: x?.mean ?? null,
      max: x?.max ?? null,
      min: x?.min ?? null,
      fractionInteger: x?.integerShare ?? null,
    },
    ...state,
  }
}

/** Where counts are looked for, first found first taken. */
function candidatesOf(file: CellFile, countsLayer: string | undefined): string[] {
  if (countsLayer !== undefined) return [matrixNamed(file, countsLayer)]
  const known = [layerCounts, 'raw_counts', 'raw'].map((layer) => `layers/${layer}`)
  return [...known, 'raw/X', 'X'].filter((name) => file.matrices.includes(name))
}

/** The matrix that a user means by a name: a layer, or 'X' or 'raw/X'. @throws BadInput COUNTS_LAYER_MISSING */
export function matrixNamed(file: CellFile, name: string): string {
  const found = [`layers/${name}`, name].find((candidate) => file.matrices.includes(candidate))
  if (found !== undefined) return found
  throw new BadInput(
    'COUNTS_LAYER_MISSING',
    file.place,
    `there is no layer '${name}'`,
    `It has: ${file.matrices.join(', ') || 'no matrix at all'}`,
  )
}

interface Look {
  file: CellFile
  matrix: Matrix
  bytes: number
  random: Random
  options: DetectOptions
}

interface Seen {
  statistics: MatrixStatistics
  notices: ErrorReport[]
}

async function lookAt(look: Look): Promise<Seen> {
  const { file, matrix, bytes, options } = look
  const rows = options.sampleRows ?? 1000
  if (options.policy === 'spatialcore') {
    const raw = isRaw(await tallyOf(look, [{ from: 0, to: Math.min(10 * rows, matrix.rows) }]))
    const first = await tallyOf(look, [{ from: 0, to: Math.min(rows, matrix.rows) }])
    return seen(look, statisticsOf(first, raw))
  }
  const plan = await planSample(file, matrix, { rows, bytes, random: look.random })
  if (plan.kind === 'rows') return seen(look, statisticsOf(await tallyOf(look, plan.ranges)))
  const values = plan.kind === 'values' ? await tallyOfValues(look, plan.ranges) : newTally()
  const problem =
    plan.kind === 'none'
      ? `one chunk of it holds ${plan.chunkBytes} bytes, more than a look may cost`
      : 'it is stored gene by gene (CSC), so that cells cannot be looked at one by one'
  return seen(look, statisticsOf(values), problem)
}

function seen({ file, matrix }: Look, statistics: MatrixStatistics, unsampled?: string): Seen {
  const place = `${file.place}:${matrix.name}`
  const notices: ErrorReport[] = []
  if (statistics.notFinite > 0) {
    const problem = `${statistics.notFinite} of the values looked at are NaN or infinite`
    notices.push({
      code: 'VALUES_NOT_FINITE',
      place,
      problem,
      remedy: 'Replace them before the file is used',
    })
  }
  if (unsampled !== undefined && statistics.state === 'unknown') {
    const remedy = 'Store it by rows: `adata.X = scipy.sparse.csr_matrix(adata.X)`, or allow more bytes'
    notices.push({ code: 'COUNTS_NOT_SAMPLED', place, problem: unsampled, remedy })
  }
  return { statistics, notices }
}

/** Rows of the ranges, as long as they cost no more than was allowed: cells differ, and a crafted file lies. */
async function tallyOf({ matrix, bytes }: Look, ranges: Range[]): Promise<Tally> {
  const tally = newTally()
  let left = bytes
  for (const { from, to } of ranges) {
    if (left <= 0 && tally.rows > 0) break
    for await (const slab of matrix.slabs({ from, to, slabBytes: 4 * 2 ** 20, transient: true })) {
      tallyRows(tally, slab)
      left -= slab.indices.byteLength + slab.values.byteLength
      if (left <= 0) break
    }
  }
  return tally
}

async function tallyOfValues({ file, matrix }: Look, ranges: Range[]): Promise<Tally> {
  const tally: Tally = { ...newTally(), undone: undefined }
  let looked = 0
  for await (const values of storedValues(file, matrix, { ranges })) {
    tallyValues(tally, values)
    looked += values.length
  }
  const cells = matrix.rows * matrix.columns
  // what is not stored is zero: as many zeros as the whole matrix has of them
  tally.entries = looked * (cells / matrix.stored)
  if (matrix.stored < cells) withZero(tally)
  return tally
}
