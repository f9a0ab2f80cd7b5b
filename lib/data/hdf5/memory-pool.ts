/**
 * Memory for slabs, used again: fresh memory costs more than the reading that fills it, since the system clears every page.
 * What is given back is detached first, so that whoever still holds it finds it empty, not changed.
 */
export interface MemoryPool {
  /** Uninitialised: whoever takes it writes every byte. */
  take(length: number): Uint8Array<ArrayBuffer>
  giveBack(values: ArrayBufferView): void
}

const step = 2 ** 20
const mostKept = 6

export function memoryPool(): MemoryPool {
  const kept: ArrayBuffer[] = []
  return {
    take(length) {
      const found = kept.findIndex(
        ({ byteLength }) => byteLength >= length && byteLength <= 2 * length + step,
      )
      const [buffer] = found < 0 ? [] : kept.splice(found, 1)
      if (buffer !== undefined) return new Uint8Array(buffer, 0, length)
      // slabs differ a little in size: some room more makes the memory fit the next one too
      const fresh = Buffer.allocUnsafeSlow(length < step ? length : Math.ceil((length * 1.1) / step) * step)
      return new Uint8Array(fresh.buffer, 0, length)
    },
    giveBack({ buffer }) {
      if (!(buffer instanceof ArrayBuffer) || buffer.detached) return
      const taken = buffer.transfer()
      if (taken.byteLength < step) return
      kept.push(taken)
      if (kept.length > mostKept) kept.shift()
    },
  }
}
