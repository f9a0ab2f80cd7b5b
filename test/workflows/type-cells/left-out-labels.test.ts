/** Contract: labels that the job does not want to learn from, or that are wider than others, are left out before cells are drawn, and told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StepRecord } from '../../../lib/job/steps.ts'
import type { LabelTerm } from '../../../lib/workflows/workflow.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { referenceFile, type StudyType, simulateStudy, studyFile } from '../../support/simulated-studies.ts'
import { csvOf, typed, uploadTyping } from '../../support/type-cells-run.ts'
import { readObject, walk } from '../../support/walk.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

const query = studyFile(simulateStudy(9, 20).counts)
const study = simulateStudy(1, 200)
type Called = (type: StudyType, cell: number) => string | undefined

/** MatchOntology of a job with one reference for each way of calling the types. */
async function matched(called: Called[], settings: Record<string, unknown> = {}, ids = false) {
  const references = called.map(
    (of, i) => [`ref-${i + 1}.h5ad`, referenceFile(study, { called: of, ids })] as const,
  )
  const start = await uploadTyping(lab, { 'q.h5ad': query, ...Object.fromEntries(references) }, settings)
  const { ontology } = await walk(start, lab.environment, 'MatchOntology')
  const labels = await readObject<Record<string, LabelTerm>>(lab, ontology!.key)
  const { notices } = await readObject<StepRecord>(lab, ontology!.key.replace('labels', 'record'))
  const leftOut = Object.entries(labels).flatMap(([label, term]) =>
    term.leftOut === undefined ? [] : [label],
  )
  const told = (code: string) =>
    notices.filter((notice) => notice.code === code).map(({ problem }) => problem)
  return { labels, leftOut, told, codes: notices.map(({ code }) => code) }
}

/** A third of the T cells by the name of a subtype, but at most as many as told. */
const withSubtype =
  (most = 1000, name = 'CD4-positive, alpha-beta T cell'): Called =>
  (type, cell) =>
    type === 'T cell' && cell % 3 === 0 && cell < most ? name : type

describe('ids and labels that references bring', () => {
  it('are told for each reference: how many of its labelled cells have an id', async () => {
    const partly: Called = (type, cell) => (cell < 5 ? undefined : type)
    const references = {
      'ref-1.h5ad': referenceFile(study, { called: partly, ids: true }),
      'ref-2.h5ad': referenceFile(study),
    }
    const start = await uploadTyping(lab, { 'q.h5ad': query, ...references })
    const { ontology } = await walk(start, lab.environment, 'MatchOntology')
    const { notices } = await readObject<StepRecord>(lab, ontology!.key.replace('labels', 'record'))
    expect(notices.filter(({ code }) => code === 'ONTOLOGY_COVERAGE')).toEqual([
      {
        code: 'ONTOLOGY_COVERAGE',
        place: 'labels of reference-1',
        problem: '195 of 195 labelled cells (100.0 %) bring a Cell Ontology id',
        remedy: 'Nothing to do',
      },
      {
        code: 'ONTOLOGY_COVERAGE',
        place: 'labels of reference-2',
        problem: '0 of 200 labelled cells (0.0 %) bring a Cell Ontology id',
        remedy: expect.stringContaining('table of labels'),
      },
    ])
  })

  it('are told where labels hold a path of types', async () => {
    const path = await matched([(type) => (type === 'T cell' ? 'Lymphoid > T cell' : type)])
    expect(path.told('LABELS_HIERARCHICAL')).toMatchObject([expect.stringContaining('"Lymphoid > T cell"')])
    expect((await matched([(type) => type])).codes).not.toContain('LABELS_HIERARCHICAL')
  })
})

describe('resolve_hierarchy', () => {
  const settings = { resolve_hierarchy: 'remove_parents' }

  it('leaves nothing out unless it is asked for', async () => {
    const { leftOut, codes } = await matched([withSubtype()])
    expect(leftOut).toEqual([])
    expect(codes).not.toContain('LABELS_PARENTS')
  })

  it('leaves out every label of a type that another type is a kind of, by the ontology, and names them', async () => {
    const { labels, leftOut, told } = await matched([withSubtype(), (type) => `${type}s`], settings)
    expect(leftOut.sort()).toEqual(['T cell', 'T cells'])
    expect(labels['T cell']).toMatchObject({
      id: 'CL:0000084',
      leftOut: expect.stringContaining('kinds of it'),
    })
    expect(told('LABELS_PARENTS')).toMatchObject([
      expect.stringMatching(/^1 types .*"T cells?", "T cells?" \(CL:0000084; wider than "CD4-positive/),
    ])
  })

  it('keeps a type whose only narrower label has too few cells to be learnt', async () => {
    expect((await matched([withSubtype(40)], settings)).leftOut).toEqual([])
    const lowered = { ...settings, filter_min_cells: false, min_cells_per_type: 1 }
    expect((await matched([withSubtype(40)], lowered)).leftOut).toEqual(['T cell'])
    // thirteen of two hundred cells are too few when a quarter of them is drawn
    expect((await matched([withSubtype()], settings)).leftOut).toEqual(['T cell'])
    expect((await matched([withSubtype()], { ...settings, max_cells_per_ref: 50 })).leftOut).toEqual([])
  })

  it('goes by the words of labels with the policy of SpatialCore', async () => {
    const spatialcore = { ...settings, ontology_policy: 'spatialcore' }
    // two words are needed: "monocyte" is no parent of "classical monocyte"
    const named: Called = (type, cell) =>
      type === 'monocyte' && cell % 2 === 0
        ? 'classical monocyte'
        : withSubtype(1000, 'alveolar T cell')(type, cell)
    const { leftOut, told } = await matched([named], spatialcore, true)
    expect(leftOut).toEqual([])
    expect(told('LABELS_PARENTS')).toEqual([])
    const { leftOut: byWords } = await matched([withSubtype(1000, 'gamma-delta T cell')], spatialcore)
    expect(byWords).toEqual(['T cell'])
  })

  it('says of labels without a term that they were not judged', async () => {
    const { told } = await matched([(type) => (type === 'monocyte' ? 'Cluster 7 thing' : type)], settings)
    expect(told('LABELS_PARENTS_NOT_ASSESSED')).toMatchObject([expect.stringContaining('"Cluster 7 thing"')])
  })
})

describe('keep_terms', () => {
  it('takes labels by their term, and by terms above where a plus says so', async () => {
    const kept = async (expression: string) => {
      const { labels, leftOut } = await matched([withSubtype()], { keep_terms: expression })
      return Object.keys(labels)
        .filter((label) => !leftOut.includes(label))
        .sort()
    }
    expect(await kept('CL:0000084 | CL:0000236')).toEqual(['B cell', 'T cell'])
    expect(await kept('cl_0000084+ | CL:0000236')).toEqual([
      'B cell',
      'CD4-positive, alpha-beta T cell',
      'T cell',
    ])
    // lymphocytes but for B cells
    expect(await kept('CL:0000542+ & ~CL:0000236')).toEqual([
      ...['CD4-positive, alpha-beta T cell', 'T cell', 'natural killer cell'],
    ])
  })

  it('names what it leaves out', async () => {
    const { told } = await matched([(type) => type], { keep_terms: '~CL:0000057' })
    expect(told('LABELS_NOT_KEPT')).toMatchObject([expect.stringMatching(/^1 of 5 labels .*"fibroblast"$/)])
  })

  it.each([
    ['CL:0000084 &', 'TERM_FILTER', 'it ends'],
    ['CL:9999999', 'KEEP_TERMS_ID', 'CL:9999999 is no current term'],
    ['UBERON:0002048', 'KEEP_TERMS_ID', 'UBERON:0002048'],
    ['CL:0000542', 'KEEP_TERMS_NONE', 'none of the 5 labels'],
  ])('is refused as %j: %s', async (expression, code, problem) => {
    await expect(matched([(type) => type], { keep_terms: expression })).rejects.toMatchObject({
      code,
      place: expect.stringContaining('keep_terms'),
      problem: expect.stringContaining(problem),
    })
  })

  it.each([{ keep_terms: 'CL:0000084' }, { resolve_hierarchy: 'remove_parents' }])(
    'and its like need ids: %o without add_ontology is refused',
    async (settings) => {
      const start = matched([(type) => type], { ...settings, add_ontology: false })
      await expect(start).rejects.toMatchObject({ code: 'ONTOLOGY_NEEDED' })
    },
  )
})

describe('what is left out', () => {
  it('is not among the cells that are learnt from, nor among those drawn of a large reference', async () => {
    const files = {
      'q.h5ad': query,
      'ref-1.h5ad': referenceFile(study, { called: withSubtype() }),
      'ref-2.h5ad': referenceFile(simulateStudy(2, 150, { types: ['fibroblast', 'T cell'] })),
    }
    const run = await typed(lab, files, {
      resolve_hierarchy: 'remove_parents',
      keep_terms: '~CL:0000236',
      max_cells_per_ref: 60,
      min_cells_per_label: 1,
      min_cells_per_type: 1,
    })
    const rows = csvOf(run.files.get('training_cells.csv'))
    expect([...new Set(rows.map(({ cell_type: type }) => type))].sort()).toEqual([
      ...['CD4-positive, alpha-beta T cell', 'fibroblast', 'monocyte', 'natural killer cell'],
    ])
    expect(rows.reduce((sum, row) => sum + Number(row.n_before), 0)).toBe(120)
    expect(run.codes).toEqual(
      expect.arrayContaining(['LABELS_PARENTS', 'LABELS_NOT_KEPT', 'ONTOLOGY_COVERAGE']),
    )
    // the term of a label is shown, learnt or not
    const mapping = csvOf(run.files.get('celltyping_ontology_mapping.csv'))
    expect(mapping.find((row) => row.input_label === 'B cell')).toMatchObject({ ontology_id: 'CL:0000236' })
  })
})
