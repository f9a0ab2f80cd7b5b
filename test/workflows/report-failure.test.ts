/** Contract: whatever went wrong, the user finds error.json where the results would have been: code, place, problem, remedy. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadInput } from '../../lib/job/errors.ts'
import type { BatchState, RoadState } from '../../lib/job/road.ts'
import { reportable } from '../../lib/workflows/road/lambda.ts'
import { reportFailure } from '../../lib/workflows/road/report-failure.ts'
import { type CaughtError, caughtError } from '../support/events.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'
import { jobFile, walk } from '../support/walk.ts'

let lab: Installation
let planned: RoadState
beforeAll(async () => {
  lab = await makeInstallation()
  await saveToyModel(lab.stores)
  await lab.upload('jobs/a/q.h5ad', cellsOf(toyCounts))
  const start = await lab.upload('jobs/a/job.json', jobFile({ query: 'q.h5ad', model: 'toy' }))
  planned = await walk(start, lab.environment, 'PlanCompute')
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

let count = 0
/** The state of a job of its own, so that no failure of another test is in it. */
function failed(error: CaughtError, { early = false } = {}): RoadState {
  const jobId = `job-${count++}`
  const start = { ...planned.start, jobId, output: `jobs/${jobId}/attempt-1/` }
  return early ? { start, error } : { ...planned, start, error }
}

async function leaveFailure(
  { start }: RoadState,
  file: string,
  failure: { name: string; state: BatchState; code: string },
) {
  const key = `jobs/${start.jobId}/attempt-1/failures/${file}.json`
  const text = { place: 'a place', problem: 'a problem', remedy: 'a remedy', ...failure }
  await lab.stores.work.write(key, Buffer.from(JSON.stringify(text)))
}

/** of the last report: the input is at fault, not the machine */
let refused: unknown
async function reported(state: RoadState) {
  const { failure } = await reportFailure(state, lab.environment)
  const bytes = await lab.stores.outbox.read(`${state.start.output}error.json`, { maxBytes: 1 << 20 })
  const written = JSON.parse(Buffer.from(bytes).toString())
  // what is announced is what is written
  expect(written).toEqual({ jobId: state.start.jobId, ...failure, refused: expect.any(Boolean) })
  refused = written.refused
  return failure
}

describe('ReportFailure', () => {
  it('hands on what a Lambda said', async () => {
    expect(await reported(failed(caughtError('lambda-bad-input'), { early: true }))).toEqual({
      code: 'COUNTS_NOT_FOUND',
      place: 's3://celldrop-inbox/jobs/liver/q.h5ad:X',
      problem: 'no raw counts were found: X holds negative values (-1 to 1), as scaled data have them',
      remedy: 'Put the raw counts into X',
    })
    expect(refused).toBe(true)
  })

  it.each([
    ['lambda-timed-out', /Task timed out after 300/],
    ['lambda-out-of-memory', /signal: killed/],
  ])('tells of a Lambda that ended without a report: %s', async (event, problem) => {
    expect(await reported(failed(caughtError(event), { early: true }))).toMatchObject({
      code: 'INTERNAL',
      problem: expect.stringMatching(problem),
    })
    expect(refused).toBe(false)
  })

  it('hands on what a step left, the mistake of the user first', async () => {
    const state = failed(caughtError('batch-exit-1'))
    await leaveFailure(state, 'Prepare', { name: 'TypeError', state: 'Prepare', code: 'INTERNAL' })
    await leaveFailure(state, 'Prepare-1', { name: 'BadInput', state: 'Prepare', code: 'CELLS_LOW_COUNTS' })
    await leaveFailure(state, 'Embed-1', { name: 'BadInput', state: 'Embed', code: 'OF_ANOTHER_STEP' })
    expect(await reported(state)).toMatchObject({ code: 'CELLS_LOW_COUNTS', remedy: 'a remedy' })
    expect(refused).toBe(true)
  })

  it('names the step that was killed without a word, and why AWS says it was', async () => {
    expect(await reported(failed(caughtError('batch-out-of-memory')))).toMatchObject({
      code: 'STEP_LOST',
      place: 'Prepare',
      problem: expect.stringMatching(/Essential container in task exited, exit code 137, OutOfMemoryError/),
    })
  })

  it.each([
    ['batch-spot-reclaimed', 'STEP_LOST', /Host EC2/],
    ['batch-submit-refused', 'STEP_LOST', /is DISABLED/],
    ['batch-state-timeout', 'STEP_TIMEOUT', /longer than its time limit/],
    ['batch-too-large-for-machines', 'MACHINE_MISSING', /no machine/],
  ])('tells of %s as %s', async (event, code, problem) => {
    expect(await reported(failed(caughtError(event)))).toMatchObject({
      code,
      place: 'Prepare',
      problem: expect.stringMatching(problem),
      remedy: expect.stringMatching(/\w{4}/),
    })
  })

  it('has something to say of a state that lacks everything', async () => {
    const { job: _, plan: __, error: ___, ...bare } = failed({ Error: '' })
    expect(await reported(bare)).toMatchObject({ code: 'STEP_LOST', place: 'state machine' })
  })

  it('replaces what an earlier failure of the same job said', async () => {
    const state = failed(caughtError('batch-spot-reclaimed'))
    await reported(state)
    const again = { ...state, error: caughtError('batch-state-timeout') }
    expect(await reported(again)).toMatchObject({ code: 'STEP_TIMEOUT' })
  })

  it('keeps hostile text to what a page and a notification can hold', async () => {
    const long = `\u001b[31m<script>alert(1)</script>\u0000${'x'.repeat(300_000)}\ud800`
    const thrown = reportable(new BadInput('GENE_COLUMN_MISSING', long, long, long))
    // 32,768 characters of a Cause is what Step Functions keeps
    const Cause = JSON.stringify({ errorType: thrown.name, errorMessage: thrown.message, trace: [] })
    expect(Cause.length).toBeLessThan(32_768)
    const failure = await reported(failed({ Error: 'BadInput', Cause }))
    expect(failure).toMatchObject({ code: 'GENE_COLUMN_MISSING' })
    expect(Buffer.byteLength(JSON.stringify(failure))).toBeLessThan(32_768)
    expect(failure!.problem).toMatch(/^\\u001b\[31m<script>/)
    expect(failure!.problem.isWellFormed()).toBe(true)
  })

  it('does not believe that a text is a report because it looks like one', async () => {
    const Cause = JSON.stringify({ errorType: 'Error', errorMessage: '{"code":"X","place":7}' })
    expect(await reported(failed({ Error: 'Error', Cause }))).toMatchObject({ code: 'INTERNAL' })
  })
})
