/**
 * Rights to read from the buckets that an installation's sources name: objects below the prefix, and listing of that prefix.
 *
 * Trap: who may list part of a bucket is told 403 for an object that is not there; the store then asks by a listing of just that key
 * (lib/job/s3-store.ts), so the prefix itself may be listed too. A bucket of another account has to allow the roles besides.
 */
import { ArnFormat, Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { bucketSources } from '../sources.ts'

export function sourceGrants(scope: Construct, sources: readonly string[]): PolicyStatement[] {
  const arn = (bucket: string, key?: string) =>
    Stack.of(scope).formatArn({
      ...{ service: 's3', region: '', account: '' },
      ...(key === undefined
        ? { resource: bucket, arnFormat: ArnFormat.NO_RESOURCE_NAME }
        : { resource: bucket, resourceName: key }),
    })
  return bucketSources(sources).flatMap(({ bucket, prefix }) => {
    const below = prefix === '' ? ['*'] : [prefix, `${prefix}/*`]
    return [
      new PolicyStatement({
        actions: ['s3:GetObject', 's3:GetObjectVersion'],
        resources: below.map((key) => arn(bucket, key)),
      }),
      new PolicyStatement({
        actions: ['s3:ListBucket'],
        resources: [arn(bucket)],
        ...(prefix !== '' && { conditions: { StringLike: { 's3:prefix': below } } }),
      }),
    ]
  })
}
