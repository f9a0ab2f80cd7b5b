/**
 * Where everything lies in the memory that the threads of a training share: the sparse cells once, and what passes between threads.
 * Cells are cut into strands by their number of entries, never by the number of threads: each strand adds up for itself, and sums of strands
 * are added in order, so that any number of threads gives the same bytes.
 *
 * Labels lie in panels of `width` lanes; lanes beyond the last label hold zeros throughout. Vectors are [panel][gene][lane],
 * numbers of cells [panel][cell][lane].
 */
import { BadInput } from '../job/errors.ts'
import type { Standardisation, TrainingRows } from './standardised-cells.ts'
import { mostMemoryBytes, type Precision, type SharedMemory, widestPanel } from './training-kernel.ts'

export type Loss = 'ovr' | 'multinomial'

export interface TrainingShape {
  rows: number
  columns: number
  /** rows of weights */
  heads: number
  loss: Loss
  strength: number
  /** how values are stored */
  stored: Precision
  panels: number
  width: number
  /** row numbers where strands start, and the end of the last */
  strands: number[]
}

/** Rows that are worked on at once: few enough for their entries to stay near the processor between two passes. */
export const blockRows = 64

const entriesPerStrand = 100_000
/** More would cost memory for sums: so many threads are of use. */
const mostStrands = 8

export function trainingShape(
  cells: TrainingRows,
  { heads, loss, strength }: Pick<TrainingShape, 'heads' | 'loss' | 'strength'>,
): TrainingShape {
  const panels = Math.ceil(heads / widestPanel)
  const width = 4 * Math.ceil(heads / panels / 4)
  const stored = cells.values instanceof Float32Array ? 'single' : 'double'
  const { rows, columns } = cells
  return { rows, columns, heads, loss, strength, stored, panels, width, strands: strandsOf(cells) }
}

function strandsOf({ rows, indptr }: TrainingRows): number[] {
  const entries = indptr[rows]! - indptr[0]!
  const count = Math.max(1, Math.min(mostStrands, Math.floor(entries / entriesPerStrand), rows))
  const starts = [0]
  for (let row = 0; row < rows && starts.length < count; row++)
    if (indptr[row]! - indptr[0]! >= (entries * starts.length) / count) starts.push(row)
  return [...starts, rows]
}

export interface TrainingLayout {
  bytes: number
  /** i32: which call it is, strands handed out, strands done, operation, precision */
  control: number
  /** what dropped curvature may amount to, as a share of each lane's */
  cut: number
  codes: number
  starts: number
  genes: number
  values: number
  /** every row's number */
  rowNumbers: number
  scores: number
  change: number
  /** f32 for each cell and lane: its probability (multinomial) or its curvature (ovr) */
  shares: number
  /** for each panel the rows that matter to it, each strand's from its own start on */
  active: number
  activeCounts: number
  vector: number
  base: number
  steps: number
  curvatures: number
  /** [strand][panel][gene][lane] */
  partials: number
  /** [strand][panel][lane] */
  laneSums: number
  laneLosses: number
  laneCurvatures: number
  /** [strand][panel][row of the block][lane] */
  scratch: number
}

/** @throws BadInput TRAINING_TOO_LARGE beyond 4 GiB */
export function trainingLayout(
  shape: TrainingShape,
  { entries, place }: { entries: number; place: string },
): TrainingLayout {
  const { rows, columns, panels, width, stored } = shape
  const strands = shape.strands.length - 1
  const lanes = panels * width
  let bytes = 0
  const take = (count: number, size: number): number => {
    const start = bytes
    bytes += 64 * Math.ceil((count * size) / 64)
    return start
  }
  const layout = {
    control: take(5, 4),
    cut: take(1, 8),
    codes: take(rows, 4),
    starts: take(rows + 1, 4),
    genes: take(entries, 4),
    values: take(entries, stored === 'single' ? 4 : 8),
    rowNumbers: take(rows, 4),
    scores: take(rows * lanes, 8),
    change: take(rows * lanes, 8),
    shares: take(rows * lanes, 4),
    active: take(rows * panels, 4),
    activeCounts: take(strands * panels, 4),
    vector: take(columns * lanes, 8),
    base: take(lanes, 8),
    steps: take(lanes, 8),
    curvatures: take(lanes, 8),
    partials: take(strands * columns * lanes, 8),
    laneSums: take(strands * lanes, 8),
    laneLosses: take(strands * lanes, 8),
    laneCurvatures: take(strands * lanes, 8),
    scratch: take(strands * blockRows * lanes, 8),
  }
  if (bytes > mostMemoryBytes)
    throw new BadInput(
      'TRAINING_TOO_LARGE',
      place,
      `training on ${rows} cells, ${entries} stored values and ${shape.heads} labels wants ${(bytes / 2 ** 30).toFixed(1)} GiB of 4`,
      'Take fewer cells of each label, or fewer genes',
    )
  return { ...layout, bytes }
}

/** Copies the cells in: values clipped, and less what a clipped zero is, so that what is not stored is 0. */
export function fillMemory(
  memory: SharedMemory,
  {
    cells,
    codes,
    standard,
    layout,
    shape,
  }: {
    cells: TrainingRows
    codes: Int32Array
    standard: Standardisation
    layout: TrainingLayout
    shape: TrainingShape
  },
): void {
  const { buffer } = memory
  const { rows, indptr, indices, values } = cells
  const first = indptr[0]!
  const entries = indptr[rows]! - first
  new Int32Array(buffer, layout.codes, rows).set(codes)
  const starts = new Int32Array(buffer, layout.starts, rows + 1)
  for (let row = 0; row <= rows; row++) starts[row] = indptr[row]! - first
  const rowNumbers = new Int32Array(buffer, layout.rowNumbers, rows)
  for (let row = 0; row < rows; row++) rowNumbers[row] = row
  new Int32Array(buffer, layout.genes, entries).set(indices.subarray(first, first + entries))
  const { highest, lifts } = standard
  const into = floatsAt(buffer, { precision: shape.stored, at: layout.values, count: entries })
  for (let i = 0; i < entries; i++) {
    const gene = indices[first + i]!
    into[i] = Math.min(values[first + i]!, highest[gene]!) - lifts[gene]!
  }
}

/** A piece of shared memory as numbers. */
export function floatsAt(
  buffer: SharedArrayBuffer,
  { precision, at, count }: { precision: Precision; at: number; count: number },
): Float32Array | Float64Array {
  return precision === 'single' ? new Float32Array(buffer, at, count) : new Float64Array(buffer, at, count)
}

export const bytesOf = (precision: Precision): number => (precision === 'single' ? 4 : 8)
