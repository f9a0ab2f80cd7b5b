/**
 * Nearest neighbours of cells in a latent space, and a layout made of them. Cells without a place (NaN) are no neighbours of anything and are
 * nowhere in the layout.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { nearestNeighbours } from '../../neighbours/nearest-neighbours.ts'
import type { Neighbours } from '../../neighbours/points.ts'
import { layOut } from '../../neighbours/umap.ts'
import type { StepContext } from '../workflow.ts'
import { placedRows, spreadRows, takenRows } from './placed-rows.ts'

export interface LatentNeighbours {
  /** numbers of the cells that have a place: the rows of `found` */
  cells: Int32Array
  /** rows are places in `cells`, and the neighbours are, too; a cell is its own first */
  found: Neighbours
}

const fewestCells = 3

/** @returns null where too few cells have a place */
export async function latentNeighbours(
  context: StepContext,
  {
    latent,
    dims,
    k,
    seed,
    place,
    notices,
  }: { latent: Float32Array; dims: number; k: number; seed: number; place: string; notices: ErrorReport[] },
): Promise<LatentNeighbours | null> {
  const cells = placedRows(latent, dims)
  if (cells.length < fewestCells) {
    const problem = `there is no map: ${cells.length} cells have a place in the latent space`
    notices.push({ code: 'MAP_NOT_MADE', place, problem, remedy: 'Give more cells' })
    return null
  }
  const values = takenRows(latent, { rows: cells, width: dims })
  const found = await nearestNeighbours(
    { rows: cells.length, dims, values },
    {
      k: Math.min(cells.length, k),
      metric: 'euclidean',
      seed,
      signal: context.signal,
      notices,
      place,
    },
  )
  return { cells, found }
}

/** The first so many neighbours of each, the cell itself among them. */
export function firstNeighbours({ rows, k, indices, distances }: Neighbours, wanted: number): Neighbours {
  if (wanted >= k) return { rows, k, indices, distances }
  const fewer = {
    rows,
    k: wanted,
    indices: new Int32Array(rows * wanted),
    distances: new Float32Array(rows * wanted),
  }
  for (let row = 0; row < rows; row++) {
    fewer.indices.set(indices.subarray(row * k, row * k + wanted), row * wanted)
    fewer.distances.set(distances.subarray(row * k, row * k + wanted), row * wanted)
  }
  return fewer
}

/** Neighbours without the cell itself: rows x (k - 1). */
export function otherNeighbours({ rows, k, indices }: Neighbours): Int32Array {
  const others = new Int32Array(rows * (k - 1))
  for (let row = 0; row < rows; row++) {
    let at = row * (k - 1)
    // of several cells in one place another may stand first
    let isSkipped = false
    for (let i = row * k; i < (row + 1) * k && at < (row + 1) * (k - 1); i++) {
      if (!isSkipped && indices[i] === row) isSkipped = true
      else others[at++] = indices[i]!
    }
  }
  return others
}

/** All cells x 2; NaN where a cell has no place. */
export async function latentLayout(
  context: StepContext,
  { cells, found }: LatentNeighbours,
  {
    rows,
    neighbours,
    minDist,
    seed,
    onProgress,
  }: { rows: number; neighbours: number; minDist: number; seed: number; onProgress(share: number): void },
): Promise<Float32Array> {
  const drawn = await layOut(firstNeighbours(found, neighbours), {
    seed,
    minDist,
    spread: Math.max(1, minDist),
    signal: context.signal,
    onProgress,
  })
  return spreadRows(drawn, { rows: cells, width: 2, cells: rows })
}
