/**
 * Twin: a job with `min_confidence` says of every cell what the same job without says, but for the cells that are unsure of their label;
 * and contract: where the labels before are kept, and how a reader learns how many there are.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BadInput } from '../../lib/job/errors.ts'
import { checkSettings } from '../../lib/job/manifest.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { type Annotations, annotateWith, saveRandomModel } from '../support/several-models.ts'
import { simulatedGenes, simulatedQuery } from '../support/simulated-cells.ts'

const cells = 80
const labels = {
  first: ['B cell', 'monocyte', 'T cell'],
  second: ['T cell', '__proto__', 'constructor', 'B cell'],
  holding: ['Unassigned', 'T cell', 'Heterogeneous'],
}
const genes = {
  first: simulatedGenes.slice(0, 40),
  second: simulatedGenes.slice(20),
  holding: simulatedGenes.slice(0, 9),
}
const ontology = {
  Unassigned: { id: 'CL:0000000', name: 'cell', tier: 'existing' },
  Heterogeneous: null,
  'T cell': { id: 'CL:0000084', name: 'T cell', tier: 'existing' },
}

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
  for (const [seed, name] of (['first', 'second', 'holding'] as const).entries()) {
    const facts = { name, genes: genes[name], labels: labels[name], seed, ...(seed === 2 && { ontology }) }
    await saveRandomModel(lab, facts)
  }
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

let count = 0
const run = (settings: Record<string, unknown>) =>
  annotateWith(lab, `job-${count++}`, {
    query: simulatedQuery(4, cells),
    settings: { write_second: true, write_probabilities: true, min_genes: 1, seed: 5, ...settings },
  })

/** Of each cell the highest probability that a model gives the label, or of what is no label of a model the cell's own best. */
function probabilitiesOf({ uns, probabilities, model }: Annotations, given: (string | undefined)[]) {
  const classes = uns.classes as string[]
  return given.map((label, cell) => {
    const row = probabilities!.slice(cell * classes.length, (cell + 1) * classes.length)
    const k = classes.indexOf(label!)
    if (k >= 0) return row[k]!
    const own = model === null ? classes : labels[model[cell] as keyof typeof labels]
    return Math.max(...own.map((name) => row[classes.indexOf(name)]!))
  })
}

/** A probability that some cell has, so that it shows on which side of the bound a cell exactly at it is. */
const quarterOf = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)]!

const several = { model: ['first', 'second'] }
const voting = { majority_voting: true, over_clustering: 'group' }

describe.each([
  ['one model and shares for uncertainty', { model: 'first', uncertainty: 'normalised' }],
  ['a vote and shares', { model: 'second', ...voting, uncertainty: 'normalised' }],
  ['a vote without winners', { model: 'first', ...voting, min_proportion: 0.9 }],
  ['lists of labels', { model: 'second', mode: 'prob_match', p_threshold: 0.05 }],
  ['several models', several],
  ['several models and a vote', { ...several, ...voting, min_proportion: 0.4 }],
])('a job with %s', (_, settings) => {
  let without: Awaited<ReturnType<typeof run>>
  let made: Awaited<ReturnType<typeof run>>
  let sure: number[]
  let least: number
  let lost: number
  beforeAll(async () => {
    without = await run(settings)
    sure = probabilitiesOf(without.annotations, without.annotations.predicted)
    least = quarterOf(sure)
    made = await run({ ...settings, min_confidence: least })
    lost = made.annotations.predicted.filter((label) => label === 'Unassigned').length
  })

  it('leaves exactly the cells unassigned whose label has a lower probability', () => {
    const expected = without.annotations.predicted.map((label, cell) =>
      sure[cell]! < least ? 'Unassigned' : label,
    )
    expect(made.annotations.predicted).toEqual(expected)
    expect(lost).toBeGreaterThan(0)
    expect(lost).toBeLessThan(cells)
  })

  it('keeps the label before, and everything else that is said of a cell', () => {
    const { predicted, raw, ids, uns, ...rest } = made.annotations
    const { predicted: before, raw: none, ids: idsBefore, uns: unsBefore, ...same } = without.annotations
    expect(raw).toEqual(before)
    expect(none).toBeNull()
    expect(rest).toEqual(same)
    expect(ids).toEqual(idsBefore.map((id, cell) => (predicted[cell] === 'Unassigned' ? 'unknown' : id)))
    expect(Number(uns.min_confidence)).toBe(least)
    expect(uns.n_cells_unassigned).toBe(BigInt(lost))
    expect(unsBefore).not.toHaveProperty('min_confidence')
    expect(uns.label_ontology).toEqual(unsBefore.label_ontology)
  })

  it('tells how many there are in result, table and page', () => {
    expect(made.result.summary).toMatchObject({ cells, unassigned: lost, labels: { Unassigned: lost } })
    expect(without.result.summary).not.toHaveProperty('unassigned')
    const [header, ...rows] = made.table.map((line) => line.split(','))
    const column = (name: string) => rows.map((row) => row[header!.indexOf(name)])
    expect(column('predicted')).toEqual(made.annotations.predicted)
    expect(column('predicted_raw')).toEqual(made.annotations.raw)
    expect(column('ontology_term_id')).toEqual(made.annotations.ids)
    expect(without.table[0]!.split(',')).not.toContain('predicted_raw')
    expect(made.page).toContain(`${lost} have no label`)
    expect(without.page).not.toContain('have no label')
  })
})

describe('cells without a label', () => {
  it('are grey in map and table, and are no label that the page counts', async () => {
    const { page, result } = await run({ model: 'first', umap: true, min_confidence: 0.9 })
    const cell = /<svg class="swatch"[^>]*><circle[^>]*fill="([^"]*)"\/><\/svg><bdi>Unassigned<\/bdi>/.exec(
      page,
    )
    expect(cell?.[1]).toBe('#9a9a9a')
    const data = /<script type="application\/json" id="map-data">(.*?)<\/script>/s.exec(page)![1]!
    const { colourings } = JSON.parse(data) as {
      colourings: { name: string; categories: { name: string; colour: string }[] }[]
    }
    const shown = (name: string) => colourings.find((one) => one.name === name)!.categories
    expect(shown('Predicted label')).toContainEqual(
      expect.objectContaining({ name: 'Unassigned', colour: '#9a9a9a' }),
    )
    expect(shown('Label before min_confidence').map(({ name }) => name)).not.toContain('Unassigned')
    const kinds = Object.keys(result.summary.labels as object).filter((label) => label !== 'Unassigned')
    const headline = `<bdi>Labels</bdi></dt><dd><span class="headline-value"><bdi>${kinds.length}</bdi></span>`
    expect(page).toContain(`${headline}<span class="headline-note"><bdi>unassigned: `)
  })

  it('are not told of by a later run that overwrites this one and leaves every cell its label', async () => {
    const query = simulatedQuery(4, cells)
    for (const name of ['predicted', 'predicted_raw'])
      query.obs.columns.set(`cxg_cell_type_${name}`, query.obs.columns.get('truth')!)
    const settings = { model: 'first', min_genes: 1, overwrite: true }
    const { annotations } = await annotateWith(lab, 'again', { query, settings })
    expect(annotations.raw).toBeNull()
  })

  it('are told where they are more than half', async () => {
    const codes = async (min_confidence: number) =>
      (await run({ model: 'first', min_confidence })).result.notices.map(({ code }) => code)
    expect(await codes(1)).toContain('LABELS_MOSTLY_UNSURE')
    expect(await codes(1e-30)).not.toContain('LABELS_MOSTLY_UNSURE')
  })

  it('are one category with a class of the model of that name, and never have its term', async () => {
    const { annotations } = await run({ model: 'holding', min_confidence: 0.99 })
    expect(annotations.raw).toContain('Unassigned')
    const none = annotations.predicted.flatMap((label, cell) => (label === 'Unassigned' ? [cell] : []))
    expect(none.some((cell) => annotations.raw![cell] !== 'Unassigned')).toBe(true)
    for (const cell of none) expect(annotations.ids[cell]).toBe('unknown')
  })

  it('are one category with those that have no label above p_threshold', async () => {
    const settings = { model: 'first', mode: 'prob_match', p_threshold: 0.5, min_confidence: 0.9 }
    const { annotations } = await run(settings)
    expect(annotations.raw).toContain('Unassigned')
    const sure = probabilitiesOf(annotations, new Array<undefined>(cells).fill(undefined))
    expect(annotations.predicted).toEqual(
      annotations.raw!.map((label, cell) => (sure[cell]! < 0.9 ? 'Unassigned' : label)),
    )
  })
})

describe('a vote without winners', () => {
  it('is one category with a class of the model that is called "Heterogeneous"', async () => {
    const { annotations, result } = await run({ model: 'holding', ...voting, min_proportion: 0.8 })
    const voted = annotations.predicted.map(
      (label, cell) => label === 'Heterogeneous' && annotations.byCell![cell],
    )
    expect(voted).toContain('Unassigned')
    expect(voted).toContain('Heterogeneous')
    const counts = result.summary.labels as Record<string, number>
    expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(cells)
  })
})

describe('the setting', () => {
  const settingsOf = (min_confidence: unknown) =>
    checkSettings({ workflow: 'annotate', query: 'q.h5ad', model: 'first', min_confidence }, 'job.yaml')

  it.each([-0.01, 1.01, 'high', null])('refuses %j', (value) => {
    expect(() => settingsOf(value)).toThrowError(
      expect.objectContaining<Partial<BadInput>>({ code: 'SETTING_INVALID' }),
    )
  })
})
