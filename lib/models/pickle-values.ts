/**
 * What a Python pickle says, as plain data: calls and objects are named and never made. One form for reading and for writing.
 * Trap: Python tells 1 from 1.0 and JavaScript does not, so fractions come as a value of their own.
 */
export type PickleValue =
  | null
  | boolean
  /** a whole number, exact */
  | number
  | string
  | Uint8Array
  | PickleFloat
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleGlobal
  | PickleObject
  | PicklePersistent

export interface PickleFloat {
  kind: 'float'
  value: number
}

export interface PickleList {
  kind: 'list'
  items: PickleValue[]
}

export interface PickleTuple {
  kind: 'tuple'
  items: PickleValue[]
}

/** only text as keys */
export interface PickleDict {
  kind: 'dict'
  entries: Map<string, PickleValue>
}

/** 'module.name' */
export interface PickleGlobal {
  kind: 'global'
  name: string
}

/** What Python would make by `name(*args)` (call) or `name.__new__(name, *args)` (new), and the state it would then be given. */
export interface PickleObject {
  kind: 'object'
  via: 'call' | 'new'
  name: string
  args: PickleValue[]
  state: PickleValue | undefined
  /** what is set in it, where it is a dictionary of a class of its own (`collections.OrderedDict`) */
  entries?: Map<string, PickleValue>
}

/** What lies beside the pickle, by whatever names it there: PyTorch's storages. */
export interface PicklePersistent {
  kind: 'persistent'
  id: PickleValue
}

export const float = (value: number): PickleFloat => ({ kind: 'float', value })
export const list = (items: PickleValue[]): PickleList => ({ kind: 'list', items })
export const tuple = (...items: PickleValue[]): PickleTuple => ({ kind: 'tuple', items })
export const global = (name: string): PickleGlobal => ({ kind: 'global', name })
export const dict = (entries: Iterable<[string, PickleValue]>): PickleDict => ({
  kind: 'dict',
  entries: new Map(entries),
})

/** The value when it is of that kind, else undefined. */
export function ofKind<Kind extends 'float' | 'list' | 'tuple' | 'dict' | 'global' | 'object' | 'persistent'>(
  value: PickleValue | undefined,
  kind: Kind,
): Extract<PickleValue, { kind: Kind }> | undefined {
  const isIt =
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && value.kind === kind
  return isIt ? (value as Extract<PickleValue, { kind: Kind }>) : undefined
}

/** Of a dictionary, whatever class it is of; undefined when it is none. An object that nothing was set in is an empty one. */
export function entriesOf(value: PickleValue | undefined): ReadonlyMap<string, PickleValue> | undefined {
  return (
    ofKind(value, 'dict')?.entries ??
    (ofKind(value, 'object') && (ofKind(value, 'object')?.entries ?? new Map()))
  )
}
