import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { flat, resources, type Statement, synthesise } from '../support/stacks.ts'

const { storage, celldrop } = synthesise()
const stores = ['Inbox', 'Work', 'Models', 'References', 'Outbox']
const buckets = resources(storage, 'AWS::S3::Bucket')
const bucket = (name: string) => buckets.find(([id]) => id.startsWith(name))![1].Properties

function policyOf(name: string): Statement[] {
  const policies = resources(storage, 'AWS::S3::BucketPolicy').map(([, { Properties }]) => Properties)
  const found = policies.find(({ Bucket }) => flat(Bucket).startsWith(`<${name}`))
  return (found!.PolicyDocument as { Statement: Statement[] }).Statement
}

describe('the buckets', () => {
  it('are the five stores and one for access logs', () => {
    expect(buckets.length).toBe(6)
  })

  it.each(stores)('%s is encrypted under the key of the stack, with a bucket key', (name) => {
    const [rule] = (
      bucket(name).BucketEncryption as { ServerSideEncryptionConfiguration: Record<string, unknown>[] }
    ).ServerSideEncryptionConfiguration
    expect(rule).toMatchObject({
      BucketKeyEnabled: true,
      ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' },
    })
    expect(JSON.stringify(rule)).toContain('"Key')
  })

  it.each([...stores, 'AccessLogs'])(
    '%s refuses plain HTTP, TLS below 1.2, the public and foreign owners',
    (name) => {
      const denied = policyOf(name).filter(({ Effect }) => Effect === 'Deny')
      expect(denied).toContainEqual(
        expect.objectContaining({ Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      )
      expect(denied.some(({ Condition }) => Condition?.NumericLessThan?.['s3:TlsVersion'] === 1.2)).toBe(true)
      expect(bucket(name).PublicAccessBlockConfiguration).toEqual({
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      })
      expect(bucket(name).OwnershipControls).toEqual({ Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] })
    },
  )

  it.each(stores)(
    '%s keeps versions, logs access, and clears old versions and abandoned uploads away',
    (name) => {
      expect(bucket(name).VersioningConfiguration).toEqual({ Status: 'Enabled' })
      expect(bucket(name).LoggingConfiguration).toMatchObject({ LogFilePrefix: `${name.toLowerCase()}/` })
      const { Rules } = bucket(name).LifecycleConfiguration as { Rules: Record<string, unknown>[] }
      expect(Rules[0]).toMatchObject({
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
        NoncurrentVersionExpiration: { NoncurrentDays: 30 },
        Status: 'Enabled',
      })
    },
  )

  it.each(stores)('%s refuses uploads under another key', (name) => {
    const statements = policyOf(name)
    const header = 's3:x-amz-server-side-encryption-aws-kms-key-id'
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Action: 's3:PutObject',
        Condition: { Null: { [header]: 'false' }, StringNotEquals: { [header]: expect.anything() } },
      }),
    )
    expect(statements).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Condition: { StringEquals: { 's3:x-amz-server-side-encryption': 'AES256' } },
      }),
    )
  })

  it('are kept when the stack is removed, with their key', () => {
    for (const [, resource] of [...buckets, ...resources(storage, 'AWS::KMS::Key')])
      expect(resource.DeletionPolicy).toBe('Retain')
  })

  it('forget what steps hand on after a month, and nothing else', () => {
    const expiry = (name: string) =>
      (bucket(name).LifecycleConfiguration as { Rules: { ExpirationInDays?: number }[] }).Rules[0]!
        .ExpirationInDays
    expect(stores.map(expiry)).toEqual([undefined, 30, undefined, undefined, undefined])
  })

  it('tell EventBridge of uploads to the inbox alone, without a custom resource', () => {
    const telling = buckets.filter(([, { Properties }]) => Properties.NotificationConfiguration !== undefined)
    expect(telling.map(([name]) => name.replace(/[0-9A-F]{8}$/, ''))).toEqual(['Inbox'])
    expect(telling[0]![1].Properties.NotificationConfiguration).toEqual({
      EventBridgeConfiguration: { EventBridgeEnabled: true },
    })
    expect(resources(storage).filter(([, { Type }]) => /^Custom::|Lambda/.test(Type))).toEqual([])
  })
})

describe('the key', () => {
  it('turns every year', () => {
    storage.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true })
  })

  it('is for the account, and for services that publish notifications of this account', () => {
    storage.hasResourceProperties('AWS::KMS::Key', {
      KeyPolicy: {
        Statement: [
          Match.objectLike({ Effect: 'Allow', Action: 'kms:*' }),
          Match.objectLike({
            Sid: 'ServicesNotify',
            Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
            Principal: { Service: ['budgets.amazonaws.com', 'cloudwatch.amazonaws.com'] },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
          Match.objectLike({ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' } }),
        ],
      },
    })
  })
})

it('exports each store and the key, whoever uses them, and cannot be removed while they are used', () => {
  const exports = Object.keys(storage.toJSON().Outputs as object).filter((name) =>
    name.startsWith('ExportsOutput'),
  )
  for (const name of stores) expect(exports.filter((one) => one.includes(name)).length).toBe(2)
  expect(exports.length).toBe(11)
  const template = JSON.stringify(celldrop.toJSON())
  expect(template).toContain('Fn::ImportValue')
  expect(template).not.toContain('Fn::GetStackOutput')
})

describe('choices', () => {
  it('let uploads and results expire, and an installation on trial be removed', () => {
    const trial = synthesise({ inboxDays: 30, outboxDays: 90, removal: 'destroy' }).storage
    const policies = resources(trial, 'AWS::S3::Bucket').map(([, { DeletionPolicy }]) => DeletionPolicy)
    expect(new Set(policies)).toEqual(new Set(['Delete']))
    trial.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 90 })] },
      LoggingConfiguration: Match.objectLike({ LogFilePrefix: 'outbox/' }),
    })
  })
})
