/**
 * The pieces that a small WebAssembly module is put together of, byte by byte (WebAssembly 1.0 and its vector instructions): instructions,
 * sections, numbers. There is no build step, and what is written here is what every machine runs, nothing fused or reordered.
 */

/** Types of values. */
export const [i32, v128] = [0x7f, 0x7b]
const noResult = 0x40

export const op = {
  block: [0x02, noResult],
  loop: [0x03, noResult],
  end: [0x0b],
  branchIf: (depth: number) => [0x0d, depth],
  get: (index: number) => [0x20, index],
  set: (index: number) => [0x21, index],
  tee: (index: number) => [0x22, index],
  constant: (value: number) => [0x41, ...signed(value)],
  loadI32: (offset: number) => [0x28, 2, offset],
  isBelow: [0x49],
  isEqual: [0x46],
  add: [0x6a],
  subtract: [0x6b],
  times: [0x6c],
  shiftLeft: [0x74],
}

/** Loads and stores of vectors at addresses that are multiples of so many bytes: a promise for speed, not for what comes out. */
export function vectorAccess(log2Bytes: number) {
  return {
    loadVector: (offset: number) => [0xfd, 0x00, log2Bytes, ...size(offset)],
    storeVector: (offset: number) => [0xfd, 0x0b, log2Bytes, ...size(offset)],
  }
}

/** On vectors of four float32 or two float64. */
export const arithmetic = {
  single: { multiply: [0xfd, 0xe6, 0x01], add: [0xfd, 0xe4, 0x01] },
  double: { multiply: [0xfd, 0xf2, 0x01], add: [0xfd, 0xf0, 0x01] },
}

export interface WasmModule {
  /** what stands behind "host" "memory" of the import: its limits */
  memory: readonly number[]
  /** numbers of i32 parameters that functions have; none gives a result */
  types: readonly number[]
  functions: readonly {
    name: string
    /** number of its type */
    type: number
    /** groups of local variables, each a count and a type */
    locals: readonly (readonly [count: number, type: number])[]
    code: readonly number[]
  }[]
}

/** The module's bytes: its memory imported, its functions exported by their names. */
export function moduleBytes({ memory, types, functions }: WasmModule): Uint8Array {
  const type = (parameters: number): number[] => [0x60, parameters, ...Array(parameters).fill(i32), 0]
  const body = ({ locals, code }: WasmModule['functions'][number]): number[] => {
    const content = [locals.length, ...locals.flat(), ...code, ...op.end]
    return [...size(content.length), ...content]
  }
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [types.length, ...types.flatMap(type)]),
    ...section(2, [1, ...name('host'), ...name('memory'), 0x02, ...memory]),
    ...section(3, [functions.length, ...functions.map((one) => one.type)]),
    ...section(7, [functions.length, ...functions.flatMap((one, i) => [...name(one.name), 0x00, i])]),
    ...section(10, [functions.length, ...functions.flatMap(body)]),
  ])
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...size(content.length), ...content]
}

function name(text: string): number[] {
  return [text.length, ...Buffer.from(text)]
}

/** LEB128 */
export function size(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...size(value >>> 7)]
}

/** LEB128 of a number that has a sign bit, here always 0 */
function signed(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)]
}

/** What is used of the engine: Node has it, the types of ES2024 without a browser have not. */
export interface WasmEngine<Memory, Size> {
  Memory: new (size: Size) => Memory
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: { host: { memory: Memory } }) => { exports: unknown }
}

export function wasmEngine<Memory, Size>(): WasmEngine<Memory, Size> {
  return (globalThis as unknown as { WebAssembly: WasmEngine<Memory, Size> }).WebAssembly
}
