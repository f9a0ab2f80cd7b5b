import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { isJobUpload } from '../../lib/job/uploads.ts'
import { flat, onlyOne, resources, type Statement, synthesise } from '../support/stacks.ts'

const { celldrop } = synthesise({ notificationEmail: 'cells@example.org' })

describe('an upload', () => {
  const rule = resources(celldrop, 'AWS::Events::Rule').find(([id]) => id.startsWith('StarterUploads'))![1]
    .Properties
  const pattern = rule.EventPattern as {
    source: string[]
    'detail-type': string[]
    detail: { bucket: { name: unknown[] }; object: { key: ({ prefix: string } | { wildcard: string })[] } }
  }
  /** As EventBridge matches keys. */
  const matches = (key: string): boolean =>
    pattern.detail.object.key.some((filter) =>
      'prefix' in filter
        ? key.startsWith(filter.prefix)
        : new RegExp(`^${filter.wildcard.split('*').map(escapeText).join('.*')}$`, 's').test(key),
    )

  it('to the inbox alone is looked at', () => {
    expect(pattern.source).toEqual(['aws.s3'])
    expect(pattern['detail-type']).toEqual(['Object Created'])
    expect(pattern.detail.bucket.name.map(flat)).toEqual(['<Inbox>'])
  })

  it.each([
    'annotate/query.h5ad',
    'annotate/a folder/query.H5AD',
    'annotate/x.zarr.zip',
    'jobs/NAME/job.yaml',
    'jobs/NAME/job.yml',
    'jobs/NAME/job.json',
    'jobs/ä b/job.yaml',
  ])('%s that begins a job is not held back', (key) => {
    expect({ begins: isJobUpload(key), matches: matches(key) }).toEqual({ begins: true, matches: true })
  })

  it.each(['jobs/NAME/query.h5ad', 'models/x.h5ad', 'query.h5ad'])('%s starts no function', (key) => {
    expect({ begins: isJobUpload(key), matches: matches(key) }).toEqual({ begins: false, matches: false })
  })

  it('that could not be delivered is kept, after a day of trying', () => {
    const [target] = rule.Targets as Record<string, unknown>[]
    expect(target).toMatchObject({
      RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 },
    })
    expect(flat((target!.DeadLetterConfig as { Arn: unknown }).Arn)).toMatch(/StarterDeadLetters/)
  })

  it('that StartJob could not start is kept too', () => {
    const config = onlyOne(celldrop, 'AWS::Lambda::EventInvokeConfig')
    expect(config).toMatchObject({ MaximumRetryAttempts: 2 })
    expect(JSON.stringify(config.DestinationConfig)).toContain('StarterDeadLetters')
  })

  it('is kept for two weeks, encrypted, over TLS alone', () => {
    celldrop.hasResourceProperties('AWS::SQS::Queue', {
      MessageRetentionPeriod: 1_209_600,
      SqsManagedSseEnabled: true,
    })
    celldrop.hasResourceProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      },
    })
  })
})

describe('notifications', () => {
  it('go through an encrypted topic, over TLS alone, to the address that was given', () => {
    const topic = onlyOne(celldrop, 'AWS::SNS::Topic')
    expect(flat(topic.KmsMasterKeyId)).toBe('<Key.Arn>')
    celldrop.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'cells@example.org',
    })
    expect(resources(synthesise().celldrop, 'AWS::SNS::Subscription')).toEqual([])
  })

  it('may be published by alarms and budgets of this account, and by the rule for blocked queues', () => {
    const policy = onlyOne(celldrop, 'AWS::SNS::TopicPolicy')
    const { Statement } = policy.PolicyDocument as { Statement: (Statement & { Principal: unknown })[] }
    expect(Statement.filter(({ Effect }) => Effect === 'Allow').map(({ Principal }) => Principal)).toEqual([
      { Service: ['budgets.amazonaws.com', 'cloudwatch.amazonaws.com'] },
      { Service: 'events.amazonaws.com' },
    ])
    expect(
      Statement.some(
        ({ Effect, Condition }) => Effect === 'Deny' && Condition?.Bool?.['aws:SecureTransport'] === 'false',
      ),
    ).toBe(true)
  })

  it('tell why a job waits for a machine', () => {
    const [, rule] = resources(celldrop, 'AWS::Events::Rule').find(([id]) => id.includes('BlockedQueues'))!
    expect(rule.Properties.EventPattern).toMatchObject({
      source: ['aws.batch'],
      'detail-type': ['Batch Job Queue Blocked'],
    })
    expect((rule.Properties.EventPattern as { detail: { jobQueue: unknown[] } }).detail.jobQueue.length).toBe(
      4,
    )
  })

  it('are sent for failures, lost uploads and throttling, and not for what users get wrong twice', () => {
    const alarms = resources(celldrop, 'AWS::CloudWatch::Alarm').map(([id, { Properties }]) => {
      expect(Properties.AlarmActions).toHaveLength(1)
      expect(Properties.TreatMissingData).toBe('notBreaching')
      return id.replace(/^Watch|[0-9A-F]{8}$/g, '')
    })
    expect(alarms).toEqual(
      expect.arrayContaining(['ExecutionsFailed', 'ExecutionsTimedOut', 'DeadLetters', 'StartJobErrors']),
    )
    expect(alarms).toContain('InspectInputThrottles')
    expect(alarms).not.toContain('ValidateJobErrors')
  })

  it('are sent when the month becomes more expensive than was said', () => {
    celldrop.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetLimit: { Amount: 200, Unit: 'USD' }, BudgetType: 'COST', TimeUnit: 'MONTHLY' },
      NotificationsWithSubscribers: [
        Match.objectLike({ Notification: Match.objectLike({ NotificationType: 'ACTUAL', Threshold: 80 }) }),
        Match.objectLike({
          Notification: Match.objectLike({ NotificationType: 'FORECASTED', Threshold: 100 }),
        }),
      ],
    })
  })
})

it('shows jobs, functions and lost uploads on one dashboard', () => {
  const dashboard = onlyOne(celldrop, 'AWS::CloudWatch::Dashboard')
  const body = flat(dashboard.DashboardBody)
  for (const part of ['ExecutionsFailed', 'AWS/Lambda', 'ApproximateNumberOfMessagesVisible'])
    expect(body).toContain(part)
})

it('tells what `celldrop submit` needs to know', () => {
  const outputs = celldrop.toJSON().Outputs as Record<string, { Value: unknown }>
  expect(flat(outputs.Inbox?.Value)).toBe('s3://<Inbox>')
  expect(flat(outputs.Outbox?.Value)).toBe('s3://<Outbox>')
  expect(flat(outputs.StateMachine?.Value)).toMatch(/^<PipelineStateMachine/)
})

function escapeText(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
}
