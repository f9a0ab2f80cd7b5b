/** Contract: models of scvi-tools come in from a folder, a file, the web or a bucket, are listed, and go out in its layout. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFileSource } from '../../lib/data/file-source.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { exportModelCommand, importModelCommand, modelsCommand } from '../../lib/local/model-commands.ts'
import { loadNetwork, saveModel } from '../../lib/models/bundle.ts'
import { termsOfNetwork } from '../../lib/models/network-card.ts'
import { dict } from '../../lib/models/pickle-values.ts'
import { exportScvi } from '../../lib/models/scvi-export.ts'
import { importScvi } from '../../lib/models/scvi-import.ts'
import { orderedDict, torchWriter } from '../../lib/models/torch-write.ts'
import { toyModel } from '../models/toy-model.ts'
import { toyScanvi, toyScvi } from '../models/toy-network.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const main = resolve(import.meta.dirname, '../../lib/local/main.ts')
let folder: TemporaryFolder
let models: string
let server: Server
let address: string
const at = (...parts: string[]) => join(folder.path, ...parts)

function put(path: string, bytes: Uint8Array | string): string {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, bytes)
  return path
}

beforeAll(async () => {
  folder = await temporaryFolder()
  models = at('models')
  put(at('scanvi', 'model.pt'), exportScvi(toyScanvi()))
  put(at('prefixed', 'lung_model.pt'), exportScvi(toyScvi()))
  put(at('several', 'lung_model.pt'), exportScvi(toyScvi()))
  put(at('several', 'liver_model.pt'), exportScvi(toyScvi(2)))
  put(at('old', 'model_params.pt'), 'x')
  server = createServer((request, response) => {
    if (request.url === '/m/model.pt?key=secret') return response.end(exportScvi(toyScanvi()))
    response.writeHead(404)
    return response.end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  await folder[Symbol.asyncDispose]()
})

async function run(
  command: typeof importModelCommand,
  positionals: string[],
  flags: Record<string, string | boolean> = {},
) {
  const [printed, told]: string[][] = [[], []]
  await command.run({
    positionals,
    flags: { models, ...flags },
    options: { json: true, open: {} },
    environment: {},
    print: (line) => printed!.push(line),
    progress: (line) => told!.push(line),
    stderr: { write: () => {} },
    listenForStop: () => new AbortController().signal,
    clock: () => 0,
  })
  return { answer: JSON.parse(printed!.join('')), told: told! }
}

const human = { organism: 'Homo sapiens' }
const load = async (name: string) => loadNetwork(await openFolderStore(models), name)

describe('import-model', () => {
  it('takes a model directory, with the Cell Ontology terms of its labels and what it was told', async () => {
    const { answer } = await run(importModelCommand, [at('scanvi')], {
      ...{ name: 'told', licence: 'CC0', source: 'the lab', bins: '50' },
      ...human,
    })
    expect(answer).toMatchObject({ name: 'told', kind: 'scanvi', labels: 3, genes: 5, isLatest: true })
    const { card, model } = await load('told')
    expect(card).toMatchObject({
      ...{
        licence: 'CC0',
        source: 'the lab',
        organism: 'Homo sapiens',
        geneIds: 'symbol',
        bins: { count: 50 },
      },
      training: { cells: 6, epochs: 3, scviTools: '1.4.3', versions: { 'scvi-tools': '1.4.3' } },
    })
    expect([...termsOfNetwork(card)].map(([label, { id }]) => [label, id])).toEqual([
      ['T cell', 'CL:0000084'],
      ['monocyte', 'CL:0000576'],
    ])
    const original = toyScanvi()
    expect(model.weights).toEqual(original.weights)
    expect(model.setup).toEqual(original.setup)
  })

  it('takes model.pt itself whatever it is called, and a directory whose files have a prefix', async () => {
    copyFileSync(at('scanvi', 'model.pt'), at('renamed.bin'))
    expect(
      (await run(importModelCommand, [at('renamed.bin')], { name: 'file', ...human })).answer,
    ).toMatchObject({
      kind: 'scanvi',
    })
    const plain = await run(importModelCommand, [at('prefixed')], { name: 'plain', ...human })
    expect(plain.answer).toMatchObject({ kind: 'scvi', labels: 0 })
    expect(plain.answer.notices.map(({ code }: { code: string }) => code)).not.toContain('ONTOLOGY_MATCHED')
  })

  it('takes an address, and keeps no secret of it', async () => {
    await run(importModelCommand, [`${address}/m/model.pt?key=secret`], { name: 'web', ...human })
    const { card } = await load('web')
    expect(card.source).toBe(`${address}/m/model.pt`)
    expect(JSON.stringify(card)).not.toContain('secret')
  })

  it('takes a folder of the model store of another installation', async () => {
    const { card } = await load('told')
    const elsewhere = at('elsewhere')
    const { answer } = await run(importModelCommand, [join(models, 'told', card.id)], {
      name: 'told',
      models: elsewhere,
    })
    expect(answer.id).toBe(card.id)
    expect(await loadNetwork(await openFolderStore(elsewhere), 'told')).toEqual(await load('told'))
  })

  it.each([
    ['a folder without a model', 'empty', 'MODEL_CORRUPT'],
    ['a folder with several models', 'several', 'MODEL_SEVERAL'],
    ['a model as scvi-tools wrote it before 0.15', 'old', 'MODEL_OLD'],
    ['a path where nothing is', 'nowhere', 'FILE_MISSING'],
    ['a model of another kind', 'totalvi', 'MODEL_KIND'],
    ['a file that was cut short', 'cut', 'ZIP_DAMAGED'],
    ['a file with a weight altered', 'altered', 'ZIP_DAMAGED'],
  ])('refuses %s and keeps nothing', async (_, path, code) => {
    mkdirSync(at('empty'), { recursive: true })
    put(at('totalvi', 'model.pt'), otherKind('TOTALVI'))
    const whole = readFileSync(at('scanvi', 'model.pt'))
    put(at('cut', 'model.pt'), whole.subarray(0, whole.length - 100))
    put(at('altered', 'model.pt'), altered(whole))
    await expect(run(importModelCommand, [at(path)], { name: 'bad', ...human })).rejects.toMatchObject({
      name: 'BadInput',
      code,
    })
    const { answer } = await run(modelsCommand, [])
    expect(answer.map(({ name }: { name: string }) => name)).not.toContain('bad')
  })

  it('asks for the organism where the names of the genes do not tell it, and says when they do', async () => {
    const genes = ['x1', 'x2', 'x3', 'x4', 'x5']
    put(at('nameless', 'model.pt'), exportScvi({ ...toyScvi(), genes }))
    await expect(run(importModelCommand, [at('nameless')], { name: 'bad' })).rejects.toMatchObject({
      code: 'ORGANISM_UNKNOWN',
    })
    const { answer } = await run(importModelCommand, [at('nameless')], { name: 'nameless', ...human })
    expect(answer.notices).toMatchObject([{ code: 'MODEL_GENE_NAMES' }])
    const guessed = await run(importModelCommand, [at('scanvi')], { name: 'guessed' })
    expect(guessed.answer.notices).toContainEqual(expect.objectContaining({ code: 'ORGANISM_DETECTED' }))
  })

  it.each(['1', 'many', '10001', '2.5'])('refuses %s for a number of bins', async (bins) => {
    await expect(
      run(importModelCommand, [at('scanvi')], { name: 'bad', bins, ...human }),
    ).rejects.toMatchObject({
      code: 'USAGE',
    })
  })
})

/** What holds a registry of that name and nothing else. */
function otherKind(name: string): Uint8Array {
  const writer = torchWriter('model')
  const registry = dict([
    ['model_name', name],
    ['scvi_version', '1.3.0'],
    ['field_registries', dict([])],
  ])
  return writer.save(
    dict([
      ['model_state_dict', orderedDict([])],
      ['attr_dict', dict([['registry_', registry]])],
    ]),
  )
}

/** With one bit of the first tensor's bytes turned. */
function altered(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes)
  const name = 'model/data/0'
  const start = copy.indexOf(name) + name.length + copy.readUInt16LE(copy.indexOf(name) - 2)
  copy[start] = copy[start]! ^ 1
  return copy
}

describe('export-model', () => {
  it('writes what import-model takes for the same model, into a folder or as the file that is named', async () => {
    await run(importModelCommand, [at('scanvi')], { name: 'round', ...human })
    const { answer } = await run(exportModelCommand, ['round', at('out', 'round')])
    expect(answer.outputs).toEqual([at('out', 'round', 'model.pt')])
    expect(readFileSync(at('out', 'round', 'model.pt')).equals(readFileSync(at('scanvi', 'model.pt')))).toBe(
      true,
    )
    await run(exportModelCommand, ['round', at('out', 'b_model.pt')])
    await run(importModelCommand, [at('out', 'b_model.pt')], { name: 'again', ...human })
    expect((await load('again')).model).toEqual((await load('round')).model)
  })

  it('overwrites nothing, and writes no network under a name of CellTypist', async () => {
    await run(importModelCommand, [at('scanvi')], { name: 'kept', ...human })
    await run(exportModelCommand, ['kept', at('kept')])
    await expect(run(exportModelCommand, ['kept', at('kept')])).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    })
    await expect(run(exportModelCommand, ['kept', at('kept.pkl')])).rejects.toMatchObject({ code: 'USAGE' })
    expect(existsSync(at('kept.pkl'))).toBe(false)
  })

  it('says what no file of it says: that it wants counts in bins', async () => {
    await run(importModelCommand, [at('scanvi')], { name: 'binned', bins: '50', ...human })
    const { told } = await run(exportModelCommand, ['binned', at('binned')])
    expect(told).toEqual([expect.stringContaining('50 bins')])
  })
})

describe.runIf(hasShared)('a model that scvi-tools trained', () => {
  it('goes in and out with every tensor as it was', async () => {
    const original = sharedPath('golden', 'scvi', 'kang_surgery_query_scanvi')
    await run(importModelCommand, [original], { name: 'kang' })
    await run(exportModelCommand, ['kang', at('kang')])
    const read = async (path: string) => {
      const source = await openFileSource(path)
      const { model } = await importScvi(source)
      await source.close()
      return model
    }
    const [before, after] = [await read(join(original, 'model.pt')), await read(at('kang', 'model.pt'))]
    expect(after.weights).toEqual(before.weights)
    expect({ ...after, weights: 0 }).toEqual({ ...before, weights: 0 })
    const { card } = await load('kang')
    expect(card).toMatchObject({ organism: 'Homo sapiens', geneIds: 'symbol', training: { epochs: 30 } })
  })
})

describe('as a command', () => {
  let double: S3Double
  beforeAll(async () => {
    double = await startS3Double()
    double.addBucket('shelf')
  })
  afterAll(() => double[Symbol.asyncDispose]())

  async function celldrop(...argv: string[]) {
    const { accessKeyId, secretAccessKey } = double.credentials
    const environment = {
      ...{ AWS_ENDPOINT_URL_S3: double.endpoint, AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    }
    const child = spawn(process.execPath, [main, ...argv], {
      cwd: folder.path,
      env: { ...process.env, ...environment },
    })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { status: child.exitCode, stdout, stderr }
  }

  it('ends with 0 and one JSON document, from a folder into a bucket and from the bucket back', async () => {
    const flags = ['--organism', 'Homo sapiens', '--json']
    const stored = await celldrop(
      'import-model',
      'scanvi',
      '--name',
      'shelved',
      '--models',
      's3://shelf/models',
      ...flags,
    )
    expect(stored).toMatchObject({ status: 0 })
    expect(JSON.parse(stored.stdout)).toMatchObject({ name: 'shelved', kind: 'scanvi' })
    const written = await celldrop(
      'export-model',
      'shelved',
      's3://shelf/out',
      '--models',
      's3://shelf/models',
      '--json',
    )
    expect(JSON.parse(written.stdout)).toMatchObject({ outputs: ['s3://shelf/out/model.pt'] })
    for (const [i, location] of ['s3://shelf/out', 's3://shelf/out/', 's3://shelf/out/model.pt'].entries()) {
      const back = await celldrop(
        'import-model',
        location,
        '--name',
        `back-${i}`,
        '--models',
        'back',
        ...flags,
      )
      expect(back).toMatchObject({ status: 0 })
      const { model } = await loadNetwork(await openFolderStore(at('back')), `back-${i}`)
      expect(model).toEqual((await loadNetwork(await openFolderStore(at('back')), 'back-0')).model)
    }
  })

  it('ends with 2 and a code for what is no model, and lists both kinds for a person', async () => {
    put(at('totalvi', 'model.pt'), otherKind('TOTALVI'))
    const refused = await celldrop('import-model', 'totalvi', '--name', 'bad', '--json')
    expect(refused).toMatchObject({ status: 2, stderr: '' })
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: 'MODEL_KIND', problem: expect.stringContaining('TOTALVI') },
    })
    const store = await openFolderStore(at('shelf'))
    await saveModel(store, toyModel())
    await run(importModelCommand, [at('scanvi')], { name: 'net', models: at('shelf'), ...human })
    const { status, stdout } = await celldrop('models', '--models', 'shelf')
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^net {2}scanvi, 3 labels, 5 genes, Homo sapiens {2}\([0-9a-f]{12}\)\ntoy {2}3 labels, 4 genes/,
    )
    expect(readdirSync(at('shelf')).sort()).toEqual(['net', 'toy'])
  })
})
