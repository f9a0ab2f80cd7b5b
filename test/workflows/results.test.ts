/** Law: what Publish makes on its disk is stored whole and gone before the next is made, whoever was first to store it. */
import { readdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { onceByFile } from '../../lib/workflows/parts/results.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'

let lab: Installation
let scratch: string
beforeAll(async () => {
  lab = await makeInstallation()
  scratch = join(lab.folder.path, 'scratch')
  await mkdir(scratch)
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

const context = () => ({
  job: { jobId: 'x', attempt: 1, created: '', output: 'jobs/x/', name: 'x' },
  stores: lab.stores,
  scratch,
})
const stored = (name: string) => readFile(join(lab.folder.path, 'outbox/jobs/x', name), 'utf8')

it('is stored under its name, and nothing is left of it in scratch', async () => {
  for (const name of ['first.h5ad', 'second.h5ad']) {
    await onceByFile(context(), name, async (path) => {
      expect(readdirSync(scratch)).toEqual([])
      await writeFile(path, name)
    })
    expect(readdirSync(scratch)).toEqual([])
    expect(await stored(name)).toBe(name)
  }
})

it('is not made again where it is stored, and takes no room where another run was quicker', async () => {
  await onceByFile(context(), 'first.h5ad', () => Promise.reject(new Error('it was made again')))
  await onceByFile(context(), 'third.h5ad', async (path) => {
    await writeFile(path, 'mine')
    await lab.stores.outbox.write('jobs/x/third.h5ad', new TextEncoder().encode('theirs'))
  })
  expect(await stored('third.h5ad')).toBe('theirs')
  expect(readdirSync(scratch)).toEqual([])
})
