/** Twin: the expression that a new reference's own model gives its atlas; and held-out cells explained, batch by batch. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadNetwork } from '../../../lib/models/bundle.ts'
import { decodedBy, denseSlab, farthest, readExpression } from '../../support/expression-file.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { textsOf } from '../../support/read-h5ad.ts'
import { simulatedGenes } from '../../support/simulated-cells.ts'
import { atlasOf, fitted, refusal, simulatedParts, uploadAtlas } from './atlas.ts'

const parts = simulatedParts(3, 120)
parts.counts[9]!.fill(0)
const atlas = () =>
  atlasOf({ ...parts, types: parts.types.map((type, cell) => (cell % 7 === 0 ? '' : type)) })
const quick = { max_epochs: 4, scanvi_epochs: 3, umap: false }

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

it.each([
  ['usual', {}],
  ['a dispersion by label', { dispersion: 'gene-label' }],
])(
  'is that of its own model, of all cells that take part, in the batch that was asked for: %s',
  async (_, more) => {
    const settings = {
      ...quick,
      ...more,
      overwrite: true,
      normalized_expression: true,
      transform_batch: 'two',
    }
    const made = await fitted(lab, await uploadAtlas(lab, atlas(), settings))
    await made.file.close()
    expect(made.result.outputs).toMatchObject({ normalizedExpression: 'normalized_expression.h5ad' })
    const { output } = made.state.start
    const path = join(lab.folder.path, 'outbox', output, 'normalized_expression.h5ad')
    const { cells, genes, values, uns } = await readExpression(path)
    const { model, card } = await loadNetwork(lab.stores.models, made.result.summary.model as string)
    expect([cells.length, genes]).toEqual([120, simulatedGenes])
    expect(uns).toMatchObject({ model_id: card.id, transform_batch: ['two'] })
    const batches = parts.batches.map((name) => card.setup.batch.categories.indexOf(name))
    const { expression } = await decodedBy(
      model,
      { slab: denseSlab(parts.counts), batches },
      { batches: [1] },
    )
    const taking = (of: Float32Array) => of.filter((_value, i) => Math.floor(i / genes.length) !== 9)
    expect(values.subarray(9 * genes.length, 10 * genes.length).every(Number.isNaN)).toBe(true)
    expect(farthest(taking(values), taking(expression))).toBeLessThan(1e-5)
    // what is written beside a model is no part of what it is
    expect(Object.keys(card.training.settings)).not.toContain('transform_batch')
    expect(Object.keys(card.training.settings)).not.toContain('normalized_expression')
  },
)

it('tells of each batch how well its held-out cells are explained', async () => {
  const made = await fitted(lab, await uploadAtlas(lab, atlas(), { ...quick, name: 'explained' }))
  const { columns } = await made.file.obs()
  await made.file.close()
  const use = textsOf(columns.get('scanvi_use'))
  const cells = [...use.keys()].filter((cell) => use[cell] === 'held out')
  const { model, card } = await loadNetwork(lab.stores.models, 'explained')
  const batches = parts.batches.map((name) => card.setup.batch.categories.indexOf(name))
  const { reconstruction } = await decodedBy(model, { slab: denseSlab(parts.counts), batches })
  const page = made.files.get('report.html')!.toString()
  for (const [code, batch] of card.setup.batch.categories.entries()) {
    const own = cells.filter((cell) => batches[cell] === code)
    expect(own.length).toBeGreaterThan(0)
    const meanOf = (values: ArrayLike<number>) =>
      own.reduce((sum, cell) => sum + values[cell]!, 0) / own.length
    const mean = meanOf(reconstruction)
    const detected = parts.counts.map((row) => row.filter((count) => count > 0).length)
    const meanPerGene = meanOf(reconstruction.map((one, cell) => one / detected[cell]!))
    const [, row] = page.split(`<tr><td data-key="${batch}">`)
    const figures = Array.from(row!.split('</tr>')[0]!.matchAll(/data-key="([^"]*)"/g), (found) =>
      Number(found[1]),
    )
    const [taking, held, error, perGene] = figures
    expect([taking, held]).toEqual([
      batches.filter((one, cell) => one === code && cell !== 9).length,
      own.length,
    ])
    expect(Math.abs(error! - mean)).toBeLessThan(0.0051)
    expect(Math.abs(perGene! - meanPerGene)).toBeLessThan(0.00051)
  }
})

it('refuses a batch that the atlas has not, before anything is learnt', async () => {
  const settings = { ...quick, name: 'refused', normalized_expression: true, transform_batch: 'three' }
  const told = await refusal(lab, await uploadAtlas(lab, atlas(), settings))
  expect(told).toMatchObject({ code: 'TRANSFORM_BATCH_UNKNOWN' })
  expect(told.problem).toContain('its batches are "one", "two"')
})
