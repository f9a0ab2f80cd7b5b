/**
 * The folder that `--out` names. A job writes into a hidden folder inside of it; when all is there, the files take their places, result.json
 * last. So a folder never shows half a result, a run that was stopped goes on where it was, and nothing that was there is overwritten: the
 * result of another job goes only where overwriting was asked for, and only once its successor is complete.
 *
 * In a bucket there is no renaming: there a job writes in place, and the result of another job is never replaced.
 */
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { BadInput } from '../job/errors.ts'
import { ignoreMissing, onWriting } from '../job/folder-errors.ts'
import { placeNew } from '../job/folder-write.ts'
import { printable } from '../job/object-key.ts'
import { openStore } from '../job/open-store.ts'
import { readJson } from '../job/steps.ts'
import type { ObjectStore } from '../job/store.ts'
import { isRemote } from './places.ts'

const resultFile = z.looseObject({
  jobId: z.string().max(200),
  outputs: z.record(z.string(), z.string()),
  workflow: z.unknown().optional(),
  summary: z.unknown().optional(),
})

export type JobResult = z.infer<typeof resultFile>

export interface ResultsFolder {
  /** the job's result, where it is there already */
  found?: JobResult
  /** the outbox to write into */
  outbox: string
  /** Gives what was written its places; to be called when the job has ended, well or not. */
  settle(): Promise<void>
}

interface Wanted {
  jobId: string
  overwrite: boolean
  /** whether this result gives way although overwriting was not asked for */
  succeeds?(result: JobResult): boolean
}

/** @throws BadInput OUTPUT_EXISTS when the result of another job is there */
export async function openResults(place: string, wanted: Wanted): Promise<ResultsFolder> {
  const store = await openStore(place)
  const result = await readResult(store)
  const isOurs = result?.jobId === wanted.jobId
  if (
    result !== undefined &&
    !isOurs &&
    (isRemote(place) || !(wanted.overwrite || wanted.succeeds?.(result)))
  )
    throw occupied(place, `the result of another job (${printable(result.jobId)})`, !isRemote(place))
  const found = isOurs ? { found: result } : {}
  if (isRemote(place)) {
    if (!isOurs) await store.remove('error.json')
    return { ...found, outbox: place, settle: async () => {} }
  }
  const draft = join(place, `.celldrop-${wanted.jobId}`)
  if (isOurs) await rm(draft, { recursive: true, force: true })
  else await rm(join(draft, 'error.json'), { force: true })
  return { ...found, outbox: draft, settle: () => onWriting(place, () => settle(place, draft)) }
}

/** A file of this name that no job of ours has written is somebody's own, whatever was asked for. */
async function readResult(store: ObjectStore): Promise<JobResult | undefined> {
  const result = await readJson<unknown>(store, last).catch((error) => {
    if (error instanceof SyntaxError) return null
    throw error
  })
  if (result === undefined) return undefined
  const checked = resultFile.safeParse(result)
  if (!checked.success) throw occupied(store.place, 'a result.json that is not of Celldrop', false)
  return checked.data
}

function occupied(place: string, what: string, mayReplace: boolean): BadInput {
  const remedy = `Give another --out${mayReplace ? ', or --overwrite to replace that result' : ''}`
  return new BadInput('OUTPUT_EXISTS', place, `it holds ${what}`, remedy)
}

const last = 'result.json'

async function settle(place: string, draft: string): Promise<void> {
  const names = await filesOf(draft)
  if (!names.includes(last)) {
    if (names.includes('error.json')) await rename(join(draft, 'error.json'), join(place, 'error.json'))
    return rm(draft, { recursive: true, force: true })
  }
  await removeOld(place, draft)
  await rm(join(place, 'error.json'), { force: true })
  const others = names.filter((name) => ![last, replaced, 'error.json'].includes(name))
  for (const name of [...others, last]) {
    const target = join(place, name)
    await mkdir(dirname(target), { recursive: true })
    await placeNew(join(draft, name), target).catch(async (error) => {
      if (!(await isSameFile(join(draft, name), target))) throw error
    })
    await rm(join(draft, name), { force: true })
  }
  await rm(draft, { recursive: true, force: true })
}

const replaced = 'replaced.json'

/** The old result.json is moved first: a run that is stopped here finds in it what is left to remove. */
async function removeOld(place: string, draft: string): Promise<void> {
  await rename(join(place, last), join(draft, replaced)).catch(ignoreMissing)
  const text = await readFile(join(draft, replaced), 'utf8').catch(ignoreMissing)
  if (text === undefined) return
  const store = await openStore(place)
  for (const name of Object.values((JSON.parse(text) as JobResult).outputs)) await store.remove(name)
  await rm(join(draft, replaced))
}

/** A run that was stopped between naming a file and removing its old name goes on. */
async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = [await stat(one, { bigint: true }), await stat(other, { bigint: true })]
  return a.ino === b.ino && a.dev === b.dev
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(ignoreMissing)
  return (entries ?? [])
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}
