import { startSwift } from '/work/main/test/peers/swift.ts'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { execSync } from 'node:child_process'
const s = await startSwift()
try { await s.client().send(new CreateBucketCommand({Bucket:'laws-1'})); console.log('ok') } catch (e) { console.log(String(e)) }
console.log(execSync('tail -n 30 /tmp/celldrop-test-*/*.log').toString())
await s[Symbol.asyncDispose]()
