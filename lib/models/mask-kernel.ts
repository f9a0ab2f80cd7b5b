/**
 * Masks of kept units as WebAssembly with SIMD, put together by wasm-code.ts: four generators side by side (xoshiro128++, Blackman and Vigna
 * 2021), 16 bits a unit, sixteen units at a time. A network over cells and labels takes half a million units a step: two by two
 * in JavaScript they took 0.6 ms of its 14, so 0.15.
 */
import type { Random } from '../job/random.ts'
import { i32, moduleBytes, op, v128, vectorAccess, wasmEngine } from './wasm-code.ts'

const parameter = { groups: 0, below: 1 }
const local = { at: 2, state: 3, drawn: 7, threshold: 8 }
/** bytes of the generators' state, and of what is made at a time */
const [stateBytes, blockBytes] = [64, 32_768]

const { loadVector, storeVector } = vectorAccess(4)
const vector = {
  splat16: [0xfd, 0x10],
  isBelow16: [0xfd, 0x30],
  and: [0xfd, 0x4e],
  or: [0xfd, 0x50],
  xor: [0xfd, 0x51],
  narrow16: [0xfd, 0x65],
  shiftLeft: [0xfd, 0xab, 0x01],
  shiftRight: [0xfd, 0xad, 0x01],
  add: [0xfd, 0xae, 0x01],
}
const state = [0, 1, 2, 3].map((i) => local.state + i) as [number, number, number, number]

/** Fills arrays with ones, with this chance (to one part in 65,536), and else zeros. The generators are seeded by `from` each time. */
export type FillMask = (into: Uint8Array, how: { keep: number; from: Random }) => void

export function maskFiller(): FillMask {
  const { Memory, Module, Instance } = wasmEngine<{ readonly buffer: ArrayBuffer }, { initial: number }>()
  const memory = new Memory({ initial: 1 })
  const { exports } = new Instance(new Module(kernelBytes()), { host: { memory } })
  const { fill } = exports as { fill(groups: number, below: number): void }
  const seeds = new Uint32Array(memory.buffer, 0, stateBytes / 4)
  const made = new Uint8Array(memory.buffer, stateBytes, blockBytes)
  return (into, { keep, from }) => {
    const below = Math.round(keep * 65_536)
    if (below > 65_535) {
      into.fill(1)
      return
    }
    from.fillBits(seeds)
    for (let start = 0; start < into.length; start += blockBytes) {
      const count = Math.min(blockBytes, into.length - start)
      fill(Math.ceil(count / 16), below)
      into.set(made.subarray(0, count), start)
    }
  }
}

/** rotl(a, by), of each of four */
const rotated = (a: number, by: number): number[] => [
  ...[...op.get(a), ...op.constant(by), ...vector.shiftLeft],
  ...[...op.get(a), ...op.constant(32 - by), ...vector.shiftRight],
  ...vector.or,
]

const xorInto = (a: number, b: number): number[] => [...op.get(a), ...op.get(b), ...vector.xor, ...op.set(a)]

/** Four words, compared: 16 bits of ones where they are below. */
function compareNext(): number[] {
  const [a, b, c, d] = state
  const { drawn, threshold } = local
  return [
    ...[...op.get(a), ...op.get(d), ...vector.add, ...op.set(drawn)],
    ...[...rotated(drawn, 7), ...op.get(a), ...vector.add],
    ...[...op.get(threshold), ...vector.isBelow16],
    ...[...op.get(b), ...op.constant(9), ...vector.shiftLeft, ...op.set(drawn)],
    ...[...xorInto(c, a), ...xorInto(d, b), ...xorInto(b, c), ...xorInto(a, d), ...xorInto(c, drawn)],
    ...[...rotated(d, 11), ...op.set(d)],
  ]
}

function bodyOfFill(): number[] {
  const { groups, below } = parameter
  const { at, threshold } = local
  const ones = [0xfd, 0x0c, ...Array(16).fill(1)]
  return [
    ...state.flatMap((word, i) => [...op.constant(0), ...loadVector(16 * i), ...op.set(word)]),
    ...[...op.get(below), ...vector.splat16, ...op.set(threshold)],
    ...op.loop,
    ...[...op.get(at), ...compareNext(), ...compareNext(), ...vector.narrow16, ...ones, ...vector.and],
    ...storeVector(stateBytes),
    ...[...op.get(at), ...op.constant(16), ...op.add, ...op.set(at)],
    ...[...op.get(groups), ...op.constant(1), ...op.subtract, ...op.tee(groups), ...op.branchIf(0)],
    ...op.end,
    ...state.flatMap((word, i) => [...op.constant(0), ...op.get(word), ...storeVector(16 * i)]),
  ]
}

function kernelBytes(): Uint8Array {
  return moduleBytes({
    memory: [0x00, 1],
    types: [Object.keys(parameter).length],
    functions: [
      {
        name: 'fill',
        type: 0,
        locals: [
          [1, i32],
          [6, v128],
        ],
        code: bodyOfFill(),
      },
    ],
  })
}
