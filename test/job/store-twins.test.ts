/**
 * Law: whatever is done in whatever order, the folder and S3's double give equal answers, but for what the folder says it cannot hold.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isCoded } from '../../lib/job/errors.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import type { ObjectInfo, ObjectStore, Pin } from '../../lib/job/store.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { collectList } from '../support/store-laws.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let double: S3Double
beforeAll(async () => {
  double = await startS3Double()
})
afterAll(() => double[Symbol.asyncDispose]())

const keys = ['a', 'a/b', 'a/b/c', 'a-b', 'a0', 'é/𝛼', 'é/ﬀ', 'B', '../a']
const key = fc.constantFrom(...keys)
/** Sizes differ from write to write: content of one size and one clock tick is the folder's stated limit. */
const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('write', 'write-new'), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove'), key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('read', 'read-pinned', 'head'), key }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('range'), key, offset: fc.nat(12), length: fc.nat(12) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('list'), key: fc.constantFrom('', 'a', 'a/', 'é', 'é/𝛼', 'x') }),
  },
)

interface Step {
  kind: string
  key: string
  offset?: number
  length?: number
  content: Uint8Array
}

/** Does a step and tells what came of it in words that do not depend on the store: no etags, no dates, no places. */
async function answer(store: ObjectStore, pins: Map<string, Pin>, step: Step): Promise<unknown> {
  try {
    return await perform(store, pins, step)
  } catch (error) {
    if (isCoded(error)) return `${error.name} ${error.code}`
    throw error
  }
}

async function perform(store: ObjectStore, pins: Map<string, Pin>, step: Step): Promise<unknown> {
  const { key, content, offset = 0, length = 0 } = step
  const pin = pins.get(key) ?? { etag: '"never"' }
  switch (step.kind) {
    case 'write':
      return bare(await store.write(key, content))
    case 'write-new':
      return bare(await store.write(key, content, { onlyIfAbsent: true }))
    case 'remove':
      return store.remove(key)
    case 'read':
      return [...(await store.read(key, { maxBytes: 30 }))]
    case 'read-pinned':
      return [...(await store.read(key, { maxBytes: 1000, pin }))]
    case 'range':
      return [...(await store.readRange(key, { offset, length }, pin))]
    case 'head': {
      const head = await store.head(key)
      if (head) pins.set(key, head)
      return head && bare(head)
    }
    default:
      return (await collectList(store, key)).map(bare)
  }
}

function bare({ key, size }: ObjectInfo) {
  return { key, size }
}

/** A key that the folder refuses must really be in the way of another, as path and folder are. */
async function standsInTheWay(store: ObjectStore, key: string): Promise<boolean> {
  const held = (await collectList(store, '')).map((info) => info.key)
  return held.some((other) => other.startsWith(`${key}/`) || key.startsWith(`${other}/`))
}

test('random operations are answered alike by the folder and by S3', async () => {
  let bucket = 0
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
      await using temporary = await temporaryFolder()
      const name = `bucket-${bucket++}`
      double.addBucket(name)
      const folder = await openFolderStore(temporary.path)
      const s3 = openS3Store({ bucket: name, prefix: 'some prefix', client: double.client() })
      const pins = { folder: new Map<string, Pin>(), s3: new Map<string, Pin>() }
      for (const [index, operation] of operations.entries()) {
        const step = { ...operation, content: new Uint8Array(index * 2).fill(index) }
        const told = await answer(folder, pins.folder, step)
        const refused = told === 'BadInput KEY_UNSUPPORTED' && !step.key.includes('..')
        if (refused) expect(await standsInTheWay(s3, step.key)).toBe(true)
        else expect(told).toEqual(await answer(s3, pins.s3, step))
      }
    }),
    { numRuns: 60 },
  )
})
