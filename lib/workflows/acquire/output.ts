/**
 * Where an acquired reference goes: on a laptop wherever its owner says, in an account into the store of references and nowhere else.
 *
 * SpatialCore keeps an existing output only where it is local, and rewrites one in a bucket whatever was asked for. Here it is kept wherever
 * it lies, and what replaces it takes its place only when it is whole.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { AlreadyExists, BadInput } from '../../job/errors.ts'
import { checkKey, printable } from '../../job/object-key.ts'
import { openObject } from '../../job/open-store.ts'
import type { AcquireSettings } from '../../job/settings/acquire.ts'
import type { ObjectInfo, ObjectStore } from '../../job/store.ts'
import type { Environment } from '../../job/stores.ts'
import { shownLocation } from '../../job/web-address.ts'

export interface Output {
  store: ObjectStore
  key: string
  /** opens it again, and is what a job of `type-cells` names */
  location: string
}

export interface OutputContext {
  references: ObjectStore
  environment: Environment
  /** of the file, without its ending, where the job names none */
  name: string
}

/** @throws BadInput OUTPUT_NOT_ALLOWED, OUTPUT_NAME, KEY_UNSUPPORTED, LOCATION_UNSUPPORTED */
export async function outputOf(
  { output }: Pick<AcquireSettings, 'output'>,
  { references, environment, name }: OutputContext,
): Promise<Output> {
  if (output === undefined) return outputIn(references, `${name}.h5ad`)
  const shown = printable(shownLocation(output))
  if (!/[^/\\]\.h5ad$/i.test(output)) {
    const problem = 'the output is an h5ad, and its name must say so'
    throw new BadInput('OUTPUT_NAME', shown, problem, 'Give it a name that ends in .h5ad')
  }
  const { place } = references
  if (output.startsWith(`${place}/`)) return outputIn(references, output.slice(place.length + 1))
  if (environment.CELLDROP_LOCAL_FILES === '1') return anywhere(output, environment)
  const isKey = !/^(?:[a-z][a-z0-9+.-]*:|[\\/])/i.test(output)
  if (isKey) return outputIn(references, output)
  const problem = `this installation writes references to ${place} and nowhere else`
  throw new BadInput('OUTPUT_NOT_ALLOWED', `output: ${shown}`, problem, 'Give a name such as lung/atlas.h5ad')
}

function outputIn(store: ObjectStore, key: string): Output {
  checkKey(store.place, key)
  return { store, key, location: `${store.place}/${key}` }
}

async function anywhere(output: string, environment: Environment): Promise<Output> {
  if (/^https?:/i.test(output))
    throw new BadInput(
      'OUTPUT_NOT_ALLOWED',
      `output: ${printable(shownLocation(output))}`,
      'nothing can be written to a web address',
      'Give a path, s3://bucket/key or gs://bucket/key',
    )
  const { store, key } = await openObject(output, { environment })
  return { store, key, location: `${store.place.replace(/\/$/, '')}/${key}` }
}

export interface Placed {
  info: ObjectInfo
  /** what has come there meanwhile is not ours, and stays */
  isKept: boolean
}

/**
 * A file takes its place; readers see what was there before, or all of it.
 * Without `force` a file that is there stays. One of the same content is taken for what an earlier, interrupted try has placed.
 */
export async function placeFile(
  path: string,
  { store, key }: Output,
  { force, signal }: { force: boolean; signal: AbortSignal },
): Promise<Placed> {
  try {
    const info = await store.write(key, createReadStream(path, { signal }), { onlyIfAbsent: !force })
    return { info, isKept: false }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AlreadyExists)) throw error
    const info = await store.head(key)
    if (info === undefined) throw error
    const [there, here] = await Promise.all([
      store.openRead(key, info).then((stream) => hashOf(stream, signal)),
      hashOf(createReadStream(path), signal),
    ])
    return { info, isKept: there !== here }
  }
}

async function hashOf(stream: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(stream, hash, { signal })
  return hash.digest('hex')
}

const told = z.looseObject({ output: z.string(), bytes: z.number() })

/** Whether a result is of a job that wrote to where this one writes; its name is that of the file, where none is named. */
export function isOutputOf({ output, name }: AcquireSettings, summary: unknown): boolean {
  const { success, data } = told.safeParse(summary)
  if (!success) return false
  return output === undefined ? data.output.endsWith(`/${name}.h5ad`) : data.output === output
}

/** Whether the file that a result tells of is still there. */
export async function isStillThere(summary: unknown, environment: Environment): Promise<boolean> {
  const { success, data } = told.safeParse(summary)
  if (!success) return false
  const { store, key } = await openObject(data.output, { environment })
  return (await store.head(key))?.size === data.bytes
}
