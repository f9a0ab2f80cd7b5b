/**
 * The inner loop of the linear scorer as WebAssembly with SIMD, put together by wasm-code.ts: the same result on every machine, since
 * nothing in it may be fused or reordered.
 *
 * One call scores rows against one panel of `panelWidth` classes, held in four registers of two doubles over a whole row. The
 * panel's weights (genes x panelWidth) stay in the second-level cache while rows pass.
 */
import { arithmetic, i32, moduleBytes, op, v128, vectorAccess, wasmEngine } from './wasm-code.ts'

/** classes scored at once */
export const panelWidth = 8

export interface LinearKernel {
  /** its memory, which never grows */
  buffer: ArrayBuffer
  /**
   * For each row: result = base + sum of value x weights[gene]. All but `rows` and `stride` are byte offsets into the memory.
   */
  score(
    /** how many, 1 or more */
    rows: number,
    /** i32, rows + 1: where each row's entries start and end, as entry numbers */
    starts: number,
    /** i32 an entry: byte offset of its gene within the panel */
    genes: number,
    /** f64 an entry */
    values: number,
    /** f64, genes x panelWidth */
    panel: number,
    /** f64, panelWidth */
    base: number,
    /** f64, where the first row's panelWidth results go; the next row's lie `stride` bytes further */
    results: number,
    stride: number,
  ): void
}

const parameter = { rows: 0, starts: 1, genes: 2, values: 3, panel: 4, base: 5, results: 6, stride: 7 }
const local = { entry: 8, end: 9, weights: 10, value: 11, sums: 12 }
const registers = panelWidth / 2

const { loadVector, storeVector } = vectorAccess(4)
const { multiply, add } = arithmetic.double
const loadSplat = [0xfd, 0x0a, 3, 0]

/** A kernel with `bytes` of memory of its own. */
export function createLinearKernel(bytes: number): LinearKernel {
  const { Memory, Module, Instance } = wasmEngine<{ readonly buffer: ArrayBuffer }, { initial: number }>()
  const memory = new Memory({ initial: Math.ceil(bytes / 65_536) })
  const { exports } = new Instance(new Module(kernelBytes()), { host: { memory } })
  return { buffer: memory.buffer, score: (exports as Pick<LinearKernel, 'score'>).score }
}

const eachRegister = (make: (register: number) => number[]): number[] =>
  Array.from({ length: registers }, (_, register) => make(register)).flat()

/** results[row] = base + entries of the row; then on to the next row, until none is left */
function bodyOfScore(): number[] {
  const { rows, starts, base, results, stride } = parameter
  return [
    ...op.loop,
    ...[...op.get(starts), ...op.loadI32(0), ...op.set(local.entry)],
    ...[...op.get(starts), ...op.loadI32(4), ...op.set(local.end)],
    ...eachRegister((i) => [...op.get(base), ...loadVector(16 * i), ...op.set(local.sums + i)]),
    ...op.block,
    ...[...op.get(local.entry), ...op.get(local.end), ...op.isEqual, ...op.branchIf(0)],
    ...loopOverEntries(),
    ...op.end,
    ...eachRegister((i) => [...op.get(results), ...op.get(local.sums + i), ...storeVector(16 * i)]),
    ...[...op.get(starts), ...op.constant(4), ...op.add, ...op.set(starts)],
    ...[...op.get(results), ...op.get(stride), ...op.add, ...op.set(results)],
    ...[...op.get(rows), ...op.constant(1), ...op.subtract, ...op.tee(rows), ...op.branchIf(0)],
    ...op.end,
  ]
}

function loopOverEntries(): number[] {
  const { genes, values, panel } = parameter
  const { entry, end, weights, value, sums } = local
  const address = (array: number, log2Size: number): number[] => [
    ...op.get(array),
    ...[...op.get(entry), ...op.constant(log2Size), ...op.shiftLeft],
    ...op.add,
  ]
  return [
    ...op.loop,
    ...[...op.get(panel), ...address(genes, 2), ...op.loadI32(0), ...op.add, ...op.set(weights)],
    ...[...address(values, 3), ...loadSplat, ...op.set(value)],
    ...eachRegister((i) => [
      ...op.get(sums + i),
      ...[...op.get(value), ...op.get(weights), ...loadVector(16 * i), ...multiply],
      ...add,
      ...op.set(sums + i),
    ]),
    ...[...op.get(entry), ...op.constant(1), ...op.add, ...op.tee(entry)],
    ...[...op.get(end), ...op.isBelow, ...op.branchIf(0)],
    ...op.end,
  ]
}

/** One function. */
function kernelBytes(): Uint8Array {
  return moduleBytes({
    memory: [0x00, 1],
    types: [Object.keys(parameter).length],
    functions: [
      {
        name: 'score',
        type: 0,
        locals: [
          [3, i32],
          [1 + registers, v128],
        ],
        code: bodyOfScore(),
      },
    ],
  })
}
