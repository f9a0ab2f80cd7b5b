/**
 * A bucket that holds users' data: encrypted under the stack's key, TLS only, versioned, closed to the public, with what it is left with
 * cleaned up. It tells EventBridge of uploads by a property of the bucket itself; the L2 switch would bring a custom resource that may
 * change the notifications of every bucket in the account.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type CfnBucket,
  type IBucket,
  type LifecycleRule,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'

export interface StoreBucketProps {
  key: IKey
  /** gets the access logs, under the bucket's name */
  accessLogs: IBucket
  removal: 'retain' | 'destroy'
  /** days after which objects are removed; undefined: never */
  expireDays?: number | undefined
  /** uploads are told to EventBridge */
  announces?: boolean
}

/** Old content of a key, and the parts of uploads that were given up. */
const noncurrentDays = 30
const incompleteDays = 2

export function storeBucket(scope: Construct, id: string, props: StoreBucketProps): IBucket {
  const { key, accessLogs, removal, expireDays, announces = false } = props
  const rule: LifecycleRule = {
    id: 'CleanUp',
    abortIncompleteMultipartUploadAfter: Duration.days(incompleteDays),
    noncurrentVersionExpiration: Duration.days(noncurrentDays),
    ...(expireDays === undefined
      ? { expiredObjectDeleteMarker: true }
      : { expiration: Duration.days(expireDays) }),
  }
  const bucket = new Bucket(scope, id, {
    encryption: BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    serverAccessLogsBucket: accessLogs,
    serverAccessLogsPrefix: `${id.toLowerCase()}/`,
    lifecycleRules: [rule],
    removalPolicy: removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  })
  refuseOtherKeys(bucket, key)
  if (announces) {
    const resource = bucket.node.defaultChild as CfnBucket
    resource.notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } }
  }
  return bucket as IBucket // its class and its interface differ in one optional property
}

/** An upload may leave the encryption to the bucket, or name the stack's key; anything else would escape the key's policy. */
function refuseOtherKeys(bucket: Bucket, key: IKey): void {
  const deny = (sid: string, conditions: Record<string, Record<string, string>>) =>
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects('*')],
        conditions,
      }),
    )
  deny('RefuseOtherEncryption', { StringEquals: { 's3:x-amz-server-side-encryption': 'AES256' } })
  // a condition that denies is true for a header that is not there: both are needed
  const header = 's3:x-amz-server-side-encryption-aws-kms-key-id'
  deny('RefuseOtherKey', { Null: { [header]: 'false' }, StringNotEquals: { [header]: key.keyArn } })
}
