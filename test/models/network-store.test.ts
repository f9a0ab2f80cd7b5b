/**
 * Contract and twin: networks in the model store, in a folder as in a bucket. A model comes back as it was; what was altered or contradicts itself
 * is refused; what is asked of the wrong kind is told what it is for.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openFileSource } from '../../lib/data/file-source.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import {
  findModel,
  listModels,
  loadCard,
  loadModel,
  loadModelFolder,
  loadNetwork,
  loadNetworkCard,
  loadStoredModel,
  saveModel,
} from '../../lib/models/bundle.ts'
import { cardId } from '../../lib/models/model-card.ts'
import { labelsOfNetwork, type NetworkCard, termsOfNetwork } from '../../lib/models/network-card.ts'
import { makeNetworkModel, type NetworkModel, networkFiles } from '../../lib/models/network-model.ts'
import { importScvi } from '../../lib/models/scvi-import.ts'
import type { ScviModel } from '../../lib/models/scvi-model.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { collectList } from '../support/store-laws.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { toyModel } from './toy-model.ts'
import { networkFacts, toyNetwork, toyScanvi, toyScvi } from './toy-network.ts'

let temporary: TemporaryFolder
let folder: ObjectStore
let double: S3Double
let bucket: ObjectStore
let buckets = 0
beforeAll(async () => {
  double = await startS3Double()
})
afterAll(() => double[Symbol.asyncDispose]())
beforeEach(async () => {
  temporary = await temporaryFolder()
  folder = await openFolderStore(join(temporary.path, 'models'))
  const name = `models-${buckets++}`
  double.addBucket(name)
  bucket = openS3Store({ bucket: name, client: double.client() })
})
afterEach(() => temporary[Symbol.asyncDispose]())

const coded = (code: string, text = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(text) })
const pathOf = ({ card }: NetworkModel, file: string) =>
  join(temporary.path, 'models', card.name, card.id, file)

describe('a network in the store', () => {
  it.each([
    ['scVI', () => toyScvi()],
    ['SCANVI', () => toyScanvi()],
    ['a model that does not say what it was trained on', () => withTraining(toyScanvi(), null, null)],
    ['a model that was validated on nothing', () => withTraining(toyScvi(), Int32Array.of(1, 2), null)],
    ['a model with a part of no cells', () => withTraining(toyScvi(), Int32Array.of(7), new Int32Array())],
  ])('comes back as it was, from a folder and from a bucket: %s', async (_, make) => {
    const network = toyNetwork(make())
    for (const store of [folder, bucket]) {
      const saved = await saveModel(store, network)
      for (const name of ['atlas', network.card.id, `atlas@${network.card.id.slice(0, 8)}`])
        expect(await loadNetwork(store, name)).toEqual(network)
      expect(await loadStoredModel(store, 'atlas')).toEqual(network)
      expect(await loadCard(store, 'atlas')).toEqual(network.card)
      expect(await findModel(store, 'atlas')).toEqual(saved)
    }
    const names = async (store: ObjectStore) => (await collectList(store, '')).map(({ key }) => key)
    expect(await names(folder)).toEqual(await names(bucket))
    expect(await loadModelFolder(join(temporary.path, 'models', 'atlas', network.card.id))).toEqual(network)
  })

  it('says what it predicts, with terms for those labels and no others, whatever they are called', () => {
    const { card } = toyNetwork(toyScanvi())
    expect(labelsOfNetwork(card)).toEqual(['T cell', '__proto__', 'monocyte'])
    expect([...termsOfNetwork(card)].map(([label, { id }]) => [label, id])).toEqual([
      ['T cell', 'CL:0000084'],
      ['__proto__', 'CL:0000000'],
    ])
    const plain = toyNetwork(toyScvi()).card
    expect([labelsOfNetwork(plain), plain.ontology]).toEqual([[], []])
  })

  it('has the same id whenever it was made, and another for another number or bins', () => {
    const { id } = toyNetwork().card
    const made = (facts: object, model: ScviModel = toyScanvi()) =>
      makeNetworkModel({ ...networkFacts('atlas'), ...facts }, model).card.id
    expect(made({ created: '2027-01-01T00:00:00Z' })).toBe(id)
    expect(made({ bins: { count: 50 } })).not.toBe(id)
    expect(made({}, toyScanvi(2))).not.toBe(id)
  })

  it('is listed beside linear models, with its kind and the labels that it gives', async () => {
    await saveModel(folder, toyModel())
    await saveModel(folder, toyNetwork(toyScvi(), 'plain'))
    await saveModel(folder, toyNetwork())
    const { models, notices } = await listModels(folder)
    expect(models.map(({ name, kind, labels, genes }) => [name, kind, labels, genes])).toEqual([
      ['atlas', 'scanvi', 3, 5],
      ['plain', 'scvi', 0, 5],
      ['toy', 'linear', 3, 4],
    ])
    expect(notices).toEqual([])
  })

  it('takes no name from another model unless it is told to', async () => {
    const first = toyNetwork()
    await saveModel(folder, first)
    const second = toyNetwork(toyScvi())
    await expect(saveModel(folder, second)).rejects.toThrow(coded('MODEL_EXISTS'))
    await saveModel(folder, second, { replace: true })
    expect(await loadNetwork(folder, 'atlas')).toEqual(second)
    expect(await loadNetwork(folder, first.card.id)).toEqual(first)
    for (const name of ['', '..', 'a/b', 'f'.repeat(64)])
      expect(() => toyNetwork(toyScvi(), name)).toThrow(coded('MODEL_NAME'))
  })

  it('that does what was not asked for is refused with what it is for, before its weights are read', async () => {
    await saveModel(bucket, toyModel())
    await saveModel(bucket, toyNetwork())
    await saveModel(bucket, toyNetwork(toyScvi(), 'plain'))
    const before = double.calls.length
    await expect(loadModel(bucket, 'atlas')).rejects.toThrow(coded('MODEL_KIND', 'SCANVI'))
    await expect(loadModel(bucket, 'plain')).rejects.toThrow(coded('MODEL_KIND', 'scVI'))
    for (const load of [loadNetwork, loadNetworkCard])
      await expect(load(bucket, 'toy')).rejects.toThrow(coded('MODEL_KIND', 'annotate'))
    expect(double.calls.slice(before).filter((call) => call.includes('weights'))).toEqual([])
  })
})

function withTraining(
  model: ScviModel,
  trainIndices: Int32Array | null,
  validationIndices: Int32Array | null,
): ScviModel {
  return { ...model, training: { ...model.training, trainIndices, validationIndices } }
}

describe('damage to a stored network', () => {
  it.each(['weights.f32', 'rows.i32'])('one bit of %s is found, and saving anew mends it', async (file) => {
    const network = toyNetwork()
    await saveModel(folder, network)
    const bytes = await readFile(pathOf(network, file))
    bytes[0]! ^= 1
    await writeFile(pathOf(network, file), bytes)
    await expect(loadNetwork(folder, 'atlas')).rejects.toThrow(coded('MODEL_CORRUPT', file))
    await writeFile(pathOf(network, file), bytes.subarray(4))
    await expect(loadNetwork(folder, 'atlas')).rejects.toThrow(coded('MODEL_CORRUPT', 'cut short'))
    await saveModel(folder, network)
    expect(await loadNetwork(folder, 'atlas')).toEqual(network)
  })

  it('a card that was edited is refused', async () => {
    const network = toyNetwork()
    const { card } = network
    const edits: object[] = [
      { ...card, organism: 'Mus musculus' },
      { ...card, kind: 'scvi' },
      { ...card, kind: 'totalvi' },
      { ...card, extra: 1 },
      { ...card, bins: { count: 1 } },
      { ...card, shape: { ...card.shape, added: [0] } },
    ]
    for (const edit of edits) {
      await saveModel(folder, network)
      await writeFile(pathOf(network, 'model.json'), JSON.stringify(edit))
      for (const load of [loadNetwork, loadCard])
        await expect(load(folder, 'atlas'), JSON.stringify(edit).slice(0, 80)).rejects.toThrow(
          coded('MODEL_CORRUPT'),
        )
    }
  })

  const contradictions: [string, (card: NetworkCard) => object][] = [
    ['fewer genes', ({ genes }) => ({ genes: genes.slice(1) })],
    ['a batch more', ({ setup }) => ({ setup: withBatches(setup, ['a', 'b', 'c']) })],
    ['a batch twice', ({ setup }) => ({ setup: withBatches(setup, ['a', 'a']) })],
    ['another label for cells without one', () => ({ unlabelled: 'monocyte' })],
    ['a term of no label', ({ ontology }) => ({ ontology: [{ ...ontology[0], label: 'x' }] })],
    ['a layer more', ({ shape }) => ({ shape: { ...shape, layers: 2 } })],
    ['another width', ({ shape }) => ({ shape: { ...shape, hidden: 5 } })],
    ['another dispersion', ({ shape }) => ({ shape: { ...shape, dispersion: 'gene-label' } })],
    ['a tensor less', ({ tensors }) => ({ tensors: tensors.slice(1) })],
    ['a tensor twice', ({ tensors }) => ({ tensors: [tensors[0], ...tensors] })],
    [
      'a tensor by another name',
      ({ tensors }) => ({ tensors: [{ ...tensors[0], name: 'x' }, ...tensors.slice(1)] }),
    ],
    [
      'a tensor without end',
      ({ tensors }) => ({ tensors: [{ ...tensors[0], shape: [2 ** 40] }, ...tensors.slice(1)] }),
    ],
    [
      'weights without end',
      ({ blobs }) => ({ blobs: { ...blobs, weights: { ...blobs.weights, bytes: 2 ** 40 } } }),
    ],
    ['rows that are not there', ({ blobs }) => ({ blobs: { weights: blobs.weights } })],
    [
      'a history of other epochs',
      ({ training }) => ({ training: { ...training, history: [{ figure: 'x', epochs: [0], values: [] }] } }),
    ],
  ]
  const withBatches = (setup: NetworkCard['setup'], categories: string[]) => ({
    ...setup,
    batch: { ...setup.batch, categories },
  })

  it.each(contradictions)(
    'a card with the right id that contradicts itself is refused: %s',
    async (_, edit) => {
      const { card } = toyNetwork()
      const edited = { ...card, ...edit(card) }
      const id = cardId(edited)
      const place = join(temporary.path, 'models', 'atlas', id)
      await saveModel(folder, toyNetwork())
      const store = await openFolderStore(place)
      for (const { name, bytes } of networkFiles(toyNetwork())) await store.write(name, bytes)
      await store.write('model.json', Buffer.from(JSON.stringify({ ...edited, id })))
      await expect(loadNetwork(folder, id)).rejects.toThrow(coded('MODEL_CORRUPT'))
    },
  )

  it('weights that are no numbers are refused, unless nothing is computed with them', async () => {
    const damaged = (name: string): ScviModel => {
      const model = toyScvi()
      const { shape, data } = model.weights.get(name)!
      const weights = new Map(model.weights).set(name, { shape, data: data.slice().fill(Number.NaN, 0, 1) })
      return { ...model, weights }
    }
    expect(() => toyNetwork(damaged('px_r'))).toThrow(coded('MODEL_NOT_FINITE', 'px_r'))
    const unused = toyNetwork(damaged('l_encoder.mean_encoder.bias'))
    await saveModel(folder, unused)
    expect(await loadNetwork(folder, 'atlas')).toEqual(unused)
  })

  it('columns that surgery added and that are not settled are no model', () => {
    const model = toyScvi()
    const shape = { ...model.shape, added: [1] }
    expect(() => toyNetwork({ ...model, shape } as ScviModel)).toThrow(RangeError)
  })
})

const directories = [
  'kang_scvi_seed0',
  'kang_surgery_ref_scanvi',
  'kang_surgery_query_scanvi',
  'muscat_surgery_ref_scvi',
  'muscat_surgery_ref_scanvi',
  'muscat_surgery_query_scanvi',
]

describe.runIf(hasShared)('models that scvi-tools wrote', () => {
  it.each(directories)('%s comes back from a folder and a bucket bit by bit', async (name) => {
    const source = await openFileSource(sharedPath('golden', 'scvi', name, 'model.pt'))
    const { model } = await importScvi(source)
    await source.close()
    const network = makeNetworkModel(networkFacts('golden'), model)
    for (const store of [folder, bucket]) {
      await saveModel(store, network)
      const { card, model: loaded } = await loadNetwork(store, 'golden')
      expect(card).toEqual(network.card)
      expect([...loaded.weights.keys()]).toEqual([...model.weights.keys()])
      for (const [tensor, { shape, data }] of model.weights) {
        expect(loaded.weights.get(tensor)!.shape).toEqual(shape)
        expect(
          Buffer.from(loaded.weights.get(tensor)!.data.buffer).equals(
            Buffer.from(data.buffer, data.byteOffset, data.byteLength),
          ),
        ).toBe(true)
      }
      expect({ ...loaded, weights: 0 }).toEqual({ ...model, weights: 0 })
    }
  })
})
