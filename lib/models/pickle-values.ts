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
export function ofKind<Kind extends 'float' | 'list' | 'tuple' | 'dict' | 'global' | 'object'>(
  value: PickleValue | undefined,
  kind: Kind,
): Extract<PickleValue, { kind: Kind }> | undefined {
  const isIt =
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && value.kind === kind
  return isIt ? (value as Extract<PickleValue, { kind: Kind }>) : undefined
}
