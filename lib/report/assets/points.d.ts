export interface PixelTarget {
  pixels: Uint32Array
  width: number
  height: number
}

export interface Points {
  x: ArrayLike<number>
  y: ArrayLike<number>
  codes: ArrayLike<number>
  scaleX: number
  scaleY: number
  offsetX: number
  offsetY: number
  radius: number
}

export function paintPoints(target: PixelTarget, points: Points, palette: ArrayLike<number>): void
export function packedColour(hex: string): number
