/**
 * What outlives a deployment: the five buckets and the key that everything is encrypted under. A stack of its own, so that the machines can
 * be torn down and set up again around the same data.
 */
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { StoreName } from './access.ts'
import { storeBucket } from './constructs/store-bucket.ts'
import type { CelldropProps } from './props.ts'

const accessLogDays = 90

export class StorageStack extends Stack {
  readonly key: Key
  readonly buckets: Record<StoreName, IBucket>

  constructor(scope: Construct, id: string, props: CelldropProps) {
    super(scope, id, {
      description: 'Celldrop: uploads, models, references, what steps hand on, results, and their key',
    })
    const { removal, inboxDays, workDays, outboxDays } = props
    const removalPolicy = removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    this.key = new Key(this, 'Key', {
      description: 'Celldrop: data at rest',
      enableKeyRotation: true,
      pendingWindow: Duration.days(30),
      removalPolicy,
    })
    this.letServicesNotify()
    const accessLogs = new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      versioned: false,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ id: 'CleanUp', expiration: Duration.days(accessLogDays) }],
      removalPolicy,
    })
    const bucket = (name: string, options: { expireDays?: number | undefined; announces?: boolean }) =>
      storeBucket(this, name, { key: this.key, accessLogs: accessLogs as IBucket, removal, ...options })
    this.buckets = {
      inbox: bucket('Inbox', { expireDays: inboxDays, announces: true }),
      work: bucket('Work', { expireDays: workDays }),
      models: bucket('Models', {}),
      references: bucket('References', {}),
      outbox: bucket('Outbox', { expireDays: outboxDays }),
    }
    // an export that only appears while something uses it could not be given up again by an update of both stacks
    this.exportValue(this.key.keyArn)
    for (const { bucketArn, bucketName } of Object.values(this.buckets)) {
      this.exportValue(bucketArn)
      this.exportValue(bucketName)
    }
  }

  /** The topic for notifications is encrypted under this key too, so who publishes to it must be able to use it; CDK adds EventBridge. */
  private letServicesNotify(): void {
    this.key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'ServicesNotify',
        principals: ['cloudwatch', 'budgets'].map((name) => new ServicePrincipal(`${name}.amazonaws.com`)),
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: ['*'], // in a key's own policy: this key
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    )
  }
}
