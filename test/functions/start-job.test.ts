import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn'
import { mockClient } from 'aws-sdk-client-mock'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handler } from '../../functions/start-job/handler.ts'

const stateMachine = 'arn:aws:states:eu-central-1:111122223333:stateMachine:Celldrop'
const recorded = readFileSync(join(import.meta.dirname, '../fixtures/events/object-created.json'), 'utf8')
const states = mockClient(SFNClient)

function event(change: { key?: string; bucket?: string; versionId?: string } = {}): unknown {
  const made = JSON.parse(recorded)
  if (change.key !== undefined) made.detail.object.key = change.key
  if (change.bucket !== undefined) made.detail.bucket.name = change.bucket
  if (change.versionId !== undefined) made.detail.object['version-id'] = change.versionId
  return made
}

describe('StartJob', () => {
  beforeEach(() => {
    states.reset()
    states.on(StartExecutionCommand).resolves({ executionArn: 'arn' })
    vi.stubEnv('CELLDROP_INBOX', 's3://celldrop-inbox')
    vi.stubEnv('CELLDROP_STATE_MACHINE', stateMachine)
    vi.spyOn(console, 'log').mockImplementation(() => {})
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })
  const started = () => states.commandCalls(StartExecutionCommand).map((call) => call.args[0].input)

  it('starts one execution, named by what was uploaded', async () => {
    await expect(handler(event())).resolves.toMatchObject({ started: true })
    expect(started()).toEqual([
      {
        stateMachineArn: stateMachine,
        name: expect.stringMatching(/^liver-run-2-u-[0-9a-f]{12}-1$/),
        input: expect.any(String),
      },
    ])
    const { start } = JSON.parse(started()[0]!.input!)
    expect(start).toMatchObject({
      attempt: 1,
      created: '2026-11-21T10:15:02Z',
      upload: { key: 'annotate/liver run 2+ü.h5ad', size: 7426951 },
    })
    expect(start.output).toBe(`jobs/${start.jobId}/attempt-1/`)
  })

  it('gives the same upload the same name and input, however often and with whatever else it is told of', async () => {
    await handler(event())
    await handler({
      ...(event() as object),
      id: 'another',
      detail: { ...(event() as { detail: object }).detail, sequencer: '0' },
    })
    const [first, second] = started()
    expect(second).toEqual(first)
  })

  it('gives new content under the same key a job of its own', async () => {
    await handler(event())
    await handler(event({ versionId: 'another' }))
    const [first, second] = started()
    expect(second!.name).not.toBe(first!.name)
  })

  it('takes an execution that exists already for success', async () => {
    states.on(StartExecutionCommand).rejects(new ExecutionAlreadyExists({ message: 'exists', $metadata: {} }))
    await expect(handler(event())).resolves.toMatchObject({ started: false, execution: expect.any(String) })
  })

  it.each([
    ['another bucket', event({ bucket: 'elsewhere' })],
    ['an input of a job file', event({ key: 'jobs/NAME/query.h5ad' })],
    ['a file that is still written', event({ key: 'annotate/.query.h5ad.part' })],
    ['something else altogether', { source: 'aws.ec2' }],
    ['nothing', null],
  ])('lets %s be, and says so in the log', async (_, given) => {
    await expect(handler(given)).resolves.toEqual({ started: false })
    expect(started()).toEqual([])
    expect(console.log).toHaveBeenCalledWith(expect.stringContaining('ignored'))
  })

  it('fails under a name and with a report where Step Functions does not answer, so that the event is delivered again', async () => {
    states
      .on(StartExecutionCommand)
      .rejects(Object.assign(new Error('Rate exceeded'), { name: 'ThrottlingException' }))
    const failed = handler(event())
    await expect(failed).rejects.toMatchObject({ name: 'StoreUnavailable' })
    await expect(failed).rejects.toThrow(/"code":"EXECUTIONS_UNREACHABLE"/)
  })
})
