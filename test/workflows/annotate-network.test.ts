/**
 * Oracle and twin: `annotate` by reference mapping. Cells lie where scvi-tools puts them and have its labels; neighbours and regression give what is
 * worked out here from the recorded places; several columns of labels go at once; cells that cannot be placed are told and do not stop the rest.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { ReferenceCells, ReferenceColumn } from '../../lib/models/reference-cells.ts'
import { goldenModel, goldenRows, worst } from '../models/golden-scvi.ts'
import { copyToInbox, type MappedJob, mapWith, storeNetwork } from '../support/atlas-mapping.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { arrayOf, numbersOf, plain, textsOf } from '../support/read-h5ad.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const kang = (name: string) => sharedPath('data', 'kang_ifnb', `${name}.h5ad`)
const [predictedKey, latentKey] = ['cxg_cell_type_predicted', 'cxg_cell_type']

async function kangTexts(name: string, column: string): Promise<string[]> {
  const file = await openCells(kang(name))
  const texts = columnTexts((await file.obs()).columns.get(column)!)!
  await file.close()
  return texts
}

async function labelsOfReference(column: string): Promise<ReferenceColumn> {
  const texts = await kangTexts('kang_ctrl', column)
  const categories = [...new Set(texts)].filter((text) => text !== 'unknown').sort()
  return { column, categories, codes: Int32Array.from(texts, (text) => categories.indexOf(text)) }
}

async function kangReference(): Promise<ReferenceCells> {
  const { cells, fields } = goldenRows('kang_surgery.ref_scanvi_latent')
  const latent = Float32Array.from(fields.flat().map(Number))
  return {
    cells: cells.length,
    latent,
    columns: [await labelsOfReference('cell_type'), await labelsOfReference('coarse')],
  }
}

/** The kernel as specified, cell by cell, in plain numbers: label and uncertainty. */
function byHand(
  place: readonly number[],
  { latent, cells }: ReferenceCells,
  { categories, codes }: ReferenceColumn,
): { label: string; uncertainty: number } {
  const dims = place.length
  const found = Array.from({ length: cells }, (_, cell) => ({
    cell,
    distance: Math.sqrt(place.reduce((sum, value, d) => sum + (value - latent[cell * dims + d]!) ** 2, 0)),
  }))
  const near = found.sort((a, b) => a.distance - b.distance || a.cell - b.cell).slice(0, 50)
  const mean = near.reduce((sum, { distance }) => sum + distance, 0) / near.length
  const spread = Math.sqrt(near.reduce((sum, { distance }) => sum + (distance - mean) ** 2, 0) / near.length)
  const weights = near.map(({ distance }) => Math.exp(-distance / (2 / spread) ** 2))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const sums = categories.map(() => 0)
  for (const [i, { cell }] of near.entries())
    if (codes[cell]! >= 0) sums[codes[cell]!]! += weights[i]! / total
  const best = Math.max(...sums)
  return { label: categories[sums.indexOf(best)]!, uncertainty: 1 - best }
}

/** Share of the cells whose label the reference has that are called by it. */
function accuracy(
  predicted: readonly (string | undefined)[],
  truth: readonly string[],
  known: readonly string[],
) {
  const asked = truth.flatMap((label, cell) => (known.includes(label) ? [cell] : []))
  return asked.filter((cell) => predicted[cell] === truth[cell]).length / asked.length
}

describe.skipIf(!hasShared)('annotate with a SCANVI of scvi-tools', () => {
  let lab: Installation
  let reference: ReferenceCells
  const jobs: MappedJob[] = []
  beforeAll(async () => {
    lab = await makeInstallation()
    reference = await kangReference()
    await storeNetwork(lab, 'kang', await goldenModel('kang_surgery_ref_scanvi'), { reference })
    for (const folder of ['own', 'near', 'far', 'learnt'])
      await copyToInbox(lab, kang(folder === 'own' ? 'kang_ctrl' : 'kang_stim'), `jobs/${folder}/q.h5ad`)
  })
  afterAll(async () => {
    for (const { cells } of jobs) await cells.close()
    await lab?.folder[Symbol.asyncDispose]()
  })
  const annotate = async (name: string, settings: Record<string, unknown>) => {
    const job = await mapWith(lab, name, {
      workflow: 'annotate',
      query: 'q.h5ad',
      model: 'kang',
      ...settings,
    })
    jobs.push(job)
    const { columns } = await job.cells.obs()
    const latent = await arrayOf(await job.cells.mapping('obsm'), latentKey, [job.cells.rows, 10])
    return { job, columns, latent, predicted: textsOf(columns.get(predictedKey)) }
  }

  it('places cells of a batch that it knows where scvi-tools does, and gives them its labels', async () => {
    const { job, columns, latent, predicted } = await annotate('own', {
      batch_key: 'condition',
      write_probabilities: true,
    })
    expect(worst(latent, goldenRows('kang_surgery.ref_scanvi_latent'))).toBeLessThan(2e-5)
    const golden = goldenRows('kang_surgery.ref_scanvi_soft')
    const obsm = await job.cells.mapping('obsm')
    const soft = await arrayOf(obsm, `${latentKey}_probabilities`, [1000, golden.columns.length])
    expect(worst(soft, golden)).toBeLessThan(1e-4)
    const uncertainty = numbersOf(columns.get(`${predictedKey}_uncertainty`))
    for (const [cell, row] of golden.fields.entries()) {
      const most = Math.max(...row.map(Number))
      expect(uncertainty[cell]).toBeCloseTo(1 - most, 3)
      if (most > 0.51) expect(predicted[cell]).toBe(golden.columns[row.map(Number).indexOf(most)])
    }
    expect(plain(await job.cells.unstructured('cxg_cell_type_predictions'))).toMatchObject({
      ...{ model_name: 'kang', classifier: 'scanvi', mapping: 'frozen', n_latent: 10n },
      model_url: expect.stringMatching(/^celldrop:kang\//),
    })
    expect(job.cells.namesIn('obsm')).toEqual(
      expect.arrayContaining(['cxg_cell_type_umap', 'X_cxg_cell_type_umap']),
    )
    expect(job.result.notices.map(({ code }) => code)).not.toContain('BATCH_UNKNOWN')
    expect(job.page).toContain('Its own classifier')
  })

  it('labels by the nearest cells of the reference, by several columns at once', async () => {
    const { job, columns, latent, predicted } = await annotate('near', { classifier: 'knn', umap: false })
    const unsure = numbersOf(columns.get(`${predictedKey}_uncertainty`))
    const coarse = textsOf(columns.get(`${predictedKey}_coarse`))
    const unsureCoarse = numbersOf(columns.get(`${predictedKey}_coarse_uncertainty`))
    for (let cell = 0; cell < 1000; cell += 7) {
      const place = latent.slice(cell * 10, (cell + 1) * 10)
      const [fine, broad] = reference.columns.map((column) => byHand(place, reference, column))
      expect(unsure[cell]).toBeCloseTo(fine!.uncertainty, 4)
      expect(unsureCoarse[cell]).toBeCloseTo(broad!.uncertainty, 4)
      if (fine!.uncertainty < 0.49) expect(predicted[cell]).toBe(fine!.label)
      if (broad!.uncertainty < 0.49) expect(coarse[cell]).toBe(broad!.label)
    }
    expect(job.result.notices.map(({ code }) => code)).toContain('BATCH_UNKNOWN')
    expect(job.page).toContain('the 50 nearest of 1,000 cells of its reference')
    expect(job.page).toContain('With 15 neighbours')
    expect(job.page).toContain('Labels by &quot;coarse&quot;')
    expect(job.table[0]).toContain('predicted_coarse')
    const truth = await kangTexts('kang_stim', 'cell_type')
    expect(accuracy(predicted, truth, reference.columns[0]!.categories)).toBeGreaterThan(0.8)
  })

  it('labels by a regression on the places, by the column that is asked for', async () => {
    const { columns, predicted } = await annotate('far', {
      classifier: 'logistic',
      label_columns: ['coarse'],
      umap: false,
    })
    const truth = await kangTexts('kang_stim', 'coarse')
    expect(accuracy(predicted, truth, reference.columns[1]!.categories)).toBeGreaterThan(0.8)
    expect(columns.has(`${predictedKey}_cell_type`)).toBe(false)
  })

  it('learns the batch of the query first where it is asked to, and keeps the reference where it was', async () => {
    const { job, predicted, latent } = await annotate('learnt', {
      mapping: 'surgery',
      max_epochs: 30,
      majority_voting: true,
      over_clustering: 'cell_type',
    })
    const truth = await kangTexts('kang_stim', 'cell_type')
    const byCell = textsOf((await job.cells.obs()).columns.get(`${predictedKey}_by_cell`))
    expect(accuracy(byCell, truth, reference.columns[0]!.categories)).toBeGreaterThan(0.847 - 0.06)
    expect(accuracy(predicted, truth, reference.columns[0]!.categories)).toBeGreaterThan(0.8)
    expect(latent.every(Number.isFinite)).toBe(true)
    expect(job.result.timings.map(({ step }) => step)).toEqual(['Prepare', 'Fit', 'Embed', 'Label'])
    expect(job.result.outputs).toMatchObject({ elbo: 'elbo.png' })
    expect(job.files.get('elbo.png')!.subarray(1, 4).toString()).toBe('PNG')
    expect(job.page).toMatch(/learnt the batch of the query before, from 1,000 cells in \d+ epochs/)
    expect(job.result.notices.map(({ code }) => code)).not.toContain('BATCH_UNKNOWN')
  })
})
