/**
 * Steps that can be run any number of times. A step's outputs lie under a key made of its name, all that it depends on and the version of
 * the code; its record is written last, only if absent. A step that finds its record is done: that is how a second event, a lost Spot
 * machine, a killed laptop and a redrive all go on where they were.
 *
 * Two workers on the same step write the same bytes, so whoever is second finds what it would have written.
 */
import type { Readable } from 'node:stream'
import { hashOf } from './canonical.ts'
import { AlreadyExists, type ErrorReport, StoreFailure } from './errors.ts'
import type { ObjectStore } from './store.ts'

export type NumberBlock = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array | Uint32Array

const blockTypes = { Float32Array, Float64Array, Int32Array, Uint8Array, Uint16Array, Uint32Array } as const
type BlockType = keyof typeof blockTypes

interface BlockConstructor<Block> {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBuffer, byteOffset: number, length: number): Block
}

export interface StepRecord {
  state: string
  /** what the step found out, small; large things are objects of their own */
  value: unknown
  notices: ErrorReport[]
  /** wall-clock time of the run that finished it */
  seconds: number
  /** largest resident memory of the process, MiB */
  peakMemory: number
  blocks: Record<string, { type: BlockType; length: number }>
}

export interface Step {
  readonly prefix: string
  /** undefined until the step is done */
  record(): Promise<StepRecord | undefined>
  /** @throws StoreFailure STEP_MISSING when it is not done */
  finished(): Promise<StepRecord>
  writeBlock(name: string, values: NumberBlock): Promise<void>
  readBlock<Block extends NumberBlock>(name: string, type: BlockConstructor<Block>): Promise<Block>
  write(name: string, body: Uint8Array | Readable): Promise<void>
  read(name: string, maxBytes: number): Promise<Uint8Array>
  /** Makes the step done. A record that another worker wrote meanwhile stays. */
  finish(record: Omit<StepRecord, 'state' | 'blocks'>): Promise<StepRecord>
}

const longestRecord = 64 << 20

/** @param dependsOn everything that can change what the step writes */
export function openStep(
  store: ObjectStore,
  { state, code, dependsOn, part }: { state: string; code: string; dependsOn: unknown; part?: number },
): Step {
  const shard = part === undefined ? '' : `part-${String(part).padStart(5, '0')}/`
  const prefix = `steps/${state}/${hashOf([code, state, dependsOn])}/${shard}`
  const blocks: StepRecord['blocks'] = {}

  const record = () => readJson<StepRecord>(store, `${prefix}record.json`, longestRecord)
  return {
    prefix,
    record,
    async finished() {
      const found = await record()
      if (found !== undefined) return found
      throw new StoreFailure(
        'STEP_MISSING',
        `${store.place}/${prefix}`,
        `step ${state} has not been finished`,
        'Run the job again: what is finished is kept',
      )
    },
    async writeBlock(name, values) {
      const { buffer, byteOffset, byteLength } = values
      await store.write(`${prefix}${name}`, new Uint8Array(buffer, byteOffset, byteLength))
      blocks[name] = { type: values.constructor.name as BlockType, length: values.length }
    },
    async readBlock(name, type) {
      const bytes = await store.read(`${prefix}${name}`, { maxBytes: 2 ** 33 })
      const { buffer, byteOffset, byteLength } = byteOffsetIsAligned(bytes) ? bytes : bytes.slice()
      return new type(buffer as ArrayBuffer, byteOffset, byteLength / type.BYTES_PER_ELEMENT)
    },
    async write(name, body) {
      await store.write(`${prefix}${name}`, body)
    },
    read: (name, maxBytes) => store.read(`${prefix}${name}`, { maxBytes }),
    async finish(given) {
      const made: StepRecord = { state, blocks, ...given }
      return (await writeJsonOnce(store, `${prefix}record.json`, made)) as StepRecord
    },
  }
}

function byteOffsetIsAligned({ byteOffset }: Uint8Array): boolean {
  return byteOffset % 8 === 0
}

/** @returns undefined when there is no such object */
export async function readJson<Value>(
  store: ObjectStore,
  key: string,
  maxBytes = longestRecord,
): Promise<Value | undefined> {
  if ((await store.head(key)) === undefined) return undefined
  return JSON.parse(new TextDecoder().decode(await store.read(key, { maxBytes }))) as Value
}

/** Writes a JSON object if the key is free; where it is not, what stands there is the answer. */
export async function writeJsonOnce<Value>(store: ObjectStore, key: string, value: Value): Promise<Value> {
  const body = new TextEncoder().encode(`${JSON.stringify(value)}\n`)
  try {
    await store.write(key, body, { onlyIfAbsent: true, contentType: 'application/json' })
    return value
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error
    return (await readJson<Value>(store, key)) ?? value
  }
}
