/**
 * Twin: the S3 store obeys the laws of stores over a server that others wrote. Swift's S3 interface knows no conditional writes.
 */
import { randomUUID } from 'node:crypto'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { test } from 'vitest'
import { openS3Store } from '../../lib/job/s3-store.ts'
import { storeLaws } from '../support/store-laws.ts'
import { missingProgram, startSwift } from './swift.ts'

const missing = await missingProgram()

if (missing === undefined) {
  const open = async () => {
    const swift = await startSwift()
    const bucket = `laws-${randomUUID()}`
    const client = swift.client()
    const dispose = () => swift[Symbol.asyncDispose]()
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }))
    } catch (error) {
      await dispose()
      throw error
    }
    return { store: openS3Store({ bucket, prefix: 'some prefix', client }), dispose }
  }
  storeLaws('the S3 store over OpenStack Swift', open, { lacks: 'conditional writes' })
} else {
  test('the S3 store obeys the laws over OpenStack Swift', ({ skip }) => {
    const packages = 'swift-proxy swift-account swift-container swift-object memcached'
    const reason = `${missing} is not installed (Debian packages ${packages})`
    console.warn(`skipped: ${reason}`)
    skip(reason)
  })
}
