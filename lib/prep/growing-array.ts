/**
 * Numbers in shared memory, added one after the other, how many is not known before. Address space is reserved for the most there may be,
 * memory comes with what is added, and nothing is ever copied: the largest arrays of a job would else be in memory twice.
 */

export interface Growing<Values extends Int32Array | Float32Array> {
  /** room for those added and some to come; another view after each growth */
  values: Values
  /** the first `length` of them */
  taken(length: number): Values
  /** @returns false when there will never be room for so many */
  makeRoom(length: number): boolean
}

const bytesOf = 4
const least = 2 ** 16

export function growing(type: 'int32', most: number): Growing<Int32Array>
export function growing(type: 'float32', most: number): Growing<Float32Array>
export function growing(type: 'int32' | 'float32', most: number): Growing<Int32Array | Float32Array> {
  const buffer = new SharedArrayBuffer(0, { maxByteLength: bytesOf * most })
  const view = (length: number): Int32Array | Float32Array =>
    type === 'int32' ? new Int32Array(buffer, 0, length) : new Float32Array(buffer, 0, length)
  return {
    values: view(0),
    taken: view,
    makeRoom(length) {
      if (length <= this.values.length) return true
      if (length > most) return false
      const room = Math.min(most, Math.max(length, least, Math.ceil(this.values.length * 1.25)))
      buffer.grow(bytesOf * room)
      this.values = view(room)
      return true
    },
  }
}
