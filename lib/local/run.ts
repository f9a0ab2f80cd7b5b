/** `celldrop run JOB.yaml`, and the part of it that `annotate` shares: one job, from settings to a folder of results. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { BadInput, Interrupted } from '../job/errors.ts'
import { hasCode } from '../job/folder-errors.ts'
import { checkSettings, longestManifest, parseManifest, type Settings } from '../job/manifest.ts'
import { openStore } from '../job/open-store.ts'
import type { Start } from '../job/road.ts'
import { readJson } from '../job/steps.ts'
import { reportOf } from '../workflows/road/lambda.ts'
import { rulesOf } from '../workflows/rules.ts'
import type { Command, Invocation } from './command.ts'
import { JobFailed } from './job-failed.ts'
import { nextAttempt, placeJob, requestJob, stemOf } from './job-request.ts'
import { openStatus } from './job-status.ts'
import { type RoadCode, runLocally } from './local-road.ts'
import { isRemote, placeFlags, placesOf, wholePlace, within } from './places.ts'
import { openProgress } from './progress.ts'
import { type JobResult, openResults, type ResultsFolder } from './results-folder.ts'

export const outFlag = {
  out: { type: 'string', value: 'DIR', describe: 'folder for the results (default results/NAME)' },
} as const

export const runCommand: Command = {
  flags: {
    ...outFlag,
    overwrite: { type: 'boolean', describe: 'the setting "overwrite" of the job, set from here' },
    ...placeFlags,
  },
  async run(invocation) {
    const [path, ...others] = invocation.positionals
    if (path === undefined || others.length > 0)
      throw new BadInput(
        'USAGE',
        'celldrop run',
        'one job file is needed',
        'celldrop run JOB.yaml [--out DIR]',
      )
    const read = parseManifest(await readJobFile(path), path)
    const { overwrite } = invocation.flags
    const settings = overwrite === undefined ? read : checkSettings({ ...read, overwrite }, path)
    await runJob(settings, { base: dirname(resolve(path)), otherwise: stemOf(path), invocation })
  },
}

async function readJobFile(path: string): Promise<Uint8Array> {
  const problem = (text: string) =>
    new BadInput('FILE_MISSING', path, text, 'Check the name and the folder of the job file')
  try {
    if ((await stat(path)).size > longestManifest) return new Uint8Array(longestManifest + 1)
    return await readFile(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw problem('there is no such file')
    if (hasCode(error, 'EISDIR')) throw problem('this is a folder')
    if (hasCode(error, 'EACCES', 'EPERM')) throw problem('this user may not read it')
    throw error
  }
}

export interface JobRun {
  /** folder that inputs are relative to */
  base: string
  /** name of the job where its settings have none */
  otherwise: string
  invocation: Invocation
  /** a test's own functions and containers */
  code?: RoadCode
}

/** @throws JobFailed, Interrupted; BadInput OUTPUT_EXISTS */
export async function runJob(settings: Settings, run: JobRun): Promise<void> {
  const { flags, environment, options, print, progress, clock } = run.invocation
  const signal = run.invocation.listenForStop()
  const places = placesOf(flags, environment)
  const defaultModel = environment.CELLDROP_DEFAULT_MODEL || undefined
  const request = await requestJob(settings, { ...run, models: places.models, defaultModel })
  const results = typeof flags.out === 'string' ? wholePlace(flags.out) : within(places.outbox, request.name)
  const { start: first, inbox } = await placeJob(request, { ...places, now: clock(), output: '' })
  const rules = rulesOf(request.settings)
  const folder = await openResults(results, {
    jobId: first.jobId,
    overwrite: rules.overwrites(request.settings),
    succeeds: (result) => rules.succeeds?.(request.settings, result) ?? false,
  })
  if (folder.found !== undefined && (await isCurrent(request.settings, folder.found, results))) {
    progress(`${first.jobId} was done before: nothing to do`)
    return print(describeResult(folder.found, results, options.json))
  }
  const start = { ...first, attempt: await nextAttempt(places.work, first) }
  if (!options.json) progress(`${start.jobId}: results go to ${shownPlace(results)}`)
  const view = openProgress({ json: options.json, stream: run.invocation.stderr, signal, clock })
  const status = await openStatus(start, { home: places.home, results, clock })
  try {
    await untilSettled(start, folder, () =>
      runLocally(start, {
        places: { ...places, inbox, outbox: folder.outbox },
        mayReadAll: true,
        defaultModel,
        signal,
        onEvent: (event) => {
          view.note(event)
          status.note(event)
        },
        ...(run.code !== undefined && { code: run.code }),
      }),
    )
    view.end()
    await status.end('succeeded')
  } catch (error) {
    view.end()
    if (error instanceof Interrupted) await status.end('interrupted')
    else await status.end('failed', error instanceof JobFailed ? error.report : reportOf(error))
    throw error
  }
  const result = await readJson<JobResult>(await openStore(results), 'result.json')
  print(describeResult(result!, results, options.json))
}

/** @throws BadInput OUTPUT_EXISTS where it is not, and lies in a bucket, where nothing is replaced */
async function isCurrent(settings: Settings, { summary }: JobResult, results: string): Promise<boolean> {
  const environment = { ...process.env, CELLDROP_LOCAL_FILES: '1' }
  if ((await rulesOf(settings).isCurrent?.(settings, summary, environment)) ?? true) return true
  if (!isRemote(results)) return false
  const problem = 'it holds an earlier result of this job, and in a bucket no result is replaced'
  throw new BadInput('OUTPUT_EXISTS', results, problem, 'Give another --out')
}

/** Results take their places, and so does error.json. */
async function untilSettled(
  start: Start,
  folder: ResultsFolder,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof JobFailed) await folder.settle()
    if (error instanceof Interrupted)
      throw new Interrupted(
        error.code,
        start.jobId,
        error.problem,
        'Give the same command again: it goes on from there',
      )
    throw error
  }
  await folder.settle()
}

export function describeResult(result: JobResult, results: string, json: boolean): string {
  if (json) return JSON.stringify({ ...result, results })
  const outputs = Object.values(result.outputs).map((name) => `  ${within(shownPlace(results), name)}`)
  return [`${result.jobId}: done`, ...outputs, ...elsewhere(result)].join('\n')
}

/** What was written to a place outside of the results, where the job has one. */
function elsewhere({ summary }: JobResult): string[] {
  const output = typeof summary === 'object' && summary !== null && 'output' in summary && summary.output
  return typeof output === 'string' ? [`  ${shownPlace(output)}`] : []
}

/** As a person would type it from here. */
export function shownPlace(place: string): string {
  const here = `${process.cwd()}/`
  return !isRemote(place) && place.startsWith(here) ? place.slice(here.length) : place
}
