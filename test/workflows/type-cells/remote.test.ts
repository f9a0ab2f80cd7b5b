/** Twin: a reference on a web server is learnt from like the same file on disk, also where the server knows no ranges; no file is fetched twice. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeH5ad } from '../../../lib/data/write-h5ad.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { referenceFile, simulateStudy, studyFile } from '../../support/simulated-studies.ts'
import { type TemporaryFolder, temporaryFolder } from '../../support/temporary-folder.ts'
import { learntCells, typed, uploadTyping } from '../../support/type-cells-run.ts'
import { walk } from '../../support/walk.ts'

let folder: TemporaryFolder
let bytes: Buffer
let whole = 0
let hasRanges = true

/** `bytes` under any name but /none.h5ad, with ranges or without. */
const server = createServer((request, response) => {
  if (request.url === '/none.h5ad') return response.writeHead(404).end()
  const [, from, to] = (hasRanges && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')) || []
  response.setHeader('ETag', '"reference-1"')
  if (from === undefined) {
    if (request.method === 'GET') whole++
    return response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes)
  }
  const last = Math.min(bytes.length - 1, to === '' ? Number.POSITIVE_INFINITY : Number(to))
  const part = bytes.subarray(Number(from), last + 1)
  response.writeHead(206, {
    'Content-Range': `bytes ${from}-${last}/${bytes.length}`,
    'Content-Length': part.length,
  })
  return response.end(part)
})

const query = studyFile(simulateStudy(3, 40).counts)
const reference = referenceFile(simulateStudy(1, 150))

beforeAll(async () => {
  folder = await temporaryFolder()
  const path = join(folder.path, 'reference.h5ad')
  await writeH5ad(path, reference)
  bytes = await readFile(path)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  server.close()
  await folder[Symbol.asyncDispose]()
})

const address = (name: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`
const remote = (name: string) => ({ references: [address(name)], label_columns: ['cell_type'] })

async function laptop(): Promise<Installation> {
  const cache = join(folder.path, `cache-${Math.round(whole)}-${hasRanges}`)
  return makeInstallation({ CELLDROP_LOCAL_FILES: '1', CELLDROP_CACHE: cache })
}

describe('a reference on a web server', () => {
  it.each([true, false])('is learnt from like one on disk (ranges: %s)', async (ranges) => {
    hasRanges = ranges
    const lab = await laptop()
    try {
      const here = await learntCells(lab, { 'q.h5ad': query, 'ref-1.h5ad': reference })
      whole = 0
      const there = await learntCells(lab, { 'q.h5ad': query }, remote('a.h5ad?signature=secret'))
      expect(there.cells).toEqual(here.cells)
      expect(JSON.stringify(there.notices)).not.toMatch(/secret|celldrop-[A-Za-z0-9]{6}\//)
      const first = whole
      await learntCells(lab, { 'q.h5ad': query }, { ...remote('a.h5ad?signature=secret'), seed: 1 })
      // a server without ranges begins to send all of it to whoever asks for the size
      if (ranges) expect([first, whole]).toEqual([1, 1])
    } finally {
      await lab.folder[Symbol.asyncDispose]()
    }
  })

  it('names its address and not the copy where a label column is missing or there is no file', async () => {
    hasRanges = false
    const lab = await laptop()
    try {
      const refused = (settings: Record<string, unknown>) =>
        uploadTyping(lab, { 'q.h5ad': query }, settings)
          .then((state) => walk(state, lab.environment, 'InspectInput'))
          .catch((error: unknown) => error)
      const column = await refused({ ...remote('b.h5ad'), label_columns: ['celltype'] })
      expect(column).toMatchObject({
        code: 'LABEL_COLUMN',
        place: expect.stringContaining(address('b.h5ad')),
      })
      const none = await refused(remote('none.h5ad'))
      expect(none).toMatchObject({
        code: 'INPUT_NOT_FOUND',
        place: expect.stringContaining(address('none.h5ad')),
      })
    } finally {
      await lab.folder[Symbol.asyncDispose]()
    }
  })

  it('keeps what opens a signed address out of the results', async () => {
    hasRanges = true
    const lab = await laptop()
    try {
      const made = await typed(lab, { 'q.h5ad': query }, remote('c.h5ad?signature=secret'))
      for (const [name, content] of made.files)
        expect([name, content.includes('secret')]).toEqual([name, false])
      expect(made.predicted).toHaveLength(40)
    } finally {
      await lab.folder[Symbol.asyncDispose]()
    }
  })
})
