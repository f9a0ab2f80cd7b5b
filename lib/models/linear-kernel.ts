/**
 * The inner loop of the linear scorer as WebAssembly with SIMD, put together here byte by byte (WebAssembly 1.0 and its vector
 * instructions): no build step, and the same result on every machine, since nothing in it may be fused or reordered.
 *
 * One call scores rows against one panel of `panelWidth` classes, held in four registers of two doubles over a whole row. The
 * panel's weights (genes x panelWidth) stay in the second-level cache while rows pass.
 */

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

const i32 = 0x7f
const v128 = 0x7b
const noResult = 0x40

const op = {
  block: [0x02, noResult],
  loop: [0x03, noResult],
  end: [0x0b],
  branchIf: (depth: number) => [0x0d, depth],
  get: (index: number) => [0x20, index],
  set: (index: number) => [0x21, index],
  tee: (index: number) => [0x22, index],
  constant: (value: number) => [0x41, value],
  loadI32: (offset: number) => [0x28, 2, offset],
  isBelow: [0x49],
  isEqual: [0x46],
  add: [0x6a],
  subtract: [0x6b],
  shiftLeft: [0x74],
  loadVector: (offset: number) => [0xfd, 0x00, 4, offset],
  loadSplat: [0xfd, 0x0a, 3, 0],
  storeVector: (offset: number) => [0xfd, 0x0b, 4, offset],
  multiplyVectors: [0xfd, 0xf2, 0x01],
  addVectors: [0xfd, 0xf0, 0x01],
}

/** What is used of the engine: Node has it, the types of ES2024 without a browser have not. */
interface Engine {
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer }
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: Pick<LinearKernel, 'score'> }
}

/** A kernel with `bytes` of memory of its own. */
export function createLinearKernel(bytes: number): LinearKernel {
  const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly
  const memory = new Memory({ initial: Math.ceil(bytes / 65_536) })
  const { exports } = new Instance(new Module(moduleBytes()), { host: { memory } })
  return { buffer: memory.buffer, score: exports.score }
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
    ...eachRegister((i) => [...op.get(base), ...op.loadVector(16 * i), ...op.set(local.sums + i)]),
    ...op.block,
    ...[...op.get(local.entry), ...op.get(local.end), ...op.isEqual, ...op.branchIf(0)],
    ...loopOverEntries(),
    ...op.end,
    ...eachRegister((i) => [...op.get(results), ...op.get(local.sums + i), ...op.storeVector(16 * i)]),
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
    ...[...address(values, 3), ...op.loadSplat, ...op.set(value)],
    ...eachRegister((i) => [
      ...op.get(sums + i),
      ...[...op.get(value), ...op.get(weights), ...op.loadVector(16 * i), ...op.multiplyVectors],
      ...op.addVectors,
      ...op.set(sums + i),
    ]),
    ...[...op.get(entry), ...op.constant(1), ...op.add, ...op.tee(entry)],
    ...[...op.get(end), ...op.isBelow, ...op.branchIf(0)],
    ...op.end,
  ]
}

/** Sections of the one function, with its memory imported and its name exported. */
function moduleBytes(): Uint8Array {
  const parameters = Array<number>(Object.keys(parameter).length).fill(i32)
  const locals = [2, 3, i32, 1 + registers, v128]
  const body = [...locals, ...bodyOfScore(), ...op.end]
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 0]),
    ...section(2, [1, ...name('host'), ...name('memory'), 0x02, 0x00, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('score'), 0x00, 0]),
    ...section(10, [1, ...size(body.length), ...body]),
  ])
}

const section = (id: number, content: number[]): number[] => [id, ...size(content.length), ...content]
const name = (text: string): number[] => [text.length, ...Buffer.from(text)]

/** LEB128 */
function size(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...size(value >>> 7)]
}
