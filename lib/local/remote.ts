/**
 * `celldrop submit`, `status` and `results` on a deployed stack. A job goes on in the account whether this process follows it or not.
 */
import { resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { BadInput, type ErrorReport, Interrupted, StoreFailure } from '../job/errors.ts'
import { type Execution, type Executions, openExecutions } from '../job/executions.ts'
import { openStore } from '../job/open-store.ts'
import { readJson } from '../job/steps.ts'
import { executionName, resultsPrefix } from '../job/uploads.ts'
import type { Command, Invocation } from './command.ts'
import { JobFailed } from './job-failed.ts'
import { type JobResult, openResults } from './results-folder.ts'
import { describeResult } from './run.ts'
import { type DeployedStack, readStack, stackFlags } from './stack.ts'
import { submitJob } from './submit-job.ts'

const outFlag = {
  out: { type: 'string', value: 'DIR', describe: 'folder for the results (default results/JOB)' },
} as const

export const submitCommand: Command = {
  flags: {
    ...stackFlags,
    ...outFlag,
    follow: { type: 'boolean', isOn: true, describe: 'wait for the job, then fetch its results' },
  },
  async run(invocation) {
    const { flags, options, print, progress, clock } = invocation
    const path = onlyPositional(invocation, 'submit JOB.yaml', 'one job file is needed')
    const stack = await readStack(flags)
    const signal = invocation.listenForStop()
    const created = new Date(clock()).toISOString()
    const start = await submitJob(path, { inbox: stack.inbox, created, signal, progress })
    const job = executionName(start)
    progress(`${job}: submitted`)
    if (flags.follow === false) {
      const status = { job, jobId: start.jobId, attempt: start.attempt, state: 'submitted' }
      return print(
        options.json
          ? JSON.stringify(status)
          : `${job}: submitted. \`celldrop status ${job}\` tells how it stands`,
      )
    }
    await followJob(job, { executions: openExecutions(stack.stateMachine), signal, progress })
    await fetchResults(job, { stack, invocation })
  },
}

/** `celldrop status JOB --stack NAME`. */
export async function remoteStatus(invocation: Invocation): Promise<void> {
  const { flags, options, print } = invocation
  const job = onlyPositional(invocation, 'status JOB --stack NAME', 'one job is named')
  const stack = await readStack(flags)
  const executions = openExecutions(stack.stateMachine)
  const execution = await findJob(job, executions)
  const { name, status, started, stopped } = execution
  const { jobId, attempt } = splitName(name)
  const state = states[status] ?? status.toLowerCase()
  const step = status === 'RUNNING' ? await executions.currentState(name) : undefined
  const error =
    status === 'RUNNING' || status === 'SUCCEEDED' ? undefined : (await failureOf(execution, stack)).report
  const results = `${stack.outbox}/${resultsPrefix(jobId, attempt)}`
  if (options.json) {
    const told = {
      job: name,
      jobId,
      attempt,
      state,
      step: step ?? null,
      begun: started,
      ended: stopped ?? null,
    }
    return print(JSON.stringify({ ...told, results, error: error ?? null }))
  }
  const lines = [`${name}: ${state}${step === undefined ? '' : `, ${step}`}`]
  if (status === 'SUCCEEDED') lines.push(`  ${results}`, `  \`celldrop results ${name}\` fetches them`)
  if (error !== undefined)
    lines.push(`  ${error.code}: ${error.place}`, `  ${error.problem}`, `  ${error.remedy}`)
  print(lines.join('\n'))
}

export const resultsCommand: Command = {
  flags: { ...stackFlags, ...outFlag },
  async run(invocation) {
    const job = onlyPositional(invocation, 'results JOB [--out DIR]', 'one job is named')
    const stack = await readStack(invocation.flags)
    const { name, status } = await findJob(job, openExecutions(stack.stateMachine))
    if (status === 'RUNNING' || status === 'PENDING_REDRIVE')
      throw new BadInput(
        'JOB_RUNNING',
        name,
        'the job is not done yet',
        `\`celldrop status ${name}\` tells how it stands`,
      )
    await fetchResults(name, { stack, invocation })
  },
}

const states: Partial<Record<Execution['status'], string>> = {
  TIMED_OUT: 'timed out',
  PENDING_REDRIVE: 'waiting',
}

const pollMs = 5000
/** How long an upload may take to become an execution: events come within seconds, and are tried again for a day. */
const mostPollsUnstarted = 60

export interface FollowOptions {
  executions: Executions
  signal: AbortSignal
  progress(text: string): void
  /** a test's own */
  pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** Until the execution ends, well or not. @throws StoreFailure JOB_NOT_STARTED, Interrupted */
export async function followJob(
  job: string,
  { executions, signal, progress, pause = sleep }: FollowOptions,
): Promise<void> {
  let shown: string | undefined
  for (let polls = 0; ; polls++) {
    const execution = await executions.describe(job)
    if (execution === undefined && polls >= mostPollsUnstarted)
      throw new StoreFailure(
        'JOB_NOT_STARTED',
        job,
        'the job file was uploaded, and no job has begun',
        'Look into the dead-letter queue and the log of StartJob (docs/deploy.md)',
      )
    if (execution !== undefined && execution.status !== 'RUNNING' && execution.status !== 'PENDING_REDRIVE')
      return
    const state = execution === undefined ? undefined : await executions.currentState(job)
    if (state !== undefined && state !== shown) progress(`${job}: ${state}`)
    shown = state ?? shown
    await pause(pollMs, signal).catch((error) => {
      if (!signal.aborted) throw error
      const remedy = `The job goes on; \`celldrop results ${job}\` fetches its results`
      throw new Interrupted('INTERRUPTED', job, 'no longer followed', remedy)
    })
  }
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  await wait(milliseconds, undefined, { signal })
}

/** @throws JobFailed with what error.json says; BadInput OUTPUT_EXISTS */
async function fetchResults(
  job: string,
  { stack, invocation }: { stack: DeployedStack; invocation: Invocation },
): Promise<void> {
  const { flags, options, print, progress } = invocation
  const { jobId, attempt } = splitName(job)
  const prefix = resultsPrefix(jobId, attempt)
  const results = resolve(typeof flags.out === 'string' ? flags.out : `results/${jobId}`)
  const folder = await openResults(results, { jobId, overwrite: false })
  if (folder.found !== undefined) return print(describeResult(folder.found, results, options.json))
  const outbox = await openStore(stack.outbox)
  const target = await openStore(folder.outbox)
  for await (const object of outbox.list(prefix)) {
    const name = object.key.slice(prefix.length)
    progress(`fetching ${name} (${(object.size / 1e6).toFixed(1)} MB)`)
    await target.write(name, await outbox.openRead(object.key, object))
  }
  const result = await readJson<JobResult>(target, 'result.json')
  await folder.settle()
  if (result !== undefined) return print(describeResult(result, results, options.json))
  const execution = await openExecutions(stack.stateMachine).describe(job)
  const { report, refused } = await failureOf(execution, stack, job)
  throw new JobFailed(report, { isRefused: refused })
}

/** What error.json says, and whether the input is at fault; else what the execution ended with. */
async function failureOf(
  execution: Execution | undefined,
  stack: DeployedStack,
  job = execution?.name,
): Promise<{ report: ErrorReport; refused: boolean }> {
  const { jobId, attempt } = splitName(job ?? '')
  const outbox = await openStore(stack.outbox)
  const key = `${resultsPrefix(jobId, attempt)}error.json`
  const said = await readJson<ErrorReport & { refused?: boolean }>(outbox, key, 1 << 20)
  if (said !== undefined) {
    const { code, place, problem, remedy, refused = false } = said
    return { report: { code, place, problem, remedy }, refused }
  }
  const ended = execution === undefined ? 'is not known' : `ended as ${execution.status}`
  const problem = [`the execution ${ended}`, execution?.error, execution?.cause].filter(Boolean).join(': ')
  const remedy = 'Look at the history of the execution in the console of Step Functions'
  const report = { code: 'JOB_LOST', place: job ?? 'job', problem: problem.slice(0, 2000), remedy }
  return { report, refused: false }
}

async function findJob(job: string, executions: Executions): Promise<Execution> {
  const found = await executions.find(job)
  if (found !== undefined) return found
  const remedy =
    'Give the name of the job file, or the id that `celldrop submit` printed; executions are kept for 90 days'
  throw new BadInput('JOB_UNKNOWN', job, 'the stack knows no such job', remedy)
}

function splitName(name: string): { jobId: string; attempt: number } {
  const [, jobId = name, attempt = '1'] = /^(.+)-(\d+)$/.exec(name) ?? []
  return { jobId, attempt: Number(attempt) }
}

function onlyPositional({ positionals }: Invocation, usage: string, problem: string): string {
  const [one, ...others] = positionals
  if (one !== undefined && others.length === 0) return one
  throw new BadInput('USAGE', `celldrop ${usage.split(' ')[0]}`, problem, `celldrop ${usage}`)
}
