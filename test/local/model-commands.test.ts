/** Contract: models come in from a file, a folder or the web, with their terms, and go out as CellTypist reads them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import type { Invocation } from '../../lib/local/command.ts'
import { exportModelCommand, importModelCommand, modelsCommand } from '../../lib/local/model-commands.ts'
import { loadModel } from '../../lib/models/bundle.ts'
import { exportCelltypist } from '../../lib/models/celltypist-export.ts'
import { type Installation, makeInstallation, saveToyModel } from '../support/installation.ts'

let lab: Installation
let pickle: Uint8Array
let server: Server
let address: string

beforeAll(async () => {
  lab = await makeInstallation()
  await saveToyModel(lab.stores)
  pickle = exportCelltypist(await loadModel(lab.stores.models, 'toy'))
  server = createServer((request, response) => {
    if (request.url === '/toy.pkl?token=secret') return response.end(pickle)
    if (request.url === '/cut.pkl') {
      response.writeHead(200, { 'content-length': pickle.length })
      response.write(pickle.subarray(0, 100), () => response.destroy())
      return response
    }
    if (request.url === '/page.pkl') return response.end('<html>please sign in</html>')
    response.writeHead(request.url === '/busy.pkl' ? 503 : 404)
    return response.end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  await lab.folder[Symbol.asyncDispose]()
})

function invocation(positionals: string[], flags: Invocation['flags']): Invocation & { printed: string[] } {
  const printed: string[] = []
  return {
    positionals,
    flags: { models: join(lab.folder.path, 'imported'), ...flags },
    options: { json: true, open: {} },
    environment: {},
    print: (text) => printed.push(text),
    progress: () => {},
    stderr: { write: () => {} },
    listenForStop: () => new AbortController().signal,
    clock: () => 0,
    printed,
  }
}

async function importAs(name: string, path: string, flags: Invocation['flags'] = {}) {
  await importModelCommand.run(invocation([path], { name, organism: 'Homo sapiens', ...flags }))
  return (await loadModel(await openFolderStore(join(lab.folder.path, 'imported')), name)).card
}

describe('import-model', () => {
  it('takes a file, and gives every label that has one its Cell Ontology term', async () => {
    const path = join(lab.folder.path, 'toy.pkl')
    writeFileSync(path, pickle)
    const card = await importAs('from-file', path, { licence: 'CC0' })
    expect(card).toMatchObject({
      licence: 'CC0',
      source: 'toy.pkl',
      labels: ['B cell', 'monocyte', 'T cell'],
    })
    expect(Object.entries(card.ontology).map(([label, term]) => [label, term?.id])).toEqual([
      ['B cell', 'CL:0000236'],
      ['monocyte', 'CL:0000576'],
      ['T cell', 'CL:0000084'],
    ])
  })

  it('takes an address, and keeps no secret of it', async () => {
    const card = await importAs('from-web', `${address}/toy.pkl?token=secret`)
    expect(card.source).toBe(`${address}/toy.pkl`)
    expect(JSON.stringify(card)).not.toContain('secret')
  })

  it.each([
    ['an address without a file', '/absent.pkl', 'BadInput', 'URL_REFUSED'],
    ['a server that is busy', '/busy.pkl', 'StoreUnavailable', 'DOWNLOAD_FAILED'],
    ['an answer that is cut off', '/cut.pkl', 'StoreUnavailable', 'DOWNLOAD_FAILED'],
    ['a page in place of a model', '/page.pkl', 'BadInput', 'MODEL_CORRUPT'],
  ])('refuses %s and keeps nothing', async (_, path, name, code) => {
    await expect(importAs('bad', `${address}${path}`)).rejects.toMatchObject({ name, code })
    const listing = invocation([], {})
    await modelsCommand.run(listing)
    expect(listing.printed.join()).not.toContain('"bad"')
  })

  it('says that it cannot reach a server that is not there', async () => {
    await expect(importAs('bad', 'http://127.0.0.1:9/toy.pkl')).rejects.toMatchObject({
      code: 'DOWNLOAD_FAILED',
    })
  })
})

it('export-model writes what import-model takes for the same model, and overwrites nothing', async () => {
  await importAs('round', join(lab.folder.path, 'toy.pkl'))
  const out = join(lab.folder.path, 'round.pkl')
  await exportModelCommand.run(invocation(['round', out], {}))
  expect(Buffer.from(readFileSync(out)).equals(pickle)).toBe(true)
  await expect(exportModelCommand.run(invocation(['round', out], {}))).rejects.toMatchObject({
    code: 'OBJECT_EXISTS',
  })
})
