/**
 * Oracle and laws: two references of five types are told apart as SpatialCore's own run on such tells them (O17 of its recorded runs), and
 * what does not matter changes nothing: the order of cells, genes and references, depth, genes that no reference knows, how zeros are kept.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf, plain } from '../../support/read-h5ad.ts'
import {
  referenceFile,
  simulateStudy,
  studyFile,
  studyGenes,
  studyTypes,
  termIds,
} from '../../support/simulated-studies.ts'
import { csvOf, type JobFiles, shareOf, type TypedRun, typed } from '../../support/type-cells-run.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

describe('five types in two references of 1500 and 1200 cells', () => {
  const query = simulateStudy(103, 600)
  const files = {
    'q.h5ad': studyFile(query.counts),
    'ref-1.h5ad': referenceFile(simulateStudy(101, 1500), { ids: true }),
    'ref-2.h5ad': referenceFile(simulateStudy(102, 1200, { depth: 2 }), { ids: true }),
  }
  const provenance = (run: TypedRun) =>
    run.look(async (file) => plain(await file.unstructured('spatialcore_annotation')))

  it('are learnt from all cells, and none of 600 is called wrong', async () => {
    const run = await typed(lab, files)
    expect(shareOf(run.predicted, query.types)).toBe(1)
    expect(await provenance(run)).toMatchObject({
      training_cells: 2700n,
      n_cell_types: 5n,
      n_references: 2n,
      panel_genes: 60n,
    })
    expect(shareOf(run.labels, query.types)).toBeGreaterThan(0.95)
    expect(run.result.summary.heldOut).toMatchObject({ accuracy: 1 })
  })

  it('are called as well by everything as SpatialCore has it, with its z-scores below their ceiling', async () => {
    const run = await typed(lab, files, { compat: 'spatialcore', min_cells_per_type: 50 })
    expect(shareOf(run.predicted, query.types)).toBe(1)
    expect(await provenance(run)).toMatchObject({
      training_cells: 2700n,
      classifier: 'sgd_mini_batch',
      confidence_transform: 'zscore',
    })
    const confidence = numbersOf(run.obs.columns.get('cell_type_confidence'))
    const ceiling = 1 / (1 + Math.exp(-Math.sqrt(studyTypes.length - 1)))
    expect(Math.max(...confidence)).toBeLessThanOrEqual(ceiling + 1e-6)
    // recorded: a mean of 0.862 below a ceiling of 0.881
    expect(confidence.reduce((sum, value) => sum + value, 0) / confidence.length).toBeGreaterThan(0.84)
    expect(run.obs.columns.has('cell_type_out_of_reference')).toBe(false)
    expect(run.labels).toEqual(
      run.predicted.map((type, cell) => (confidence[cell]! < 0.8 ? 'Unassigned' : type)),
    )
    expect(new Set(run.texts('cell_type_ontology_term_id'))).toEqual(new Set(termIds.values()))
  })
})

describe('labels and scores stay what they are', () => {
  const query = simulateStudy(203, 50)
  const [one, two] = [simulateStudy(201, 150), simulateStudy(202, 120, { depth: 2 })]
  const base: JobFiles = {
    'q.h5ad': studyFile(query.counts),
    'ref-1.h5ad': referenceFile(one),
    'ref-2.h5ad': referenceFile(two, { called: (type) => `${type}s` }),
  }
  /** fewer than each reference has, so that cells are drawn */
  const settings = { max_cells_per_type: 30, min_cells_per_source: 5 }
  let before: Found
  beforeAll(async () => {
    before = await found(await typed(lab, base, settings))
  })

  interface Found {
    predicted: (string | undefined)[]
    scores: number[][]
    confidence: number[]
  }
  async function found(run: TypedRun): Promise<Found> {
    const classes = studyTypes.length
    const scores = await run.look(async (file) =>
      arrayOf(await file.mapping('obsm'), 'cell_type_decision_scores', [50, classes]),
    )
    const rows = Array.from({ length: 50 }, (_, cell) => scores.slice(cell * classes, (cell + 1) * classes))
    const { predicted, obs } = run
    return { predicted, scores: rows, confidence: numbersOf(obs.columns.get('cell_type_confidence')) }
  }
  const near = (is: Found, digits: number) => {
    expect(is.predicted).toEqual(before.predicted)
    for (const [cell, row] of is.scores.entries())
      for (const [at, score] of row.entries()) expect(score).toBeCloseTo(before.scores[cell]![at]!, digits)
    for (const [cell, value] of is.confidence.entries())
      expect(value).toBeCloseTo(before.confidence[cell]!, digits)
  }
  const withQuery = async (file: JobFiles[string]) =>
    found(await typed(lab, { ...base, 'q.h5ad': file }, settings))

  it('is not trivially so: another seed draws other cells, and gives other scores', async () => {
    const other = await found(await typed(lab, base, { ...settings, seed: 1 }))
    expect(other.predicted).toEqual(before.predicted)
    expect(other.scores).not.toEqual(before.scores)
  })

  it('when the cells of the query come in another order, to the last bit', async () => {
    const order = query.counts.map((_, cell) => (cell * 7 + 3) % 50)
    const is = await withQuery(studyFile(order.map((cell) => query.counts[cell]!)))
    expect(is.predicted).toEqual(order.map((cell) => before.predicted[cell]))
    expect(is.scores).toEqual(order.map((cell) => before.scores[cell]))
    expect(is.confidence).toEqual(order.map((cell) => before.confidence[cell]))
  })

  it('when the genes of the query come in another order', async () => {
    const order = studyGenes.map((_, gene) => (gene * 7 + 3) % studyGenes.length)
    const counts = query.counts.map((row) => order.map((gene) => row[gene]!))
    near(await withQuery(studyFile(counts, { genes: order.map((gene) => studyGenes[gene]!) })), 5)
  })

  it('when the query has genes that no reference has', async () => {
    const counts = query.counts.map((row, cell) => [...row, cell % 5, 300])
    near(await withQuery(studyFile(counts, { genes: [...studyGenes, 'TP53', 'MYC'] })), 5)
  })

  it('when all counts of the query are three times as high and references are not thinned to its depth', async () => {
    const asTheyAre = { ...settings, match_depth: false }
    const was = await found(await typed(lab, base, asTheyAre))
    const threefold = studyFile(query.counts.map((row) => row.map((count) => 3 * count)))
    const is = await found(await typed(lab, { ...base, 'q.h5ad': threefold }, asTheyAre))
    expect(is.predicted).toEqual(was.predicted)
    for (const [cell, row] of is.scores.entries())
      for (const [at, score] of row.entries()) expect(score).toBeCloseTo(was.scores[cell]![at]!, 4)
  })

  it('when the query keeps its zeros', async () => {
    const is = await withQuery(studyFile(query.counts, { layout: 'dense' }))
    expect(is).toEqual(before)
  })

  it('when the references come in another order: the same cells are drawn of each', async () => {
    const swapped = await typed(lab, base, { ...settings, references: ['ref-2.h5ad', 'ref-1.h5ad'] })
    const is = await found(swapped)
    expect(is.predicted).toEqual(before.predicted)
    for (const [cell, row] of is.scores.entries())
      for (const [at, score] of row.entries()) expect(score).toBeCloseTo(before.scores[cell]![at]!, 3)
    const drawn = csvOf(swapped.files.get('training_cells.csv'))
    expect(drawn.every(({ n_before, n_after }) => Number(n_after) <= Number(n_before))).toBe(true)
    expect(drawn.reduce((sum, { n_after }) => sum + Number(n_after), 0)).toBe(150)
  })

  it('when the cells of a reference come in another order and all of them are learnt from', async () => {
    const all = await typed(lab, base, {})
    const order = one.types.map((_, cell) => (cell * 7 + 3) % 150)
    const shuffled = {
      counts: order.map((cell) => one.counts[cell]!),
      types: order.map((cell) => one.types[cell]!),
    }
    const again = await typed(lab, { ...base, 'ref-1.h5ad': referenceFile(shuffled) }, {})
    expect(again.predicted).toEqual(all.predicted)
    const [was, is] = [await found(all), await found(again)]
    for (const [cell, row] of is.scores.entries())
      for (const [at, score] of row.entries()) expect(score).toBeCloseTo(was.scores[cell]![at]!, 3)
  })
})
