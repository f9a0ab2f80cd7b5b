/** Where the cells lie in the tissue: an obsm of two or three columns, of which the first two are x and y. */
import type { CellFile } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'

/** @returns cells x 2, or undefined where there is no such array of numbers */
export async function readPositions(file: CellFile, key: string): Promise<Float32Array | undefined> {
  if (!isAnnData(file)) return undefined
  const arrays = await file.mapping('obsm')
  const element = arrays.get(key) ?? arrays.get(`X_${key}`)
  if (element?.kind !== 'array' || element.shape.length !== 2) return undefined
  const [rows = 0, width = 0] = element.shape
  if (rows !== file.rows || width < 2 || !ArrayBuffer.isView(element.values)) return undefined
  const values = element.values as unknown as ArrayLike<number>
  const xy = new Float32Array(2 * rows)
  for (let row = 0; row < rows; row++) {
    xy[2 * row] = Number(values[row * width])
    xy[2 * row + 1] = Number(values[row * width + 1])
  }
  return xy
}
