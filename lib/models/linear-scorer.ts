/**
 * Scores of a linear model on sparse rows, as CellTypist computes them on dense ones: z = (x - mean) / scale, values above `clip` set
 * to it, s = w.z + b over the genes that the query has; a gene that it has not counts as being at the reference's mean.
 *
 * Exact without filling zeros in: with z0 = min(-mean / scale, clip), what a zero is scaled to,
 *   s = b + sum over present genes of z0 w + sum over stored entries of (min(z, clip) - z0) w.
 * The first two terms are one number a class. Sums are of doubles: scores of SGD models reach 2e4 and cancel.
 */
import type { RowSlab } from '../data/cells.ts'
import { BadInput } from '../job/errors.ts'
import { createLinearKernel, type LinearKernel, panelWidth } from './linear-kernel.ts'
import { type LinearArrays, type ModelCard, weightRows } from './linear-model.ts'

/** What of a model its scores depend on. */
export type ScoredModel = LinearArrays & { card: Pick<ModelCard, 'labels' | 'genes' | 'clip'> }

export interface LinearScorer {
  /** labels of the model: columns of the scores */
  labels: number
  /**
   * rows x labels scores, rows first. Values are log1p of counts scaled to 10,000; columns are genes of the model.
   * @throws BadInput VALUES_NOT_FINITE
   */
  score(slab: RowSlab): Float64Array
}

/** entries and results that one call of the kernel has, so that they stay in the cache while panels change */
const entriesAtOnce = 32_768
const resultsAtOnce = 131_072

/**
 * @param present 1 for each gene of the model that the query has, in the model's order
 */
export function createLinearScorer(model: ScoredModel, present: Uint8Array): LinearScorer {
  const labels = model.card.labels.length
  const genes = model.card.genes.length
  if (present.length !== genes) throw new RangeError(`${present.length} flags for ${genes} genes`)
  const scaling = scalingOf(model, present)
  const layout = layoutOf(weightRows(labels), genes)
  const kernel = loadedKernel(model, { layout, scaling })
  return {
    labels,
    score(slab) {
      if (slab.columns !== genes) throw new RangeError(`${slab.columns} columns for ${genes} genes`)
      const scores = new Float64Array(slab.rows * labels)
      for (let row = 0; row < slab.rows; ) {
        const end = chunkEnd(slab, row, layout)
        gather(slab, { from: row, to: end, scaling, layout, buffer: kernel.buffer })
        runPanels(kernel, layout, end - row)
        copyScores(scores, { from: row, to: end, labels, layout, buffer: kernel.buffer })
        row = end
      }
      return scores
    },
  }
}

interface Scaling {
  /** for each gene 1 / scale, what 0 is scaled to before the clip and after it: side by side, since they are read together */
  table: Float64Array
  clip: number
}

function scalingOf({ mean, scale, card }: ScoredModel, present: Uint8Array): Scaling {
  const clip = card.clip ?? Number.POSITIVE_INFINITY
  const table = new Float64Array(3 * scale.length)
  for (let gene = 0; gene < scale.length; gene++) {
    // StandardScaler has 1 where a gene does not vary; a gene that is left out has 0, so that its entries add nothing
    const factor = present[gene] === 1 ? 1 / (scale[gene] || 1) : 0
    const zero = -mean[gene]! * factor
    table.set([factor, zero, Math.min(zero, clip)], 3 * gene)
  }
  return { table, clip }
}

/** Where everything lies in the kernel's memory, in bytes. */
interface Layout {
  rows: number
  entries: number
  panels: number
  panelBytes: number
  starts: number
  genes: number
  values: number
  weights: number
  base: number
  results: number
  total: number
}

function layoutOf(weightedRows: number, genes: number): Layout {
  const panels = Math.ceil(weightedRows / panelWidth)
  const rows = Math.max(1, Math.floor(resultsAtOnce / (panels * panelWidth)))
  // a row has each gene once at most
  const entries = Math.max(entriesAtOnce, genes)
  const panelBytes = genes * panelWidth * 8
  let total = 0
  const take = (bytes: number): number => {
    const start = total
    total += Math.ceil(bytes / 64) * 64
    return start
  }
  const parts = {
    starts: take(4 * (rows + 1)),
    genes: take(4 * entries),
    values: take(8 * entries),
    weights: take(panels * panelBytes),
    base: take(8 * panels * panelWidth),
    results: take(8 * rows * panels * panelWidth),
  }
  return { rows, entries, panels, panelBytes, ...parts, total }
}

/** A kernel with weights by panels (genes x panelWidth each) and, for each class, the score of a row without entries. */
function loadedKernel(
  { weights, intercept, card }: ScoredModel,
  { layout, scaling }: { layout: Layout; scaling: Scaling },
): LinearKernel {
  const kernel = createLinearKernel(layout.total)
  const genes = card.genes.length
  const { buffer } = kernel
  const base = new Float64Array(buffer, layout.base, layout.panels * panelWidth)
  const panels = new Float64Array(buffer, layout.weights, layout.panels * genes * panelWidth)
  for (let row = 0; row < intercept.length; row++) {
    const first = Math.floor(row / panelWidth) * genes * panelWidth + (row % panelWidth)
    let sum = intercept[row]!
    for (let gene = 0; gene < genes; gene++) {
      const weight = weights[row * genes + gene]!
      panels[first + gene * panelWidth] = weight
      sum += scaling.table[3 * gene + 2]! * weight
    }
    base[row] = sum
  }
  return kernel
}

/** How many rows fit into one call: by their number and by their entries; one row always does. */
function chunkEnd({ rows, indptr }: RowSlab, from: number, layout: Layout): number {
  const last = Math.min(rows, from + layout.rows)
  let end = from
  while (end < last && indptr[end + 1]! - indptr[from]! <= layout.entries) end++
  if (end === from) throw new RangeError(`row ${from} names a gene twice`)
  return end
}

interface Chunk {
  from: number
  to: number
  layout: Layout
  buffer: ArrayBuffer
}

/** Entries become what they add to z, and the place of their gene's weights. */
function gather(slab: RowSlab, { from, to, scaling, layout, buffer }: Chunk & { scaling: Scaling }): void {
  const { indptr, indices, values } = slab
  const { table, clip } = scaling
  const starts = new Int32Array(buffer, layout.starts, to - from + 1)
  const genes = new Int32Array(buffer, layout.genes, layout.entries)
  const added = new Float64Array(buffer, layout.values, layout.entries)
  const first = indptr[from]!
  for (let row = from; row <= to; row++) starts[row - from] = indptr[row]! - first
  const count = starts[to - from]!
  let odd = 0
  for (let i = 0; i < count; i++) {
    const gene = indices[first + i]!
    const value = values[first + i]!
    const scaled = value * table[3 * gene]! + table[3 * gene + 1]!
    // NaN and infinity less themselves are NaN, anything else is 0
    odd += scaled - scaled
    added[i] = (scaled > clip ? clip : scaled) - table[3 * gene + 2]!
    genes[i] = gene * (panelWidth * 8)
  }
  if (odd !== 0) throw notFinite(slab.start + from)
}

function runPanels(kernel: LinearKernel, layout: Layout, rows: number): void {
  const width = panelWidth * 8
  const { starts, genes, values, weights, base, results, panels, panelBytes } = layout
  for (let panel = 0; panel < panels; panel++) {
    const [at, from, to] = [weights + panel * panelBytes, base + panel * width, results + panel * width]
    kernel.score(rows, starts, genes, values, at, from, to, panels * width)
  }
}

/** Without what fills up the last panel; of two labels the one score is the second's, and less it the first's. */
function copyScores(
  scores: Float64Array,
  { from, to, labels, layout, buffer }: Chunk & { labels: number },
): void {
  const stride = layout.panels * panelWidth
  const results = new Float64Array(buffer, layout.results, (to - from) * stride)
  for (let row = from; row < to; row++) {
    const at = (row - from) * stride
    if (labels === 2) {
      scores[2 * row] = -results[at]!
      scores[2 * row + 1] = results[at]!
    } else {
      scores.set(results.subarray(at, at + labels), row * labels)
    }
  }
}

function notFinite(row: number): BadInput {
  const problem = `a cell from number ${row + 1} on holds a value that is no finite number`
  return new BadInput('VALUES_NOT_FINITE', 'matrix', problem, 'Give raw counts, or log1p of them')
}
