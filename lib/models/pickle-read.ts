/**
 * Reads a Python pickle (protocols 2 to 5) and runs nothing: what Python would import or call becomes a named value, and the caller
 * may say which names may occur. Opcodes as in CPython's pickletools.
 *
 * Trap: a pickle is a program, so a small file can ask for much. Every opcode is counted, and lengths are compared with what is
 * left of the file before anything is made; bytes are views of the file. Memory is therefore bounded by file and opcode count.
 */
import { BadInput } from '../job/errors.ts'
import { corrupt, shown, unsafe } from './model-errors.ts'
import { ofKind, type PickleObject, type PickleValue, tuple } from './pickle-values.ts'

const maxBytes = 2 ** 30
/** a model of 60,000 genes needs 150,000 */
const usualOperations = 2_000_000
const longestName = 256

export interface PickleOptions {
  /** the file's name, for messages */
  place: string
  /**
   * 'module.name' of everything that may occur. 'any' where a file holds more than its reader looks at (PyTorch's archives): names and
   * what would be made by them stay names; dictionaries may be of any class; keys that are no text are left out; and values may lie
   * beside the pickle.
   */
  allowed: ReadonlySet<string> | 'any'
  /** every name that occurs is added */
  met?: Set<string>
  /** opcodes, 2,000,000 unless told */
  mostOperations?: number
}

interface Machine extends PickleOptions {
  bytes: Uint8Array
  view: DataView
  at: number
  stack: PickleValue[]
  /** heights of the stack at the open marks */
  marks: number[]
  memo: Map<number, PickleValue>
  isDone: boolean
}

/**
 * @throws BadInput MODEL_UNSAFE for a name that is not allowed or an opcode that can only serve to run code, MODEL_TOO_LARGE,
 * MODEL_CORRUPT for everything else that is no whole pickle
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): PickleValue {
  if (bytes.length > maxBytes) throw tooLarge(options.place, `${bytes.length} bytes`)
  const machine: Machine = {
    ...options,
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    at: 0,
    stack: [],
    marks: [],
    memo: new Map(),
    isDone: false,
  }
  if (bytes[0] !== protocolOpcode) throw corrupt(options.place, 'this is no pickle of protocol 2 or later')
  const most = options.mostOperations ?? usualOperations
  for (let operations = 0; !machine.isDone; operations++) {
    if (operations === most) throw tooLarge(options.place, `more than ${most} parts`)
    step(machine)
  }
  const [value] = machine.stack
  if (value === undefined || machine.stack.length > 1 || machine.marks.length > 0)
    throw corrupt(options.place, 'the pickle ends in the middle of a value')
  if (machine.at < bytes.length)
    throw corrupt(options.place, `${bytes.length - machine.at} bytes follow the pickle's end`)
  return value
}

function step(machine: Machine): void {
  const code = byte(machine)
  const operation = operations[code]
  if (operation === undefined) throw notUsed(machine, code)
  operation(machine)
}

const protocolOpcode = 0x80

const operations: Readonly<Record<number, (machine: Machine) => void>> = {
  [protocolOpcode]: (machine) => {
    const protocol = byte(machine)
    if (protocol < 2 || protocol > 5) throw corrupt(machine.place, `pickle protocol ${protocol} is unknown`)
  },
  // FRAME: a hint for buffered reading
  149: (machine) => checkLength(machine, length64(machine)),
  // MARK, POP, POP_MARK, STOP
  40: ({ marks, stack }) => void marks.push(stack.length),
  48: (machine) => void pop(machine),
  49: (machine) => void popMark(machine),
  46: (machine) => {
    machine.isDone = true
  },
  // NONE, NEWTRUE, NEWFALSE
  78: ({ stack }) => void stack.push(null),
  136: ({ stack }) => void stack.push(true),
  137: ({ stack }) => void stack.push(false),
  // BININT, BININT1, BININT2, LONG1, BINFLOAT
  74: (machine) => void machine.stack.push(machine.view.getInt32(advance(machine, 4), true)),
  75: (machine) => void machine.stack.push(byte(machine)),
  77: (machine) => void machine.stack.push(machine.view.getUint16(advance(machine, 2), true)),
  138: (machine) => void machine.stack.push(longInteger(machine)),
  71: (machine) =>
    void machine.stack.push({ kind: 'float', value: machine.view.getFloat64(advance(machine, 8), false) }),
  // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
  140: (machine) => void machine.stack.push(text(machine, byte(machine))),
  88: (machine) => void machine.stack.push(text(machine, length32(machine))),
  141: (machine) => void machine.stack.push(text(machine, length64(machine))),
  // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
  67: (machine) => void machine.stack.push(take(machine, byte(machine))),
  66: (machine) => void machine.stack.push(take(machine, length32(machine))),
  142: (machine) => void machine.stack.push(take(machine, length64(machine))),
  150: (machine) => void machine.stack.push(take(machine, length64(machine))),
  // EMPTY_LIST, APPEND, APPENDS
  93: ({ stack }) => void stack.push({ kind: 'list', items: [] }),
  97: (machine) => append(machine, [pop(machine)]),
  101: (machine) => append(machine, popMark(machine)),
  // EMPTY_DICT, SETITEM, SETITEMS
  125: ({ stack }) => void stack.push({ kind: 'dict', entries: new Map() }),
  115: (machine) => {
    const value = pop(machine)
    setItems(machine, [pop(machine), value])
  },
  117: (machine) => setItems(machine, popMark(machine)),
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  41: ({ stack }) => void stack.push(tuple()),
  133: (machine) => pushTuple(machine, 1),
  134: (machine) => pushTuple(machine, 2),
  135: (machine) => pushTuple(machine, 3),
  116: (machine) => void machine.stack.push({ kind: 'tuple', items: popMark(machine) }),
  // MEMOIZE, BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
  148: (machine) => remember(machine, machine.memo.size),
  113: (machine) => remember(machine, byte(machine)),
  114: (machine) => remember(machine, length32(machine)),
  104: (machine) => recall(machine, byte(machine)),
  106: (machine) => recall(machine, length32(machine)),
  // GLOBAL, STACK_GLOBAL
  99: (machine) => {
    const module = line(machine)
    pushGlobal(machine, module, line(machine))
  },
  147: (machine) => {
    const name = pop(machine)
    pushGlobal(machine, pop(machine), name)
  },
  // REDUCE, NEWOBJ, BUILD
  82: (machine) => pushObject(machine, 'call'),
  129: (machine) => pushObject(machine, 'new'),
  98: build,
  // BINPERSID
  81: (machine) => {
    if (machine.allowed !== 'any') throw notUsed(machine, 81)
    machine.stack.push({ kind: 'persistent', id: pop(machine) })
  },
}

/** Opcodes that exist, that no model needs, and that make Python call or fetch something. */
const refusedOpcodes: Readonly<Record<number, string>> = {
  80: 'PERSID',
  81: 'BINPERSID',
  105: 'INST',
  111: 'OBJ',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  146: 'NEWOBJ_EX',
  151: 'NEXT_BUFFER',
  152: 'READONLY_BUFFER',
}

function notUsed(machine: Machine, code: number): BadInput {
  const refused = refusedOpcodes[code]
  if (refused !== undefined) return unsafe(machine.place, `the opcode ${refused}`)
  const hexadecimal = code.toString(16).padStart(2, '0')
  return corrupt(machine.place, `byte ${machine.at - 1} (0x${hexadecimal}) is no opcode of a pickle`)
}

function checkLength(machine: Machine, length: number): void {
  if (length > machine.bytes.length - machine.at)
    throw corrupt(machine.place, `the file ends within a part of ${length} bytes at byte ${machine.at}`)
}

/** Where the next `length` bytes start; they are there. */
function advance(machine: Machine, length: number): number {
  checkLength(machine, length)
  const start = machine.at
  machine.at += length
  return start
}

function take(machine: Machine, length: number): Uint8Array {
  const start = advance(machine, length)
  return machine.bytes.subarray(start, start + length)
}

const byte = (machine: Machine): number => machine.view.getUint8(advance(machine, 1))
const length32 = (machine: Machine): number => machine.view.getUint32(advance(machine, 4), true)
const length64 = (machine: Machine): number => Number(machine.view.getBigUint64(advance(machine, 8), true))

function longInteger(machine: Machine): number {
  const bytes = take(machine, byte(machine))
  let value = 0n
  for (let i = 0; i < Math.min(bytes.length, 8); i++) value |= BigInt(bytes[i]!) << BigInt(8 * i)
  const signed = Number(BigInt.asIntN(8 * bytes.length, value))
  if (bytes.length > 8 || !Number.isSafeInteger(signed))
    throw corrupt(machine.place, 'a whole number lies beyond 2^53')
  return signed
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function text(machine: Machine, length: number): string {
  const start = machine.at
  try {
    return decoder.decode(take(machine, length))
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw corrupt(machine.place, `the text at byte ${start} is not UTF-8`)
  }
}

function line(machine: Machine): string {
  const end = machine.bytes.subarray(machine.at, machine.at + longestName).indexOf(10)
  if (end < 0) throw corrupt(machine.place, `the name at byte ${machine.at} does not end`)
  const found = text(machine, end)
  machine.at++
  return found
}

function pop(machine: Machine): PickleValue {
  const { stack, marks } = machine
  const value = stack.length > (marks.at(-1) ?? 0) ? stack.pop() : undefined
  if (value === undefined) throw corrupt(machine.place, `nothing is there to take at byte ${machine.at - 1}`)
  return value
}

function popMark(machine: Machine): PickleValue[] {
  const mark = machine.marks.pop()
  if (mark === undefined)
    throw corrupt(machine.place, `there is no mark to go back to at byte ${machine.at - 1}`)
  return machine.stack.splice(mark)
}

/** The value that the next one goes into; it stays. */
function top(machine: Machine): PickleValue {
  const value = pop(machine)
  machine.stack.push(value)
  return value
}

function append(machine: Machine, items: PickleValue[]): void {
  const target = ofKind(top(machine), 'list')
  if (target === undefined) throw corrupt(machine.place, 'items are added to what is no list')
  for (const item of items) target.items.push(item)
}

function setItems(machine: Machine, items: PickleValue[]): void {
  const isAny = machine.allowed === 'any'
  const entries = entriesIn(top(machine), isAny)
  if (entries === undefined || items.length % 2 !== 0)
    throw corrupt(machine.place, 'entries are set in what is no dictionary')
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i]
    if (typeof key === 'string') entries.set(key, items[i + 1]!)
    else if (!isAny) throw corrupt(machine.place, 'a key of a dictionary is no text')
  }
}

function entriesIn(target: PickleValue, isAny: boolean): Map<string, PickleValue> | undefined {
  const object = isAny ? ofKind(target, 'object') : undefined
  if (object === undefined) return ofKind(target, 'dict')?.entries
  object.entries ??= new Map()
  return object.entries
}

function pushTuple(machine: Machine, length: number): void {
  const items = Array.from({ length }, () => pop(machine)).reverse()
  machine.stack.push({ kind: 'tuple', items })
}

function remember(machine: Machine, place: number): void {
  machine.memo.set(place, top(machine))
}

function recall(machine: Machine, place: number): void {
  const value = machine.memo.get(place)
  if (value === undefined) throw corrupt(machine.place, `value ${place} is used before it is there`)
  machine.stack.push(value)
}

function pushGlobal(machine: Machine, module: PickleValue, name: PickleValue): void {
  if (typeof module !== 'string' || typeof name !== 'string')
    throw corrupt(machine.place, 'the name of a class is no text')
  const full = `${module}.${name}`
  machine.met?.add(full)
  if (machine.allowed !== 'any' && !machine.allowed.has(full)) throw unsafe(machine.place, `"${shown(full)}"`)
  machine.stack.push({ kind: 'global', name: full })
}

function pushObject(machine: Machine, via: PickleObject['via']): void {
  const args = ofKind(pop(machine), 'tuple')
  const callee = ofKind(pop(machine), 'global')
  if (args === undefined || callee === undefined)
    throw corrupt(machine.place, 'something is made of what is no class')
  machine.stack.push({ kind: 'object', via, name: callee.name, args: args.items, state: undefined })
}

function build(machine: Machine): void {
  const state = pop(machine)
  const target = ofKind(top(machine), 'object')
  if (target === undefined || target.state !== undefined)
    throw corrupt(machine.place, 'a state is given to what takes none')
  target.state = state
}

function tooLarge(place: string, what: string): BadInput {
  return new BadInput(
    'MODEL_TOO_LARGE',
    place,
    `the pickle has ${what}`,
    'Give a model file of less than 1 GiB',
  )
}
