/**
 * How query and atlas lie among each other: of the neighbours of a query cell, the share that are cells of the atlas, over the share that they
 * are of all cells. 1 is as if cells were thrown together, 0 is apart. Not a figure of any other program: a plain reading of the map.
 *
 * Trap: a query that holds types the atlas lacks should not mix; the number is no goal.
 */
import type { Neighbours } from '../../neighbours/points.ts'
import { otherNeighbours } from '../parts/latent-map.ts'

export interface Mixing {
  /** mean over the cells of the query */
  ratio: number
  /** share of the query's cells that have no cell of the atlas among their neighbours */
  alone: number
  /** neighbours that were looked at, without the cell itself */
  neighbours: number
}

/**
 * @param found of all cells of both, each among its own neighbours
 * @param isAtlas 1 or 0 of each row
 * @returns null where one of both has no cell
 */
export function mixingOf(found: Neighbours, isAtlas: (row: number) => number): Mixing | null {
  const { rows } = found
  const k = found.k - 1
  const others = otherNeighbours(found)
  const atlas = Array.from({ length: rows }, (_, row) => isAtlas(row))
  const ofAtlas = atlas.reduce((sum, flag) => sum + flag, 0)
  if (ofAtlas === 0 || ofAtlas === rows || k < 1) return null
  const expected = ofAtlas / (rows - 1)
  let [sum, alone] = [0, 0]
  for (let row = 0; row < rows; row++) {
    if (atlas[row] === 1) continue
    let near = 0
    for (let i = row * k; i < (row + 1) * k; i++) near += atlas[others[i]!]!
    sum += near / k / expected
    alone += Number(near === 0)
  }
  const query = rows - ofAtlas
  return { ratio: sum / query, alone: alone / query, neighbours: k }
}
