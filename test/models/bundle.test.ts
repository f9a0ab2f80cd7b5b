/** Contract of the model store: content never changes under its id, names move on request, and damage is refused. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { findModel, listModels, loadModel, loadModelFolder, saveModel } from '../../lib/models/bundle.ts'
import { type LinearModel, makeLinearModel } from '../../lib/models/linear-model.ts'
import { collectList } from '../support/store-laws.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { factsFor, toyModel } from './toy-model.ts'

let temporary: TemporaryFolder
let store: ObjectStore
beforeEach(async () => {
  temporary = await temporaryFolder()
  store = await openFolderStore(join(temporary.path, 'models'))
})
afterEach(() => temporary[Symbol.asyncDispose]())

/** Another content under a name. */
function other(name = 'toy'): LinearModel {
  return makeLinearModel(
    { ...factsFor(['a', 'b'], ['x', 'y']), name },
    {
      weights: Float64Array.of(1, 2),
      intercept: Float64Array.of(0),
      mean: Float64Array.of(0, 0),
      scale: Float64Array.of(1, 1),
    },
  )
}

const pathOf = ({ card }: LinearModel, file: string): string =>
  join(temporary.path, 'models', card.name, card.id, file)
const coded = (code: string, text = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(text) })

describe('saving and loading', () => {
  test('a model comes back as it was, by its name, its id, and both', async () => {
    const model = toyModel()
    const saved = await saveModel(store, model)
    expect(saved).toMatchObject({ name: 'toy', id: model.card.id, labels: 3, genes: 4, isLatest: true })
    for (const name of ['toy', model.card.id, `toy@${model.card.id}`, `toy@${model.card.id.slice(0, 8)}`])
      expect(await loadModel(store, name)).toEqual(model)
    expect(await findModel(store, 'toy')).toEqual(saved)
  })

  test('saving it again, later, changes nothing', async () => {
    await saveModel(store, toyModel())
    const before = await collectList(store, '')
    const { card, ...arrays } = toyModel()
    const later = { ...arrays, card: { ...card, created: '2027-01-01T00:00:00Z' } }
    await saveModel(store, later)
    expect(await collectList(store, '')).toEqual(before)
  })

  test('a name is given to another content on request only, and the first content stays', async () => {
    const [first, second] = [toyModel(), other()]
    await saveModel(store, first)
    await expect(saveModel(store, second)).rejects.toThrow(coded('MODEL_EXISTS'))
    expect((await loadModel(store, 'toy')).card.id).toBe(first.card.id)
    await saveModel(store, second, { replace: true })
    expect((await loadModel(store, 'toy')).card.id).toBe(second.card.id)
    expect(await loadModel(store, first.card.id)).toEqual(first)
    const { models } = await listModels(store)
    expect(models.map(({ id, isLatest }) => [id, isLatest]).sort()).toEqual(
      [
        [first.card.id, false],
        [second.card.id, true],
      ].sort(),
    )
  })

  test('of two that save under one name at once one is told so', async () => {
    const results = await Promise.allSettled([saveModel(store, toyModel()), saveModel(store, other())])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { code: 'MODEL_EXISTS' },
    })
  })

  test('a plain folder with a card and its arrays is a model too', async () => {
    const model = toyModel()
    await saveModel(store, model)
    expect(await loadModelFolder(join(temporary.path, 'models', 'toy', model.card.id))).toEqual(model)
  })

  test('a model that is not there is told with what is', async () => {
    await expect(loadModel(store, 'lung')).rejects.toThrow(coded('MODEL_MISSING', 'import one'))
    await saveModel(store, toyModel())
    await saveModel(store, other('pbmc'))
    for (const name of ['lung', '../toy', 'toy@00000000', '0'.repeat(64), ''])
      await expect(loadModel(store, name)).rejects.toThrow(coded('MODEL_MISSING', 'There are: pbmc, toy'))
  })

  test('names that cannot be names of folders are refused', () => {
    for (const name of ['', '.', '..', 'a/b', 'a\n', '-a', 'a'.repeat(65), 'f'.repeat(64)])
      expect(() => other(name)).toThrow(coded('MODEL_NAME'))
  })
})

describe('damage', () => {
  test.each(['weights', 'intercept', 'mean', 'scale'])(
    'one bit of %s is found, and saving anew mends it',
    async (name) => {
      const model = toyModel()
      await saveModel(store, model)
      const path = pathOf(model, `${name}.f64`)
      const bytes = await readFile(path)
      bytes[0]! ^= 1
      await writeFile(path, bytes)
      await expect(loadModel(store, 'toy')).rejects.toThrow(coded('MODEL_CORRUPT', name))
      await saveModel(store, model)
      expect(await loadModel(store, 'toy')).toEqual(model)
    },
  )

  test('a card that was edited, a pointer that names nothing, and missing or longer arrays are refused', async () => {
    const model = toyModel()
    const card = JSON.parse(JSON.stringify(model.card))
    const attempts: [string, string][] = [
      ['model.json', JSON.stringify({ ...card, labels: ['T', 'M', 'B'] })],
      ['model.json', JSON.stringify({ ...card, loss: 'multinomial' })],
      ['model.json', JSON.stringify({ ...card, extra: 1 })],
      ['model.json', JSON.stringify({ ...card, genes: ['CD3D'] })],
      ['model.json', JSON.stringify(other().card)],
      ['model.json', '{'],
      ['weights.f64', 'short'],
      ['weights.f64', 'x'.repeat(97)],
      ['../latest.json', '{"id": "../../elsewhere"}'],
      ['../latest.json', 'x'.repeat(5000)],
    ]
    for (const [file, content] of attempts) {
      await saveModel(store, model, { replace: true })
      expect(await loadModel(store, 'toy')).toEqual(model)
      await writeFile(pathOf(model, file), content)
      await expect(loadModel(store, 'toy'), `${file}: ${content}`).rejects.toThrow(coded('MODEL_CORRUPT'))
    }
  })

  test('one damaged model does not hide the others: it is a notice', async () => {
    const model = toyModel()
    await saveModel(store, model)
    await saveModel(store, other('pbmc'))
    await writeFile(pathOf(model, 'model.json'), '{}')
    const { models, notices } = await listModels(store)
    expect(models.map(({ name }) => name)).toEqual(['pbmc'])
    expect(notices).toMatchObject([{ code: 'MODEL_CORRUPT', place: expect.stringContaining('toy') }])
  })
})
