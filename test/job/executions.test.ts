import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn'
import { mockClient } from 'aws-sdk-client-mock'
import { beforeEach, describe, expect, it } from 'vitest'
import { openExecutions } from '../../lib/job/executions.ts'
import { startOf } from '../../lib/job/uploads.ts'

const stateMachine = 'arn:aws:states:eu-central-1:111122223333:stateMachine:Celldrop'
const execution = (name: string) => `arn:aws:states:eu-central-1:111122223333:execution:Celldrop:${name}`
const upload = { key: 'jobs/liver/job.yaml', etag: 'e', size: 10 }
const start = startOf(upload, { inbox: 's3://inbox', created: '2026-11-21T10:15:02Z' })
const states = mockClient(SFNClient)
const executions = openExecutions(stateMachine, { client: new SFNClient({ region: 'eu-central-1' }) })
const absent = new ExecutionDoesNotExist({ message: 'none', $metadata: {} })

function has(name: string): void {
  const answer = {
    executionArn: execution(name),
    stateMachineArn: stateMachine,
    name,
    startDate: new Date(0),
  }
  states
    .on(DescribeExecutionCommand, { executionArn: execution(name) })
    .resolves({ ...answer, status: 'RUNNING' })
}

beforeEach(() => {
  states.reset()
  states.on(DescribeExecutionCommand).rejects(absent)
})

describe('executions', () => {
  it('are started under the name of job and attempt, with the whole start as input', async () => {
    states.on(StartExecutionCommand).resolves({})
    await expect(executions.start(start)).resolves.toBe('started')
    const [call] = states.commandCalls(StartExecutionCommand)
    expect(call!.args[0].input).toEqual({
      stateMachineArn: stateMachine,
      name: `${start.jobId}-1`,
      input: JSON.stringify({ start }),
    })
    states.on(StartExecutionCommand).rejects(new ExecutionAlreadyExists({ message: '', $metadata: {} }))
    await expect(executions.start(start)).resolves.toBe('taken on already')
  })

  it('are described by their ARN, and undefined where there is none', async () => {
    await expect(executions.describe('x')).resolves.toBeUndefined()
    has('x')
    await expect(executions.describe('x')).resolves.toEqual({
      name: 'x',
      status: 'RUNNING',
      started: '1970-01-01T00:00:00.000Z',
    })
  })

  it('are found by their name, the id of the job, or its name, the latest first', async () => {
    const names = [
      'liver-2-aaaaaaaaaaaa-1',
      'liver-bbbbbbbbbbbb-2',
      'liver-bbbbbbbbbbbb-1',
      'kidney-cccccccccccc-1',
    ]
    for (const name of names) has(name)
    const listed = names.map((name) => ({
      executionArn: execution(name),
      stateMachineArn: stateMachine,
      name,
      status: 'RUNNING' as const,
      startDate: new Date(0),
    }))
    states
      .on(ListExecutionsCommand)
      .callsFake(({ nextToken }: { nextToken?: string }) =>
        nextToken === undefined
          ? { executions: listed.slice(0, 2), nextToken: 'more' }
          : { executions: listed.slice(2) },
      )
    const found = async (job: string) => (await executions.find(job))?.name
    await expect(found('kidney-cccccccccccc-1')).resolves.toBe('kidney-cccccccccccc-1')
    await expect(found('liver-bbbbbbbbbbbb')).resolves.toBe('liver-bbbbbbbbbbbb-2')
    await expect(found('liver')).resolves.toBe('liver-bbbbbbbbbbbb-2')
    await expect(found('kidney')).resolves.toBe('kidney-cccccccccccc-1')
    await expect(found('live')).resolves.toBeUndefined()
  })

  it('tell the state that was entered last', async () => {
    states.on(GetExecutionHistoryCommand).resolves({
      events: [
        { id: 3, timestamp: new Date(0), type: 'TaskSubmitted' },
        {
          id: 2,
          timestamp: new Date(0),
          type: 'TaskStateEntered',
          stateEnteredEventDetails: { name: 'Prepare' },
        },
        {
          id: 1,
          timestamp: new Date(0),
          type: 'TaskStateEntered',
          stateEnteredEventDetails: { name: 'PlanCompute' },
        },
      ],
    })
    await expect(executions.currentState('x')).resolves.toBe('Prepare')
    expect(states.commandCalls(GetExecutionHistoryCommand)[0]!.args[0].input).toMatchObject({
      reverseOrder: true,
      includeExecutionData: false,
    })
    states.on(GetExecutionHistoryCommand).rejects(absent)
    await expect(executions.currentState('x')).resolves.toBeUndefined()
  })

  it.each([
    ['AccessDeniedException', 'StoreFailure', 'ACCESS_DENIED'],
    ['StateMachineDoesNotExist', 'StoreFailure', 'STATE_MACHINE_MISSING'],
    ['ThrottlingException', 'StoreUnavailable', 'EXECUTIONS_UNREACHABLE'],
  ])('fail with %s as %s %s', async (name, errorName, code) => {
    states.on(StartExecutionCommand).rejects(Object.assign(new Error('no'), { name }))
    await expect(executions.start(start)).rejects.toMatchObject({
      name: errorName,
      code,
      place: stateMachine,
    })
  })
})
