/** The cells that came with the page, unpacked when they are first wanted, and which of them is nearest to the pointer. */

/** @param data what `map-data.ts` wrote */
export function unpackCells(data) {
  const unpacked = new Map()
  return {
    ...data,
    x: numbersOf(data.x, 2),
    y: numbersOf(data.y, 2),
    /** one code a cell: the place of its category, or its value from 0 to 65534; the highest number stands for a missing one */
    codes(colouring) {
      if (!unpacked.has(colouring)) unpacked.set(colouring, numbersOf(colouring.data, colouring.bytes ?? 2))
      return unpacked.get(colouring)
    },
  }
}

/** The code that stands for a missing value. */
export function missingCode(colouring) {
  return colouring.bytes === 1 ? 255 : 65535
}

/** What a code of a colouring of numbers stands for. */
export function numberOf({ least, most }, code) {
  return least + (code / 65534) * (most - least)
}

function numbersOf(text, bytes) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  return bytes === 1 ? packed : new Uint16Array(packed.buffer)
}

const bins = 256

/** An index of cells by a grid of 256 x 256 squares; finding one then looks at the few squares around the pointer. */
export function indexCells({ x, y }) {
  const square = (i) => (y[i] >> 8) * bins + (x[i] >> 8)
  const starts = new Uint32Array(bins * bins + 1)
  for (let i = 0; i < x.length; i++) starts[square(i) + 1]++
  for (let i = 1; i < starts.length; i++) starts[i] += starts[i - 1]
  const filled = starts.slice()
  const members = new Uint32Array(x.length)
  for (let i = 0; i < x.length; i++) members[filled[square(i)]++] = i

  /**
   * @param at {x, y}: a place among the stored positions; reachX, reachY: how far to look; isShown(cell)
   * @returns the nearest cell, or -1
   */
  return function nearestCell(at, { reachX, reachY, isShown }) {
    const bin = (value) => Math.min(bins - 1, Math.max(0, value >> 8))
    let nearest = -1
    let best = 1
    for (let row = bin(at.y - reachY); row <= bin(at.y + reachY); row++) {
      const first = starts[row * bins + bin(at.x - reachX)]
      const end = starts[row * bins + bin(at.x + reachX) + 1]
      for (let k = first; k < end; k++) {
        const cell = members[k]
        const distance = ((x[cell] - at.x) / reachX) ** 2 + ((y[cell] - at.y) / reachY) ** 2
        if (distance >= best || !isShown(cell)) continue
        nearest = cell
        best = distance
      }
    }
    return nearest
  }
}
