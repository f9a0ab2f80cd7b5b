/** The file of normalised expression as plain values, and what a model itself makes of the same cells. */
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { RowSlab } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { type ExpressionOptions, scviInference } from '../../lib/models/scvi-inference.ts'
import type { ScviModel } from '../../lib/models/scvi-model.ts'
import { plain } from './read-h5ad.ts'

export interface ReadExpression {
  cells: string[]
  genes: string[]
  /** cells x genes */
  values: Float32Array
  uns: Record<string, unknown>
}

export async function readExpression(path: string): Promise<ReadExpression> {
  const file = (await openCells(path)) as AnnDataFile
  try {
    const { index: cells } = await file.obs()
    const { index: genes } = await file.var()
    const matrix = await file.matrix('X')
    if (matrix.encoding !== 'dense' || matrix.type !== 'float32')
      throw new Error(`X is ${matrix.encoding}, ${matrix.type}`)
    const values = new Float32Array(cells.length * genes.length)
    for await (const { start, rows, indptr, indices, values: stored } of matrix.slabs())
      for (let row = 0; row < rows; row++)
        for (let k = indptr[row]!; k < indptr[row + 1]!; k++)
          values[(start + row) * genes.length + indices[k]!] = Number(stored[k])
    const uns = plain(await file.unstructured('normalized_expression')) as ReadExpression['uns']
    return { cells, genes, values, uns }
  } finally {
    await file.close()
  }
}

export function denseSlab(counts: readonly (readonly number[])[]): RowSlab {
  const columns = counts[0]!.length
  return {
    ...{ start: 0, rows: counts.length, columns },
    indptr: Int32Array.from({ length: counts.length + 1 }, (_, row) => row * columns),
    indices: Int32Array.from({ length: counts.length * columns }, (_, i) => i % columns),
    values: Float32Array.from(counts.flat()),
  }
}

export interface Decoded {
  expression: Float32Array
  reconstruction: Float64Array
  divergence: Float64Array
}

/** Of all these cells in one go, each of its own batch. */
export async function decodedBy(
  model: ScviModel,
  { slab, batches }: { slab: RowSlab; batches: readonly number[] },
  options: ExpressionOptions = {},
): Promise<Decoded> {
  const inference = scviInference(model, { place: 'test', notices: [] })
  const covariates = {
    categories: [Int32Array.from(batches)],
    labels: new Int32Array(slab.rows).fill(Math.max(0, model.shape.labels - 1)),
  }
  const expression = await inference.expression(slab, covariates, options)
  const losses = await inference.losses(slab, covariates)
  await inference.close()
  return { expression, ...losses }
}

/** The largest difference as a share of the expected value. */
export function farthest(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) throw new Error(`${ours.length} numbers and not ${theirs.length}`)
  let most = 0
  for (let i = 0; i < ours.length; i++) {
    const difference = Math.abs(ours[i]! - theirs[i]!) / Math.abs(theirs[i]!)
    if (!(difference <= most)) most = difference
  }
  return most
}
