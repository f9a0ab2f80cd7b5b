/**
 * Policy statements from the table of access: S3 by bucket and prefix, only the actions that the object store sends, and the key only
 * through S3. A bucket's own policy is left alone, so that roles of another stack make no circle between the stacks.
 */
import { Stack } from 'aws-cdk-lib'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import type { Access, StoreName } from '../access.ts'

export interface Storage {
  key: IKey
  buckets: Record<StoreName, IBucket>
}

const reading = ['s3:GetObject', 's3:GetObjectVersion']
const writing = [...reading, 's3:PutObject', 's3:AbortMultipartUpload']

export function storeGrants(access: Access, { key, buckets }: Storage): PolicyStatement[] {
  const statements: PolicyStatement[] = []
  const grant = (actions: string[], resources: string[]) => {
    if (resources.length > 0) statements.push(new PolicyStatement({ actions, resources }))
  }
  const entries = Object.entries(access) as [StoreName, NonNullable<Access[StoreName]>][]
  for (const [name, { read = [], write = [], remove = [] }] of entries) {
    const objects = (prefixes: readonly string[]) =>
      prefixes.map((prefix) => buckets[name].arnForObjects(prefix))
    grant(['s3:ListBucket'], [buckets[name].bucketArn])
    grant(reading, objects(read))
    grant(writing, objects(write))
    grant(['s3:DeleteObject'], objects(remove))
  }
  const isWriter = entries.some(([, { write }]) => write !== undefined)
  statements.push(
    new PolicyStatement({
      actions: isWriter ? ['kms:Decrypt', 'kms:GenerateDataKey'] : ['kms:Decrypt'],
      resources: [key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `s3.${Stack.of(key).region}.amazonaws.com` } },
    }),
  )
  return statements
}
