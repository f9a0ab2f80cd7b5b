/** Contract: files of Synapse against a double of its two services, and where the token goes. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { chooseCells } from '../../lib/references/choose-cells.ts'
import { findFiles } from '../../lib/references/find-files.ts'
import { parseSource } from '../../lib/references/source.ts'
import { writeReference } from '../../lib/references/write-reference.ts'
import { startWebDouble, type WebDouble } from '../support/web-double.ts'
import { type CellxgeneDouble, datasetParts, genes, startCellxgene } from './cellxgene-double.ts'

let outputs = 0
const token = 'very-secret-token'
const fileKind = 'org.sagebionetworks.repo.model.FileEntity'

describe('a file of Synapse', () => {
  let double: CellxgeneDouble
  let content: WebDouble
  let bytes: Uint8Array
  let entity: Record<string, unknown>
  let handle: Record<string, unknown>
  beforeAll(async () => {
    double = await startCellxgene()
    content = await startWebDouble()
    const path = join(double.folder.path, 'syn.h5ad')
    await writeH5ad(path, datasetParts({ genes: genes(1), cells: [{ type: 'T', counts: [1] }] }))
    bytes = await readFile(path)
  })
  beforeEach(() => {
    content.calls.length = 0
    content.onCall = undefined
    content.files.set('/signed/my.h5ad', { bytes })
    entity = { name: 'my.h5ad', concreteType: fileKind, dataFileHandleId: '77', versionNumber: 3 }
    handle = {
      preSignedURL: `${content.address}/signed/my.h5ad?X-Amz-Signature=hush`,
      fileHandle: { contentMd5: createHash('md5').update(bytes).digest('hex'), contentSize: bytes.length },
    }
    double.web.onCall = (call, response) => {
      const isFile = call.path === '/file/v1/fileHandle/batch' && call.method === 'POST'
      const isEntity = /^\/repo\/v1\/entity\/syn42(\/version\/3)?$/.test(call.path) && call.method === 'GET'
      if (call.headers.authorization !== `Bearer ${token}`) response.writeHead(401).end(`no ${token}`)
      else if (isEntity) response.end(JSON.stringify(entity))
      else if (isFile) response.end(JSON.stringify({ requestedFiles: [handle] }))
      else response.writeHead(404).end()
      return true
    }
  })
  afterAll(async () => {
    await double[Symbol.asyncDispose]()
    await content[Symbol.asyncDispose]()
  })

  const find = (text: string, more: Record<string, string> = { SYNAPSE_AUTH_TOKEN: token }) =>
    findFiles(parseSource(text), { environment: { ...double.environment, ...more } })
  const write = async (text: string) => {
    const found = await find(text)
    const { environment } = double
    const options = { seed: 1, labelColumn: null, resolveHierarchy: 'none', validateLabels: true } as const
    const chosen = await chooseCells(found.files, { ...options, environment })
    const path = join(double.folder.path, `out-${outputs++}.h5ad`)
    return { path, written: await writeReference(path, { ...found, chosen, environment }) }
  }

  it('comes byte for byte from the address that was signed for it, which never sees the token', async () => {
    const found = await find('synapse://syn42.3')
    expect(found.facts).toEqual({
      source: 'synapse://syn42.3',
      kind: 'synapse',
      release: null,
      synapse: { id: 'syn42', version: 3, name: 'my.h5ad' },
    })
    const { path } = await write('synapse://syn42')
    expect((await readFile(path)).equals(Buffer.from(bytes))).toBe(true)
    expect(content.calls.length).toBeGreaterThan(0)
    expect(JSON.stringify(content.calls)).not.toContain(token)
    expect(JSON.stringify([found.facts, found.notices])).not.toMatch(/secret|hush/)
  })

  it('follows where the signed address leads, and does not take the token there', async () => {
    content.files.delete('/signed/my.h5ad')
    content.files.set('/moved/my.h5ad', { bytes })
    content.onCall = ({ path }, response) => {
      if (!path.startsWith('/signed/')) return false
      response.writeHead(302, { location: `${content.address}/moved/my.h5ad` }).end()
      return true
    }
    expect((await write('synapse://syn42')).written.cells).toBe(1)
    expect(JSON.stringify(content.calls)).not.toContain(token)
  })

  it('takes no token along when Synapse itself redirects to another host', async () => {
    double.web.onCall = (_, response) => {
      response.writeHead(302, { location: `${content.address}/steal` }).end()
      return true
    }
    await expect(find('synapse://syn42')).rejects.toMatchObject({ code: expect.any(String) })
    expect(content.calls).toHaveLength(1)
    expect(JSON.stringify(content.calls)).not.toContain(token)
  })

  it.each([
    ['without a token', { SYNAPSE_AUTH_TOKEN: '' }, 'SYNAPSE_TOKEN'],
    ['with a token of two lines', { SYNAPSE_AUTH_TOKEN: 'a\nb' }, 'SYNAPSE_TOKEN'],
    ['with a wrong token', { SYNAPSE_AUTH_TOKEN: 'wrong' }, 'ACCESS_DENIED'],
  ])('is refused %s', async (_, environment, code) => {
    const failure = await find('synapse://syn42', environment).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code })
    expect(JSON.stringify(failure)).not.toContain('secret')
  })

  it.each([
    ['another entity', 'synapse://syn43', {}, {}, 'SOURCE_MISSING'],
    [
      'a folder',
      'synapse://syn42',
      { concreteType: 'org.sagebionetworks.repo.model.Folder' },
      {},
      'SYNAPSE_NOT_A_FILE',
    ],
    ['what may not be read', 'synapse://syn42', {}, { failureCode: 'UNAUTHORIZED' }, 'SYNAPSE_REFUSED'],
    ['what has no content', 'synapse://syn42', {}, { failureCode: 'NOT_FOUND' }, 'SOURCE_MISSING'],
    ['another size', 'synapse://syn42', {}, { fileHandle: { contentSize: 5 } }, 'CONTENT_MISMATCH'],
    ['an answer of another kind', 'synapse://syn42', { name: 7 }, {}, 'READ_FAILED'],
  ])('is refused where it is %s', async (_, text, ofEntity, ofHandle, code) => {
    Object.assign(entity, ofEntity)
    Object.assign(handle, ofHandle)
    await expect(find(text)).rejects.toMatchObject({ code })
  })

  it('is refused, and nothing is left of it, where its MD5 is not the one that is told', async () => {
    handle.fileHandle = { contentMd5: '0'.repeat(32), contentSize: bytes.length }
    await expect(write('synapse://syn42')).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' })
  })
})
