/** The road on this machine: the functions and containers of the repository, run for one job after another with the same stores. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { codeVersion } from '../job/code-version.ts'
import { type ErrorReport, StoreFailure } from '../job/errors.ts'
import { openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import { failurePrefix } from '../workflows/road/failure.ts'
import { localBatch } from './batch.ts'
import { JobFailed } from './job-failed.ts'
import { noteFinished } from './job-request.ts'
import type { Places } from './places.ts'
import { openScratch } from './scratch.ts'
import { type Handler, type RoadEvent, type RoadOptions, runRoad } from './state-machine.ts'

const root = resolve(import.meta.dirname, '../..')

/** What runs; tests put fakes in place of it. */
export interface RoadCode {
  definition: string
  handlers: RoadOptions['handlers']
  containerOf(state: string): string
}

export interface LocalRun {
  places: Places
  /** job files may name any path and bucket that the user may read */
  mayReadAll: boolean
  defaultModel: string | undefined
  signal: AbortSignal
  onEvent(event: RoadEvent): void
  code?: RoadCode
}

/**
 * Returns when result.json is there.
 * @throws JobFailed, with error.json written; Interrupted; StoreFailure RESULT_MISSING
 */
export async function runLocally(start: Start, run: LocalRun): Promise<void> {
  const { definition, handlers, containerOf } = run.code ?? (await roadCode())
  const { places } = run
  await using scratch = await openScratch(places.home)
  const environment = environmentOf(run, scratch.path)
  // handlers read the environment of their process, as Lambdas do
  Object.assign(process.env, environment)
  await forgetFailures(start, places)
  const batch = localBatch({
    containerOf,
    environment,
    logs: join(places.home, 'logs'),
    cores: availableParallelism(),
  })
  try {
    await runRoad({
      definition,
      input: { start },
      handlers,
      batch,
      // there is no topic here: whoever started the job is told by the command itself
      announce: async () => {},
      signal: run.signal,
      onEvent: run.onEvent,
    })
    await checkResult(start, places)
    await noteFinished(places.work, start)
  } catch (error) {
    if (error instanceof JobFailed) await leaveError(start, places, error.report)
    throw error
  }
}

function environmentOf(
  { places, mayReadAll, defaultModel }: LocalRun,
  scratch: string,
): Record<string, string> {
  return {
    CELLDROP_INBOX: places.inbox,
    CELLDROP_WORK: places.work,
    CELLDROP_MODELS: places.models,
    CELLDROP_REFERENCES: places.references,
    CELLDROP_OUTBOX: places.outbox,
    CELLDROP_CODE: codeVersion(root),
    CELLDROP_SCRATCH: scratch,
    CELLDROP_LOCAL_FILES: mayReadAll ? '1' : '',
    CELLDROP_DEFAULT_MODEL: defaultModel ?? '',
    CELLDROP_QUEUES: JSON.stringify({
      cpuSpot: 'cpu-spot',
      cpuOnDemand: 'cpu',
      gpuSpot: 'gpu-spot',
      gpuOnDemand: 'gpu',
    }),
  }
}

/** A state is named after the folder that implements it. */
async function roadCode(): Promise<RoadCode> {
  const definition = await readFile(join(root, 'statemachines/pipeline.asl.json'), 'utf8')
  const names = [...definition.matchAll(/"FunctionName": "\$\{(\w+)\}"/g)].map((match) => match[1]!)
  const load = async (name: string): Promise<[string, Handler]> => {
    const path = join(root, 'functions', folderOf(name), 'handler.ts')
    const module = (await import(pathToFileURL(path).href)) as { handler: Handler }
    return [name, module.handler]
  }
  return {
    definition,
    handlers: Object.fromEntries(await Promise.all([...new Set(names)].map(load))),
    containerOf: (state) => join(root, 'containers', folderOf(state), 'main.ts'),
  }
}

function folderOf(state: string): string {
  return state.replace(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
}

/** What an earlier run of the same job failed of may be mended by now. */
async function forgetFailures(start: Start, { work, outbox }: Places): Promise<void> {
  const store = await openStore(work)
  for await (const { key } of store.list(failurePrefix({ start }))) await store.remove(key)
  await (await openStore(outbox)).remove(`${start.output}error.json`)
}

/** A job that was published before and lost its result since must not count as done. */
async function checkResult({ jobId, output }: Start, { outbox, work }: Places): Promise<void> {
  const store = await openStore(outbox)
  if ((await store.head(`${output}result.json`)) !== undefined) return
  const problem = 'the job was done before, and its result is no longer here'
  const remedy = `Remove ${work} and give the same command again`
  throw new StoreFailure('RESULT_MISSING', jobId, problem, remedy)
}

/** ReportFailure wrote it, unless it could not; a job must not end without a word. */
async function leaveError(start: Start, { outbox }: Places, report: ErrorReport): Promise<void> {
  const store = await openStore(outbox)
  const key = `${start.output}error.json`
  if ((await store.head(key)) !== undefined) return
  const text = JSON.stringify({ jobId: start.jobId, ...report }, null, 2)
  await store.write(key, new TextEncoder().encode(`${text}\n`), { contentType: 'application/json' })
}
