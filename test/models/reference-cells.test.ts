/**
 * Contract: the cells of its reference that a network keeps. They come back as they were and are fetched only when they are asked for; what is
 * damaged or contradicts the card is refused; cards that were made before there were such cells are what they were.
 */
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import {
  findModel,
  loadCard,
  loadModelFolder,
  loadNetwork,
  loadReferenceCells,
  loadStoredModel,
  saveModel,
} from '../../lib/models/bundle.ts'
import { cardId, sha256 } from '../../lib/models/model-card.ts'
import { checkedNetworkCard, type NetworkCard } from '../../lib/models/network-card.ts'
import { makeNetworkModel, type NetworkModel, withReference } from '../../lib/models/network-model.ts'
import type { ReferenceCells } from '../../lib/models/reference-cells.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
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
  const name = `kept-${buckets++}`
  double.addBucket(name)
  bucket = openS3Store({ bucket: name, client: double.client() })
})
afterEach(() => temporary[Symbol.asyncDispose]())

const coded = (code: string, text = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(text) })

const labelled: ReferenceCells = {
  cells: 3,
  latent: Float32Array.of(0.5, -1, 2, 0, 1e-7, 3),
  columns: [
    { column: 'cell_type', categories: ['T cell', '__proto__'], codes: Int32Array.of(1, -1, 0) },
    { column: '__proto__', categories: ['constructor'], codes: Int32Array.of(0, 0, -1) },
  ],
}
const unlabelled: ReferenceCells = { cells: 2, latent: Float32Array.of(1, 2, 3, 4), columns: [] }

function keeping(reference: ReferenceCells, model = toyScanvi()): NetworkModel {
  return makeNetworkModel(networkFacts('atlas'), model, { reference })
}

const pathOf = ({ card }: NetworkModel, file: string) =>
  join(temporary.path, 'models', card.name, card.id, file)

describe('the cells that a network keeps', () => {
  it.each([
    ['a SCANVI and two columns', () => keeping(labelled)],
    ['a scVI and cells without any column', () => keeping(unlabelled, toyScvi())],
  ])('come back as they were, from a folder and from a bucket: %s', async (_, make) => {
    const network = make()
    for (const store of [folder, bucket]) {
      const saved = await saveModel(store, network)
      expect(saved.referenceCells).toBe(network.reference!.cells)
      expect(await findModel(store, 'atlas')).toEqual(saved)
      expect(await loadReferenceCells(store, 'atlas')).toEqual(network.reference)
      expect(await loadReferenceCells(store, network.card.id)).toEqual(network.reference)
      expect(await loadStoredModel(store, 'atlas')).toEqual(network)
      expect(await loadCard(store, 'atlas')).toEqual(network.card)
    }
    const own = join(temporary.path, 'models', 'atlas', network.card.id)
    expect(await loadModelFolder(own)).toEqual(network)
  })

  it('go along with a model that is copied from one store into another', async () => {
    await saveModel(folder, keeping(labelled))
    await saveModel(bucket, await loadStoredModel(folder, 'atlas'))
    expect(await loadReferenceCells(bucket, 'atlas')).toEqual(labelled)
  })

  it('are not fetched with the model, nor the model with them', async () => {
    await saveModel(bucket, keeping(labelled))
    const asked = async (load: () => Promise<unknown>) => {
      const before = double.calls.length
      await load()
      return double.calls.slice(before).join('\n')
    }
    const ofModel = await asked(async () => {
      const { card, model, reference } = await loadNetwork(bucket, 'atlas')
      expect([card.reference?.cells, model.weights.size > 0, reference]).toEqual([3, true, undefined])
    })
    expect(ofModel).toContain('weights.f32')
    expect(ofModel).not.toContain('reference-')
    const ofCells = await asked(() => loadReferenceCells(bucket, 'atlas'))
    for (const file of ['reference-latent.f32', 'reference-labels.i32']) expect(ofCells).toContain(file)
    for (const file of ['weights.f32', 'rows.i32']) expect(ofCells).not.toContain(file)
  })

  it('are part of what the id stands for, down to one label', () => {
    const codes = Int32Array.of(1, 0, 0)
    const other = { ...labelled, columns: [{ ...labelled.columns[0]!, codes }, labelled.columns[1]!] }
    const ids = [toyNetwork(), keeping(labelled), keeping(other)].map(({ card }) => card.id)
    expect(new Set(ids).size).toBe(3)
    expect(withReference(toyNetwork(), labelled)).toEqual(keeping(labelled))
    expect(withReference(keeping(other), labelled).card.id).toBe(ids[1])
  })

  it('are missed by name where a model has none, with what gives it some', async () => {
    await saveModel(folder, toyNetwork())
    await saveModel(folder, toyModel())
    await expect(loadReferenceCells(folder, 'atlas')).rejects.toThrow(
      coded('REFERENCE_CELLS_MISSING', '"atlas" keeps no cells'),
    )
    await expect(loadReferenceCells(folder, 'atlas')).rejects.toMatchObject({
      remedy: expect.stringContaining('--reference-cells'),
    })
    await expect(loadReferenceCells(folder, 'toy')).rejects.toThrow(coded('MODEL_KIND'))
    await expect(loadReferenceCells(folder, 'none')).rejects.toThrow(coded('MODEL_MISSING'))
  })

  it('cannot be lost by storing a model again that was fetched without them', async () => {
    await saveModel(folder, keeping(labelled))
    const without = await loadNetwork(folder, 'atlas')
    await expect(saveModel(bucket, without)).rejects.toThrow(RangeError)
  })

  it('come back whatever they hold', async () => {
    const text = fc.string({ maxLength: 12 })
    const columns = fc.uniqueArray(
      fc.record({
        column: fc.string({ minLength: 1, maxLength: 8 }),
        categories: fc.uniqueArray(text, { minLength: 1, maxLength: 4 }),
        draws: fc.array(fc.nat(99), { minLength: 6, maxLength: 6 }),
      }),
      { maxLength: 3, selector: ({ column }) => column },
    )
    const float = fc.float({ noNaN: true, noDefaultInfinity: true })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(float, { minLength: 12 }),
        columns,
        async (cells, numbers, drawn) => {
          const reference: ReferenceCells = {
            cells,
            latent: Float32Array.from(numbers.slice(0, 2 * cells)),
            columns: drawn.map(({ column, categories, draws }) => ({
              ...{ column, categories },
              codes: Int32Array.from(draws.slice(0, cells), (draw) => (draw % (categories.length + 1)) - 1),
            })),
          }
          await saveModel(folder, keeping(reference), { replace: true })
          expect(await loadReferenceCells(folder, 'atlas')).toEqual(reference)
        },
      ),
      { numRuns: 25, seed: 5 },
    )
  })
})

describe('cards that were made before', () => {
  it('read as they were and keep their ids', () => {
    const path = resolve(import.meta.dirname, '../fixtures/models/networks-without-reference.json')
    const cards = JSON.parse(readFileSync(path, 'utf8')) as NetworkCard[]
    expect(cards.map(({ kind }) => kind)).toEqual(['scanvi', 'scvi'])
    for (const card of cards) expect(checkedNetworkCard(card, 'model.json')).toEqual(card)
    expect(cards.map(({ id }) => id.slice(0, 8))).toEqual(['793c1369', '3a23c4cf'])
  })
})

describe('damage to the cells that are kept', () => {
  it.each(['reference-latent.f32', 'reference-labels.i32'])(
    'one bit of %s, or its end, is missed, and saving anew mends it',
    async (file) => {
      const network = keeping(labelled)
      await saveModel(folder, network)
      const bytes = await readFile(pathOf(network, file))
      bytes[0]! ^= 1
      await writeFile(pathOf(network, file), bytes)
      for (const load of [loadReferenceCells, loadStoredModel])
        await expect(load(folder, 'atlas')).rejects.toThrow(coded('MODEL_CORRUPT', file))
      expect((await loadNetwork(folder, 'atlas')).card).toEqual(network.card)
      await writeFile(pathOf(network, file), bytes.subarray(4))
      await expect(loadReferenceCells(folder, 'atlas')).rejects.toThrow(coded('MODEL_CORRUPT', 'cut short'))
      await saveModel(folder, network)
      expect(await loadReferenceCells(folder, 'atlas')).toEqual(labelled)
    },
  )

  /** A bundle whose card has the right id and checksums, whatever its files hold. */
  async function forged(edit: (card: NetworkCard) => object, files: Record<string, Uint8Array> = {}) {
    const network = keeping(labelled)
    await saveModel(folder, network)
    const edited = { ...network.card, ...edit(network.card) }
    const id = cardId(edited)
    const store = await openFolderStore(join(temporary.path, 'models', 'atlas', id))
    for (const name of ['weights.f32', 'rows.i32', 'reference-latent.f32', 'reference-labels.i32'])
      await store.write(name, files[name] ?? (await readFile(pathOf(network, name))))
    await store.write('model.json', Buffer.from(JSON.stringify({ ...edited, id })))
    return id
  }

  const blobOf = (values: Float32Array | Int32Array) => {
    const bytes = new Uint8Array(values.buffer)
    return { bytes, blob: { bytes: bytes.length, sha256: sha256(bytes) } }
  }

  it.each([
    ['a code beyond the categories', Int32Array.of(2, -1, 0, 0, 0, -1)],
    ['a code below none', Int32Array.of(1, -2, 0, 0, 0, -1)],
  ])('%s is refused, though its checksum is right', async (_, codes) => {
    const { bytes, blob } = blobOf(codes)
    const id = await forged(
      ({ blobs }) => ({ blobs: { ...blobs, referenceLabels: { ...blobs.referenceLabels!, ...blob } } }),
      { 'reference-labels.i32': bytes },
    )
    await expect(loadReferenceCells(folder, id)).rejects.toThrow(coded('MODEL_CORRUPT', 'label'))
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('a cell that lies at %s is refused', async (value) => {
    const { bytes, blob } = blobOf(Float32Array.of(0, 0, value, 0, 0, 0))
    const id = await forged(
      ({ blobs }) => ({ blobs: { ...blobs, referenceLatent: { ...blobs.referenceLatent!, ...blob } } }),
      { 'reference-latent.f32': bytes },
    )
    await expect(loadReferenceCells(folder, id)).rejects.toThrow(coded('MODEL_NOT_FINITE', 'cell 2'))
    expect(() => keeping({ ...labelled, latent: Float32Array.of(0, 0, value, 0, 0, 0) })).toThrow(
      coded('MODEL_NOT_FINITE'),
    )
  })

  const contradictions: [string, (card: NetworkCard) => object][] = [
    ['more cells', ({ reference }) => ({ reference: { ...reference, cells: 4 } })],
    ['no cell', ({ reference }) => ({ reference: { ...reference, cells: 0 } })],
    ['cells without end', ({ reference }) => ({ reference: { ...reference, cells: 2 ** 50 } })],
    [
      'a column less',
      ({ reference }) => ({ reference: { ...reference, columns: reference!.columns.slice(1) } }),
    ],
    [
      'a column twice',
      ({ reference }) => ({
        reference: { ...reference, columns: [reference!.columns[0], reference!.columns[0]] },
      }),
    ],
    [
      'a category twice',
      ({ reference }) => ({
        reference: {
          ...reference,
          columns: [{ column: 'x', categories: ['a', 'a'] }, reference!.columns[1]],
        },
      }),
    ],
    ['no description', () => ({ reference: undefined })],
    ['no places', ({ blobs }) => ({ blobs: { ...blobs, referenceLatent: undefined } })],
    ['no labels', ({ blobs }) => ({ blobs: { ...blobs, referenceLabels: undefined } })],
    [
      'places without end',
      ({ blobs }) => ({ blobs: { ...blobs, referenceLatent: { ...blobs.referenceLatent, bytes: 2 ** 40 } } }),
    ],
  ]
  it.each(contradictions)('a card that contradicts itself is refused: %s', async (_, edit) => {
    const id = await forged(edit)
    for (const load of [loadReferenceCells, loadNetwork, loadCard])
      await expect(load(folder, id)).rejects.toThrow(coded('MODEL_CORRUPT'))
  })

  it('cells that contradict themselves make no model', () => {
    const wrong: Partial<ReferenceCells>[] = [
      { cells: 4 },
      { latent: new Float32Array(5) },
      { columns: [{ column: 'x', categories: ['a'], codes: Int32Array.of(0, 0) }] },
      { columns: [{ column: 'x', categories: ['a'], codes: Int32Array.of(0, 1, 0) }] },
      { columns: [{ column: 'x', categories: [], codes: new Int32Array(3).fill(-1) }] },
      { columns: [labelled.columns[0]!, labelled.columns[0]!] },
    ]
    for (const change of wrong)
      expect(() => keeping({ ...labelled, ...change })).toThrow(coded('MODEL_CORRUPT'))
    const many = { cells: 2 ** 28, latent: new Float32Array(), columns: [] }
    expect(() => keeping(many)).toThrow(coded('MODEL_TOO_LARGE'))
  })
})
