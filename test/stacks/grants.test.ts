import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  access,
  batchStates,
  type FunctionState,
  functionStates,
  sourceReaders,
  synapseReaders,
} from '../../lib/stacks/access.ts'
import { allStates } from '../../lib/stacks/definition.ts'
import {
  flat,
  list,
  onlyOne,
  resources,
  root,
  type Statement,
  statementsOf,
  synthesise,
} from '../support/stacks.ts'

const { celldrop } = synthesise()
const definition = readFileSync(join(root, 'statemachines/pipeline.asl.json'), 'utf8')
const machine = onlyOne(celldrop, 'AWS::StepFunctions::StateMachine')
const substitutions = Object.fromEntries(
  Object.entries(machine.DefinitionSubstitutions as Record<string, unknown>).map(([k, v]) => [k, flat(v)]),
)

/** [action, resource] pairs, sorted. */
function pairs(statements: Statement[]): string[] {
  return statements
    .flatMap(({ Action, Resource }) =>
      list(Action).flatMap((action) => list(Resource).map((resource) => `${action} ${flat(resource)}`)),
    )
    .sort()
}

describe('the state machine', () => {
  it('is the file of the repository, byte for byte', () => {
    expect(machine.DefinitionString).toBe(definition)
  })

  it('has every name of its definition filled in, and no other', () => {
    const named = [...definition.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name)
    expect(Object.keys(substitutions).sort()).toEqual([...new Set(named)].sort())
  })

  it('is granted what it calls and nothing else', () => {
    const arn = (rest: string) => `arn:<AWS::Partition>:${rest}`
    const here = '<AWS::Region>:<AWS::AccountId>'
    const called: string[] = []
    const jobs = arn(`batch:${here}:job/*`)
    for (const [name, { Resource, Parameters = {} }] of allStates(definition)) {
      const target = (key: string) => substitutions[String(Parameters[key]).slice(2, -1)]!
      if (Resource?.includes(':lambda:invoke')) called.push(`lambda:InvokeFunction ${target('FunctionName')}`)
      if (Resource?.includes(':sns:publish')) called.push(`sns:Publish ${target('TopicArn')}`)
      if (!Resource?.includes(':batch:submitJob.sync')) continue
      const revisions = [arn(`batch:${here}:job-definition/Celldrop-${name}`)]
      revisions.push(`${revisions[0]}:*`)
      for (const revision of revisions)
        called.push(`batch:SubmitJob ${revision}`, `batch:TagResource ${revision}`)
      expect(jobDefinitionName(target('JobDefinition'))).toBe(`Celldrop-${name}`)
    }
    for (const [queue] of resources(celldrop, 'AWS::Batch::JobQueue'))
      called.push(`batch:SubmitJob <${queue}.JobQueueArn>`)
    called.push(`batch:TagResource ${jobs}`, `batch:TerminateJob ${jobs}`, 'batch:DescribeJobs *')
    const rule = arn(`events:${here}:rule/StepFunctionsGetEventsForBatchJobsRule`)
    for (const action of ['PutTargets', 'PutRule', 'DescribeRule']) called.push(`events:${action} ${rule}`)
    for (const action of ['Decrypt', 'GenerateDataKey']) called.push(`kms:${action} <Key.Arn>`)
    const granted = pairs(statementsOf(celldrop, 'PipelineRole'))
    const own = granted.filter((pair) => !/^(?:logs|xray):\S+ \*$/.test(pair))
    expect(own).toEqual([...new Set(called)].sort())
  })

  it('knows no resource of another service', () => {
    const services = [...allStates(definition).values()]
      .map(({ Resource }) => Resource)
      .filter((r) => r !== undefined)
    expect([...new Set(services)].sort()).toEqual([
      'arn:aws:states:::batch:submitJob.sync',
      'arn:aws:states:::lambda:invoke',
      'arn:aws:states:::sns:publish',
    ])
  })

  function jobDefinitionName(reference: string): unknown {
    const [, { Properties }] = resources(celldrop, 'AWS::Batch::JobDefinition').find(
      ([id]) => `<${id}>` === reference,
    )!
    return Properties.JobDefinitionName
  }
})

describe('the role of', () => {
  it.each([...functionStates, ...batchStates])(
    '%s may reach the stores as the table says, and nothing else',
    (state) => {
      const granted = pairs(statementsOf(celldrop, `${state}Role`)).filter((pair) =>
        /^(?:s3|kms):/.test(pair),
      )
      const expected: string[] = []
      let isWriter = false
      for (const [name, { read = [], write = [], remove = [] }] of Object.entries(access[state])) {
        const bucket = `<${name[0]!.toUpperCase()}${name.slice(1)}.Arn>`
        expected.push(`s3:ListBucket ${bucket}`)
        for (const prefix of [...read, ...write])
          expected.push(`s3:GetObject ${bucket}/${prefix}`, `s3:GetObjectVersion ${bucket}/${prefix}`)
        for (const prefix of write)
          expected.push(`s3:PutObject ${bucket}/${prefix}`, `s3:AbortMultipartUpload ${bucket}/${prefix}`)
        for (const prefix of remove) expected.push(`s3:DeleteObject ${bucket}/${prefix}`)
        isWriter ||= write.length > 0
      }
      expected.push(`kms:Decrypt <Key.Arn>`)
      if (isWriter) expected.push(`kms:GenerateDataKey <Key.Arn>`)
      expect(granted).toEqual(expected.sort())
    },
  )

  it.each(functionStates)(
    '%s may do nothing besides but write its own log and its trace',
    (state: FunctionState) => {
      const others = pairs(statementsOf(celldrop, `${state}Role`)).filter(
        (pair) => !/^(?:s3|kms):/.test(pair),
      )
      const [log] = resources(celldrop, 'AWS::Logs::LogGroup').find(([id]) => id.startsWith(`${state}Logs`))!
      expect(others).toEqual([
        `logs:CreateLogStream <${log}.Arn>`,
        `logs:PutLogEvents <${log}.Arn>`,
        'xray:PutTelemetryRecords *',
        'xray:PutTraceSegments *',
      ])
    },
  )

  it.each(batchStates)('%s may do nothing besides', (state) => {
    expect(
      pairs(statementsOf(celldrop, `${state}Role`)).filter((pair) => !/^(?:s3|kms):/.test(pair)),
    ).toEqual([])
  })

  it('StartJob may start executions, and reaches no store', () => {
    const granted = pairs(statementsOf(celldrop, 'StarterStartJobRole')).filter(
      (pair) => !/^(?:logs|xray):/.test(pair),
    )
    expect(granted).toEqual([
      expect.stringMatching(/^sqs:GetQueueAttributes <StarterDeadLetters/),
      expect.stringMatching(/^sqs:GetQueueUrl <StarterDeadLetters/),
      expect.stringMatching(/^sqs:SendMessage <StarterDeadLetters/),
      expect.stringMatching(/^states:StartExecution <PipelineStateMachine/),
    ])
  })
})

describe('with sources of inputs,', () => {
  const sources = ['s3://atlas/refs/blood/', 's3://whole', 'gs://cells', 'https://example.org/a/']
  const wider = synthesise({ sources }).celldrop
  const arn = (rest: string) => `arn:<AWS::Partition>:s3:::${rest}`

  it.each([...functionStates, ...batchStates])(
    '%s may read there if it opens inputs, and nothing else',
    (state) => {
      const before = pairs(statementsOf(celldrop, `${state}Role`))
      const added = pairs(statementsOf(wider, `${state}Role`)).filter((pair) => !before.includes(pair))
      if (!sourceReaders.has(state)) return expect(added).toEqual([])
      const objects = ['atlas/refs/blood', 'atlas/refs/blood/*', 'whole/*'].map(arn)
      expect(added).toEqual(
        [
          ...['s3:GetObject', 's3:GetObjectVersion'].flatMap((action) =>
            objects.map((one) => `${action} ${one}`),
          ),
          ...['atlas', 'whole'].map((bucket) => `s3:ListBucket ${arn(bucket)}`),
        ].sort(),
      )
    },
  )

  it.each([...sourceReaders])('%s may list no more of a bucket than the prefix', (state) => {
    const listing = (bucket: string) =>
      statementsOf(wider, `${state}Role`).filter(
        ({ Action, Resource }) =>
          list(Action).includes('s3:ListBucket') && list(Resource).some((one) => flat(one) === arn(bucket)),
      )
    expect(listing('atlas')).toEqual([
      expect.objectContaining({
        Action: 's3:ListBucket',
        Condition: { StringLike: { 's3:prefix': ['refs/blood', 'refs/blood/*'] } },
      }),
    ])
    expect(listing('whole').map(({ Condition }) => Condition)).toEqual([undefined])
  })
})

describe('with a token of Synapse,', () => {
  const name = 'celldrop/synapse'
  const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:synapse-AbCdEf'
  const bare = arn.replace(/-AbCdEf$/, '')

  it.each([
    ['a name', name, new RegExp(`:secret:${name}-\\?{6}$`)],
    ['an ARN', arn, new RegExp(`^${arn}$`)],
    ['an ARN without its last six characters', bare, new RegExp(`^${bare}-\\?{6}$`)],
  ])(
    'by %s, Prepare and Publish alone are handed it, and only the role that starts them may read it',
    (_, synapseSecret, resource) => {
      const template = synthesise({ synapseSecret }).celldrop
      const jobs = resources(template, 'AWS::Batch::JobDefinition').map(([, { Properties }]) => ({
        name: String(Properties.JobDefinitionName).replace('Celldrop-', ''),
        ...(Properties.ContainerProperties as {
          Secrets?: { Name: string; ValueFrom: unknown }[]
          ExecutionRoleArn: unknown
        }),
      }))
      const handed = jobs.filter(({ Secrets = [] }) => Secrets.length > 0)
      expect(handed.map((job) => job.name).sort()).toEqual([...synapseReaders].sort())
      for (const { Secrets, ExecutionRoleArn } of handed) {
        expect(Secrets!.map((secret) => secret.Name)).toEqual(['SYNAPSE_AUTH_TOKEN'])
        expect(flat(ExecutionRoleArn)).toMatch(/^<SynapseExecutionRole/)
      }
      for (const { ExecutionRoleArn, Secrets } of jobs)
        expect(/Synapse/.test(flat(ExecutionRoleArn))).toBe(Secrets !== undefined && Secrets.length > 0)
      const readers = resources(template)
        .filter(([, { Properties }]) =>
          JSON.stringify(Properties ?? {}).includes('secretsmanager:GetSecretValue'),
        )
        .map(([id]) => id)
      expect(readers).toEqual([expect.stringMatching(/^SynapseExecutionRoleDefaultPolicy/)])
      const granted = statementsOf(template, 'SynapseExecutionRole').filter(({ Action }) =>
        list(Action).some((action) => /^secretsmanager:/.test(String(action))),
      )
      for (const { Resource } of granted) expect(flat(Resource)).toMatch(resource)
      expect(granted.length).toBe(1)
    },
  )
})

describe('no policy', () => {
  const all = resources(celldrop).flatMap(([id, { Type, Properties }]) => {
    if (Type === 'AWS::IAM::Policy' || Type === 'AWS::IAM::ManagedPolicy')
      return [{ id, statements: (Properties.PolicyDocument as { Statement: Statement[] }).Statement }]
    if (Type !== 'AWS::IAM::Role') return []
    const inline = (Properties.Policies ?? []) as { PolicyDocument: { Statement: Statement[] } }[]
    return inline.map(({ PolicyDocument }) => ({ id, statements: PolicyDocument.Statement }))
  })

  it('grants an action by a wildcard', () => {
    expect(all.length).toBeGreaterThan(20)
    const wild = all.flatMap(({ id, statements }) =>
      pairs(statements)
        .filter((pair) => /^\S*\*/.test(pair))
        .map((pair) => `${id}: ${pair}`),
    )
    expect(wild).toEqual([])
  })

  it('uses the key but through S3 and SNS', () => {
    const uses = all
      .flatMap(({ statements }) => statements)
      .filter(({ Action }) => list(Action).some((a) => /^kms:/.test(String(a))))
    expect(uses.length).toBeGreaterThan(10)
    for (const { Condition } of uses)
      expect(flat(Condition?.StringEquals?.['kms:ViaService'])).toMatch(
        /^(?:s3|sns)\.<AWS::Region>\.amazonaws\.com$/,
      )
  })
})

it('gives each function and each job a role of its own, and machines and image pulls others', () => {
  const used = [
    ...resources(celldrop, 'AWS::Lambda::Function').map(([, { Properties }]) => flat(Properties.Role)),
    ...resources(celldrop, 'AWS::Batch::JobDefinition').map(([, { Properties }]) =>
      flat((Properties.ContainerProperties as { JobRoleArn: unknown }).JobRoleArn),
    ),
    flat(machine.RoleArn),
  ]
  expect(new Set(used).size).toBe(used.length)
  expect(used.length).toBe(functionStates.length + 1 + batchStates.length + 1)
  const shared = resources(celldrop, 'AWS::Batch::JobDefinition').map(([, { Properties }]) =>
    flat((Properties.ContainerProperties as { ExecutionRoleArn: unknown }).ExecutionRoleArn),
  )
  expect(new Set(shared).size).toBe(1)
  expect(used).not.toContain(shared[0])
})
