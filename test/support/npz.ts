/** Arrays of an .npz file that numpy.savez wrote (a zip of .npy files, stored or deflated). */
import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

export interface NpyArray {
  shape: number[]
  data: Float32Array | Float64Array | BigInt64Array
}

export function readNpz(path: string): Map<string, NpyArray> {
  const file = readFileSync(path)
  const end = file.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  const arrays = new Map<string, NpyArray>()
  let at = file.readUInt32LE(end + 16)
  for (let i = 0; i < file.readUInt16LE(end + 10); i++) {
    const [method, packed] = [file.readUInt16LE(at + 10), file.readUInt32LE(at + 20)]
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => file.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    const local = file.readUInt32LE(at + 42)
    const name = file.toString('utf8', at + 46, at + 46 + nameLength)
    const from = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28)
    const bytes = file.subarray(from, from + packed)
    arrays.set(name.replace(/\.npy$/, ''), readNpy(method === 0 ? bytes : inflateRawSync(bytes)))
    at += 46 + nameLength + extra + comment
  }
  return arrays
}

function readNpy(bytes: Buffer): NpyArray {
  const length = bytes.readUInt16LE(8)
  const header = bytes.toString('latin1', 10, 10 + length)
  const type = /'descr': '([^']+)'/.exec(header)![1]!
  const shape = (/'shape': \(([^)]*)\)/.exec(header)![1]!.match(/\d+/g) ?? []).map(Number)
  const content = Uint8Array.from(bytes.subarray(10 + length)).buffer
  if (type === '<f4') return { shape, data: new Float32Array(content) }
  if (type === '<f8') return { shape, data: new Float64Array(content) }
  if (type === '<i8') return { shape, data: new BigInt64Array(content) }
  throw new Error(`numbers of type ${type}`)
}
