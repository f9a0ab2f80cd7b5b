import type { CategoricalData, MapData, NumberData } from '../map-data.ts'

export type Cells = Omit<MapData, 'x' | 'y'> & {
  x: Uint16Array
  y: Uint16Array
  codes(colouring: CategoricalData | NumberData): Uint8Array | Uint16Array
}

export function unpackCells(data: MapData): Cells
export function missingCode(colouring: CategoricalData | NumberData): number
export function numberOf(colouring: NumberData, code: number): number
export function indexCells(cells: {
  x: Uint16Array
  y: Uint16Array
}): (
  at: { x: number; y: number },
  options: { reachX: number; reachY: number; isShown(cell: number): boolean },
) => number
