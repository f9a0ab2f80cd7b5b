/** Contract: what becomes of the cells that a reference keeps when `map-atlas` adapts its model: they go along where surgery left them in place. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCells } from '../../../lib/data/open-cells.ts'
import type { AnnDataToWrite } from '../../../lib/data/write-h5ad.ts'
import { random } from '../../../lib/job/random.ts'
import { beginAdaptation } from '../../../lib/models/adapt-model.ts'
import { loadNetwork, loadReferenceCells, saveModel } from '../../../lib/models/bundle.ts'
import { type NetworkModel, withReference } from '../../../lib/models/network-model.ts'
import type { ReferenceCells } from '../../../lib/models/reference-cells.ts'
import { defaultFlags, type SurgeryFlags } from '../../../lib/models/surgery.ts'
import { placeAtlas } from '../../../lib/workflows/parts/place-atlas.ts'
import { mapWith, storeNetwork, toyAtlasModel } from '../../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { simulatedGenes, simulatedQuery } from '../../support/simulated-cells.ts'

const labels = ['B cell', 'monocyte', 'T cell']
const shape = { batchNorm: 'both', layerNorm: 'none' } as const
const reference = toyAtlasModel({ genes: simulatedGenes, labels }, shape)

function inBatch(seed: number, name: string): AnnDataToWrite {
  const made = simulatedQuery(seed, 40)
  const column = (values: string[]) => ({ kind: 'string' as const, values })
  made.obs.columns.set('Sample_ID', column(new Array<string>(40).fill(name)))
  made.obs.columns.set(
    'cell_type',
    column(Array.from({ length: 40 }, (_, i) => [...labels, 'Unknown'][i % 4]!)),
  )
  made.obs.columns.set('lineage', column(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 'A' : ''))))
  return made
}

let lab: Installation
let kept: ReferenceCells
beforeAll(async () => {
  lab = await makeInstallation()
  await storeNetwork(lab, 'bare', reference)
  await lab.upload('atlas.h5ad', inBatch(1, 'a'))
  const bare = await loadNetwork(lab.stores.models, 'bare')
  kept = await placed(bare)
  await saveModel(lab.stores.models, withReference(bare, kept), { replace: true })
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

/** The atlas, where this model places it. */
async function placed(network: NetworkModel): Promise<ReferenceCells> {
  const file = await openCells(join(lab.folder.path, 'inbox', 'atlas.h5ad'))
  try {
    const settings = {
      columnsSetting: 'columns',
      batchSetting: 'batch',
      signal: new AbortController().signal,
    }
    return (await placeAtlas(file, { network, columns: ['lineage', 'cell_type'], ...settings })).reference
  } finally {
    await file.close()
  }
}

async function extended(name: string, settings: Record<string, unknown> = {}) {
  await lab.upload(`jobs/${name}/q.h5ad`, inBatch(2, 'new'))
  await lab.upload(`jobs/${name}/atlas.h5ad`, inBatch(1, 'a'))
  const job = await mapWith(lab, name, {
    ...{ mode: 'extend', query: 'q.h5ad', atlas: 'atlas.h5ad', model: 'bare', max_epochs: 3, umap: false },
    ...settings,
  })
  await job.cells.close()
  return job.result
}

const apart = (ours: Float32Array, theirs: Float32Array) =>
  ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0)

describe('the cells that a reference keeps', () => {
  it('have the labels of their columns, what the model was taught first and its unlabelled ones without', () => {
    const [taught, further] = kept.columns
    expect([taught!.column, taught!.categories]).toEqual(['cell_type', ['B cell', 'T cell', 'monocyte']])
    const names = Array.from(taught!.codes.subarray(0, 4), (code) => taught!.categories[code])
    expect(names).toEqual([...labels, undefined])
    expect([further!.column, further!.categories, Array.from(further!.codes.subarray(0, 2))]).toEqual([
      ...['lineage', ['A'], [0, -1]],
    ])
  })

  it('go along with a model that surgery adapted, and lie where that one places them too', async () => {
    const { notices } = await extended('adapted')
    const own = await loadReferenceCells(lab.stores.models, 'adapted')
    expect(own).toEqual(kept)
    const adapted = await loadNetwork(lab.stores.models, 'adapted')
    expect(adapted.card.setup.batch.categories).toEqual(['a', 'b', 'new'])
    expect(apart((await placed(adapted)).latent, own.latent)).toBeLessThan(1e-6)
    expect(notices.map(({ code }) => code)).not.toContain('REFERENCE_CELLS_MOVED')
  })

  it.each([
    ['everything learns', 'unfrozen', { unfrozen: true }],
    ['the first layer learns', 'expression', { freeze_expression: false }],
    ["the encoder's normalisation follows the query", 'norms', { freeze_batchnorm_encoder: false }],
  ])('stay behind where %s, which is told', async (_, name, settings) => {
    const { notices } = await extended(name, settings)
    await expect(loadReferenceCells(lab.stores.models, name)).rejects.toMatchObject({
      code: 'REFERENCE_CELLS_MISSING',
    })
    expect(notices).toContainEqual(expect.objectContaining({ code: 'REFERENCE_CELLS_MOVED' }))
    const moved = await placed(await loadNetwork(lab.stores.models, name))
    expect(apart(moved.latent, kept.latent)).toBeGreaterThan(1e-4)
  })
})

describe('a surgery', () => {
  const moves = (flags: Partial<SurgeryFlags>, model = reference) =>
    beginAdaptation(model, {
      flags: { ...defaultFlags, ...flags },
      more: [['new']],
      ...{ batchColumn: 'Sample_ID', random: random(1), place: 'model' },
    }).movesReference

  it('moves the reference where something of its encoder learns besides the new columns, and not else', () => {
    expect(moves({})).toBe(false)
    for (const flag of ['freezeDecoderFirstLayer', 'freezeBatchnormDecoder', 'freezeClassifier'] as const)
      expect(moves({ [flag]: false })).toBe(false)
    expect(moves({ classifierDrifts: true, freezeDropout: true })).toBe(false)
    for (const flag of ['freezeExpression', 'freezeBatchnormEncoder'] as const)
      expect(moves({ [flag]: false })).toBe(true)
    expect(moves({ unfrozen: true })).toBe(true)
    // of an encoder that knows no batches nothing learns at all
    const blind = toyAtlasModel({ genes: simulatedGenes, labels }, { encodeCovariates: false })
    expect(moves({}, blind)).toBe(false)
  })
})
