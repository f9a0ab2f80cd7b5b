/**
 * `celldrop watch DIR`: a folder (or a bucket) as inbox. What is dropped under DIR/annotate/ or DIR/jobs/NAME/ becomes the event that S3 would
 * send, and that event a job, one after the other. A job is named by what was uploaded: told of twice, late or after a restart, it is the
 * same job, and one that has its result or its error is done.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { BadInput, Interrupted } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'
import { openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import type { ObjectStore } from '../job/store.ts'
import { resultsPrefix, startOf, uploadOf } from '../job/uploads.ts'
import { reportOf } from '../workflows/road/lambda.ts'
import { arrivedUploads, type Look, lookAround, nothingSeen, objectCreated, uploadsIn } from './arrivals.ts'
import type { Command, Invocation } from './command.ts'
import { JobFailed } from './job-failed.ts'
import { beginOnce, nextAttempt } from './job-request.ts'
import { openStatus } from './job-status.ts'
import { type RoadCode, runLocally } from './local-road.ts'
import {
  isRemote,
  modelsFlag,
  type Places,
  placeFlags,
  placesOf,
  referencesFlag,
  wholePlace,
  within,
} from './places.ts'
import { openProgress } from './progress.ts'
import { shownPlace } from './run.ts'

const pauseMs = 1000

export const watchCommand: Command = {
  flags: {
    once: { type: 'boolean', describe: 'work through what is there, then end' },
    model: { type: 'string', value: 'NAME', describe: 'model for files without a job file' },
    out: { type: 'string', value: 'DIR', describe: 'folder for the results of all jobs (default results)' },
    ...modelsFlag,
    ...referencesFlag,
    work: placeFlags.work,
  },
  async run(invocation) {
    const { positionals, flags, environment } = invocation
    const [folder, ...others] = positionals
    if (folder === undefined || others.length > 0)
      throw new BadInput('USAGE', 'celldrop watch', 'one folder is needed', 'celldrop watch DIR [--once]')
    const places = placesOf(flags, environment)
    const outbox = typeof flags.out === 'string' ? wholePlace(flags.out) : places.outbox
    const model = typeof flags.model === 'string' ? flags.model : environment.CELLDROP_DEFAULT_MODEL
    const failed = await watchInbox({
      invocation,
      places: { ...places, inbox: wholePlace(folder), outbox },
      defaultModel: model || undefined,
    })
    if (failed > 0) throw someFailed(folder, failed)
  },
}

export interface Watching {
  invocation: Invocation
  places: Places
  defaultModel: string | undefined
  /** a test's own functions and containers, and its own way to wait between two looks */
  code?: RoadCode
  wait?(signal: AbortSignal): Promise<void>
}

function someFailed(place: string, failed: number): JobFailed {
  const problem = failed === 1 ? 'one job failed' : `${failed} jobs failed`
  const remedy = 'Each has an error.json where its results would be'
  return new JobFailed({ code: 'JOBS_FAILED', place, problem, remedy }, { isRefused: false })
}

/**
 * @returns with `--once`, how many jobs failed
 * @throws Interrupted when it is stopped
 */
export async function watchInbox(watching: Watching): Promise<number> {
  const { invocation, places } = watching
  const signal = invocation.listenForStop()
  if (!isRemote(places.inbox))
    for (const name of ['annotate', 'jobs']) await mkdir(join(places.inbox, name), { recursive: true })
  const store = await openStore(places.inbox)
  invocation.progress(`watching ${store.place}: drop files into annotate/, jobs into jobs/NAME/`)
  const once = invocation.flags.once === true
  const told = new Set<string>()
  let look: Look = nothingSeen
  let failed = 0
  for (let looks = 1; ; looks++) {
    look = await lookAround(store, look)
    const arrived = await arrivedUploads(store, look, { patient: !once })
    for (const object of arrived) {
      const event = objectCreated(store.place, object)
      if (told.has(event.id)) continue
      told.add(event.id)
      if (!(await receive(event, { ...watching, signal }))) failed++
      signal.throwIfAborted()
    }
    if (once && looks > 1 && arrived.length === uploadsIn(look).length) return failed
    await (watching.wait ?? waitAWhile)(signal)
  }
}

async function waitAWhile(signal: AbortSignal): Promise<void> {
  await pause(pauseMs, undefined, { signal }).catch(() => undefined)
  signal.throwIfAborted()
}

/**
 * One event, however often it comes. Whatever is wrong with its job is told, and the next one has its turn.
 * @returns false where its job failed
 */
export async function receive(
  event: unknown,
  watching: Watching & { signal: AbortSignal },
): Promise<boolean> {
  const { places, invocation } = watching
  const arrived = uploadOf(event)
  if (arrived === undefined) return true
  const named = startOf(arrived.upload, { inbox: arrived.bucket, created: arrived.time })
  const { jobId } = named
  const told = { key: named.upload.key, jobId, results: within(places.outbox, `jobs/${jobId}`) }
  try {
    const attempt = await nextAttempt(places.work, named)
    if (await isOver(await openStore(places.outbox), { jobId, attempt })) return true
    const output = resultsPrefix(jobId, attempt)
    told.results = within(places.outbox, output.replace(/\/$/, ''))
    const start = await beginOnce(places.work, { ...named, attempt, output })
    await work(start, { ...watching, results: told.results })
    tell(invocation, { ...told, status: 'succeeded' })
    return true
  } catch (error) {
    if (error instanceof Interrupted) throw error
    const report = error instanceof JobFailed ? error.report : reportOf(error)
    tell(invocation, { ...told, status: 'failed', error: report })
    return false
  }
}

/** By its last attempt, or by the one that is next where somebody else has made it meanwhile. */
async function isOver(
  outbox: ObjectStore,
  { jobId, attempt }: Pick<Start, 'jobId' | 'attempt'>,
): Promise<boolean> {
  for (const made of [attempt - 1, attempt])
    for (const name of ['result.json', 'error.json'])
      if ((await outbox.head(`${resultsPrefix(jobId, made)}${name}`)) !== undefined) return true
  return false
}

async function work(
  start: Start,
  {
    invocation,
    places,
    defaultModel,
    signal,
    results,
    code,
  }: Watching & { signal: AbortSignal; results: string },
): Promise<void> {
  const { options, clock } = invocation
  if (!options.json) invocation.progress(`${start.upload.key} is job ${start.jobId}`)
  const view = openProgress({ json: options.json, stream: invocation.stderr, signal, clock })
  const status = await openStatus(start, { home: places.home, results, clock })
  try {
    await runLocally(start, {
      places,
      mayReadAll: false,
      defaultModel,
      signal,
      onEvent: (event) => {
        view.note(event)
        status.note(event)
      },
      ...(code !== undefined && { code }),
    })
    await status.end('succeeded')
  } catch (error) {
    if (error instanceof Interrupted) await status.end('interrupted')
    else await status.end('failed', error instanceof JobFailed ? error.report : reportOf(error))
    throw error
  } finally {
    view.end()
  }
}

interface Told {
  key: string
  jobId: string
  results: string
  status: 'succeeded' | 'failed'
  error?: ReturnType<typeof reportOf>
}

function tell({ options, print }: Invocation, told: Told): void {
  const { key, results, error } = told
  const outcome = `${key}: ${told.status}, ${shownPlace(results)}`
  const reason =
    error === undefined ? [] : [`${error.code}: ${error.place}`, error.problem, error.remedy].map(printable)
  print(options.json ? JSON.stringify(told) : [printable(outcome), ...reason].join('\n  '))
}
