/**
 * The inner loops of training as WebAssembly with SIMD, put together by wasm-code.ts: rows of sparse cells times a panel of
 * classes, and the way back. One read of a stored entry serves all classes of the panel.
 *
 * Sums are float64 for gradients, and float32, twice as many at once, for the products with the Hessian inside of conjugate gradients.
 * Nothing is fused or reordered, so the same cells give the same bytes on every machine.
 */
import { arithmetic, i32, moduleBytes, op, size, v128, vectorAccess, wasmEngine } from './wasm-code.ts'

export type Precision = 'single' | 'double'

/** Byte offsets into the memory, but for counts, row numbers and `stride`. */
export interface TrainingKernel {
  /** results of row r, at results + (r - first) x stride, = base + sum of value x panel[gene] */
  gather(
    /** how many rows are listed, 1 or more */
    count: number,
    /** i32 a row: its number */
    list: number,
    first: number,
    /** i32, one more than rows: where each row's entries start, as entry numbers */
    starts: number,
    /** i32 an entry */
    genes: number,
    values: number,
    results: number,
    stride: number,
    /** genes x width */
    panel: number,
    /** width */
    base: number,
  ): void
  /** panel[gene] += value x residuals of row r, which lie at residuals + (r - first) x stride */
  scatter(...at: ScatterArguments): void
  /** the same with the square of each value */
  scatterSquares(...at: ScatterArguments): void
}

type ScatterArguments = [
  count: number,
  list: number,
  first: number,
  starts: number,
  genes: number,
  values: number,
  residuals: number,
  stride: number,
  panel: number,
]

export interface KernelShape {
  precision: Precision
  /** whether values are stored as float32 or float64 */
  stored: Precision
  /** classes of a panel: a multiple of 4, at most `widestPanel` */
  width: number
}

/** float64 sums of so many classes fill 12 of the 16 vector registers that the engine uses */
export const widestPanel = 24

export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}
const engine = () => wasmEngine<SharedMemory, { initial: number; maximum: number; shared: true }>()

const pageBytes = 65_536
export const mostMemoryBytes = 65_536 * pageBytes

/** Memory that several threads see. It never grows. */
export function createSharedMemory(bytes: number): SharedMemory {
  const pages = Math.ceil(bytes / pageBytes)
  return new (engine().Memory)({ initial: pages, maximum: pages, shared: true })
}

export function createTrainingKernel(memory: SharedMemory, shape: KernelShape): TrainingKernel {
  const { Module, Instance } = engine()
  return new Instance(new Module(kernelBytes(shape)), { host: { memory } }).exports as TrainingKernel
}

const at = { count: 0, list: 1, first: 2, starts: 3, genes: 4, values: 5, rowData: 6, stride: 7, panel: 8 }
const base = 9
const { loadVector, storeVector } = vectorAccess(2)

/** One stored value in all places of a vector. */
const splat = {
  single: {
    single: [0xfd, 0x09, 2, 0],
    double: [0x2a, 2, 0, 0xbb, 0xfd, 0x14],
  },
  double: {
    single: [0x2b, 3, 0, 0xb6, 0xfd, 0x13],
    double: [0xfd, 0x0a, 3, 0],
  },
}

interface Code {
  shape: KernelShape
  registers: number
  /** number of the first local variable */
  locals: number
}

const eachRegister = ({ registers }: Code, make: (register: number) => number[]): number[] =>
  Array.from({ length: registers }, (_, register) => make(register)).flat()

function variables({ locals }: Code) {
  const [row, entry, end, place, value, held] = [0, 1, 2, 3, 4, 5].map((i) => locals + i) as number[]
  return { row: row!, entry: entry!, end: end!, place: place!, value: value!, held: held! }
}

/** For each listed row: `before`, `each` of its entries with `place` and `value` set, `after`. */
function overRows(code: Code, parts: { before: number[]; each: number[]; after: number[] }): number[] {
  const { row, entry, end, place, value } = variables(code)
  const { stored, precision, width } = code.shape
  const bytes = precision === 'single' ? 4 : 8
  const entryAddress = (array: number, log2Size: number): number[] => [
    ...op.get(array),
    ...[...op.get(entry), ...op.constant(log2Size), ...op.shiftLeft],
    ...op.add,
  ]
  return [
    ...op.loop,
    ...[...op.get(at.list), ...op.loadI32(0), ...op.set(row)],
    ...[
      ...op.get(at.starts),
      ...op.get(row),
      ...op.constant(2),
      ...op.shiftLeft,
      ...op.add,
      ...op.tee(place),
    ],
    ...[...op.loadI32(0), ...op.set(entry)],
    ...[...op.get(place), ...op.loadI32(4), ...op.set(end)],
    // `row` is from here on the address of the row's results or residuals
    ...[...op.get(row), ...op.get(at.first), ...op.subtract, ...op.get(at.stride), ...op.times],
    ...[...op.get(at.rowData), ...op.add, ...op.set(row)],
    ...parts.before,
    ...op.block,
    ...[...op.get(entry), ...op.get(end), ...op.isEqual, ...op.branchIf(0)],
    ...op.loop,
    ...[...op.get(at.panel), ...entryAddress(at.genes, 2), ...op.loadI32(0)],
    ...[...op.constant(width * bytes), ...op.times, ...op.add, ...op.set(place)],
    ...[
      ...entryAddress(at.values, stored === 'single' ? 2 : 3),
      ...splat[stored][precision],
      ...op.set(value),
    ],
    ...parts.each,
    ...[...op.get(entry), ...op.constant(1), ...op.add, ...op.tee(entry)],
    ...[...op.get(end), ...op.isBelow, ...op.branchIf(0)],
    ...op.end,
    ...op.end,
    ...parts.after,
    ...[...op.get(at.list), ...op.constant(4), ...op.add, ...op.set(at.list)],
    ...[...op.get(at.count), ...op.constant(1), ...op.subtract, ...op.tee(at.count), ...op.branchIf(0)],
    ...op.end,
  ]
}

function gatherBody(code: Code): number[] {
  const { row, place, value, held } = variables(code)
  const { multiply, add } = arithmetic[code.shape.precision]
  return overRows(code, {
    before: eachRegister(code, (i) => [...op.get(base), ...loadVector(16 * i), ...op.set(held + i)]),
    each: eachRegister(code, (i) => [
      ...op.get(held + i),
      ...[...op.get(value), ...op.get(place), ...loadVector(16 * i), ...multiply],
      ...[...add, ...op.set(held + i)],
    ]),
    after: eachRegister(code, (i) => [...op.get(row), ...op.get(held + i), ...storeVector(16 * i)]),
  })
}

function scatterBody(code: Code, isSquared: boolean): number[] {
  const { row, place, value, held } = variables(code)
  const { multiply, add } = arithmetic[code.shape.precision]
  const square = isSquared ? [...op.get(value), ...op.get(value), ...multiply, ...op.set(value)] : []
  return overRows(code, {
    before: eachRegister(code, (i) => [...op.get(row), ...loadVector(16 * i), ...op.set(held + i)]),
    each: [
      ...square,
      ...eachRegister(code, (i) => [
        ...[...op.get(place), ...op.get(place), ...loadVector(16 * i)],
        ...[...op.get(value), ...op.get(held + i), ...multiply],
        ...[...add, ...storeVector(16 * i)],
      ]),
    ],
    after: [],
  })
}

/** Three functions on shared memory. */
function kernelBytes(shape: KernelShape): Uint8Array {
  const registers = shape.width / (shape.precision === 'single' ? 4 : 2)
  const code = (parameters: number): Code => ({ shape, registers, locals: parameters })
  const [gathers, scatters] = [code(10), code(9)]
  const locals = [
    [4, i32],
    [1 + registers, v128],
  ] as const
  return moduleBytes({
    memory: [0x03, 1, ...size(65_536)],
    types: [gathers.locals, scatters.locals],
    functions: [
      { name: 'gather', type: 0, locals, code: gatherBody(gathers) },
      { name: 'scatter', type: 1, locals, code: scatterBody(scatters, false) },
      { name: 'scatterSquares', type: 1, locals, code: scatterBody(scatters, true) },
    ],
  })
}
