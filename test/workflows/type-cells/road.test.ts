/**
 * Contract: the whole road of `type-cells` as `celldrop` runs it, on simulated tissue and two studies that call types and genes otherwise:
 * every key under SpatialCore's names, everything of the query as it was, a model that `annotate` takes, one result however often it is run.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../../lib/data/anndata/file.ts'
import { openCells } from '../../../lib/data/open-cells.ts'
import type { JobResult } from '../../../lib/workflows/parts/results.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, numbersOf, plain, textsOf } from '../../support/read-h5ad.ts'
import { filesUnder, fingerprints, runRoadOf, runStepsOf } from '../../support/road-run.ts'
import {
  categorical,
  ensemblNames,
  referenceFile,
  type StudyType,
  simulateStudy,
  studyFile,
  studyGenes,
  studyTypes,
  termIds,
  withProbes,
} from '../../support/simulated-studies.ts'
import { csvOf, resultOf, shareOf, type TypedRun, uploadTyping } from '../../support/type-cells-run.ts'
import { jobFile, walk } from '../../support/walk.ts'

const cells = 120
const classes = studyTypes.length

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

/** how the second study calls them */
const otherNames: Record<StudyType, string> = {
  'B cell': 'B cells',
  fibroblast: 'Fibroblasts',
  monocyte: 'monocytes',
  'natural killer cell': 'NK cells',
  'T cell': 'T lymphocytes',
}

describe('a job with everything that can be asked for', () => {
  const probed = withProbes(simulateStudy(3, cells))
  const names = probed.counts.map((_, cell) => `donor7-${cell}`)
  const clusters = probed.types.map((type, cell) => `${type} ${cell % 2}`)
  const settings = {
    query: 'my tissue.h5ad',
    tissue: 'blood',
    name: 'everything',
    umap: true,
    generate_plots: true,
    majority_voting: true,
    over_clustering: 'group',
    write_probabilities: true,
    write_neighbours: true,
    show_genes: ['CD3D', 'NOT-A-GENE'],
    seed: 11,
  }
  let run: TypedRun
  let input: string
  let source: AnnDataFile
  let file: AnnDataFile
  beforeAll(async () => {
    const obs = { truth: categorical(probed.types), group: categorical(clusters) }
    const query = studyFile(probed.counts, {
      genes: probed.genes,
      names,
      obs,
      spatial: true,
      uns: { lab: 'x' },
    })
    const uploaded = await uploadTyping(
      lab,
      {
        'my tissue.h5ad': query,
        'ref-1.h5ad': referenceFile(simulateStudy(1, 200), { ids: true }),
        'ref-2.h5ad': referenceFile(simulateStudy(2, 150, { depth: 3 }), {
          called: (type) => otherNames[type],
          genes: await ensemblNames(studyGenes),
        }),
      },
      settings,
    )
    input = join(lab.folder.path, 'inbox', uploaded.start.upload.key.replace(/[^/]*$/, 'my tissue.h5ad'))
    await runRoadOf(lab, uploaded.start)
    run = await resultOf(lab, { state: uploaded })
    source = (await openCells(input)) as AnnDataFile
    file = (await openCells(run.path)) as AnnDataFile
  })
  afterAll(async () => {
    await source.close()
    await file.close()
  })

  it('leaves the files that result.json tells of, and no others', () => {
    const { result, files } = run
    expect([...files.keys()].sort()).toEqual(['result.json', ...Object.values(result.outputs)].sort())
    expect([...files.keys()]).toEqual(
      expect.arrayContaining([
        ...['my tissue.annotated.h5ad', 'report.html', 'predictions.csv', 'training_cells.csv', 'umap.png'],
        ...['ontology_review.csv', 'celltyping_ontology_mapping.csv', 'celltyping_2d_validation.csv'],
        ...['celltyping_ontology_mapping.png', 'celltyping_2d_validation.png', 'celltyping_confidence.png'],
        ...['celltyping_deg_heatmap.png', 'celltyping_reliability.png', 'celltyping_marker_dotplot.png'],
        ...['blood-everything.pkl', 'blood-everything_celltypist.json', 'blood-everything_colors.json'],
      ]),
    )
    for (const [name, bytes] of files)
      if (name.endsWith('.png')) expect(bytes.subarray(1, 4).toString(), name).toBe('PNG')
    expect(result).toMatchObject({ workflow: 'type-cells', name: 'everything', status: 'succeeded' })
    expect(result.summary).toMatchObject({ cells, trainingCells: 350, types: classes, modelGenes: 60 })
    expect(result.timings.map(({ step }) => step)).toEqual(['Prepare', 'Fit', 'Embed', 'Label'])
  })

  it('has the columns of SpatialCore with their types, and ids that the schema takes', () => {
    const { columns } = run.obs
    const kinds = [...columns].map(([name, { kind }]) => [name, kind])
    expect(Object.fromEntries(kinds)).toEqual({
      ...{ truth: 'categorical', group: 'categorical' },
      ...{ cell_type: 'categorical', cell_type_predicted: 'categorical', cell_type_model: 'categorical' },
      ...{ cell_type_confidence: 'number', cell_type_confidence_raw: 'number' },
      ...{ cell_type_ontology_term_id: 'categorical', cell_type_ontology_label: 'categorical' },
      ...{ cell_type_ontology_tier: 'categorical', cell_type_ontology_score: 'number' },
      ...{ cell_type_out_of_reference: 'number', cell_type_reason: 'categorical' },
      ...{ cell_type_marker_check: 'categorical', cell_type_predicted_by_cell: 'categorical' },
      cell_type_majority_share: 'number',
    })
    const types = ['confidence', 'confidence_raw', 'ontology_score', 'out_of_reference'].map((name) => {
      const column = columns.get(`cell_type_${name}`)
      return column?.kind === 'number' ? column.type : undefined
    })
    expect(types).toEqual(['float32', 'float64', 'float64', 'float32'])
    expect(shareOf(run.predicted, probed.types)).toBe(1)
    expect(run.texts('cell_type_ontology_term_id')).toEqual(probed.types.map((type) => termIds.get(type)))
    expect(run.texts('cell_type_ontology_label')).toEqual(probed.types)
    for (const [cell, label] of run.labels.entries())
      expect([run.predicted[cell], 'Unassigned']).toContain(label)
    for (const name of ['cell_type_confidence', 'cell_type_confidence_raw', 'cell_type_out_of_reference'])
      for (const value of numbersOf(columns.get(name))) {
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThanOrEqual(1)
      }
    expect(new Set(run.texts('cell_type_model'))).toEqual(
      new Set([`blood-everything@${run.result.summary.model}`]),
    )
  })

  it('has scores and probabilities of every class, one map under both names, and the graph', async () => {
    const obsm = await file.mapping('obsm')
    const scores = arrayOf(obsm, 'cell_type_decision_scores', [cells, classes])
    const probabilities = arrayOf(obsm, 'cell_type_probabilities', [cells, classes])
    expect(plain(await file.unstructured('cell_type_cell_types'))).toEqual(studyTypes)
    const raw = numbersOf(run.obs.columns.get('cell_type_confidence_raw'))
    const own = run.texts('cell_type_predicted_by_cell')
    for (let cell = 0; cell < cells; cell++) {
      const row = scores.slice(cell * classes, (cell + 1) * classes)
      expect(own[cell]).toBe(studyTypes[row.indexOf(Math.max(...row))])
      expect(raw[cell]).toBeCloseTo(1 / (1 + Math.exp(-Math.max(...row))), 5)
      const sum = probabilities.slice(cell * classes, (cell + 1) * classes).reduce((a, b) => a + b, 0)
      expect(sum).toBeLessThanOrEqual(1 + 1e-5)
    }
    const maps = ['cell_type_umap', 'X_cell_type_umap'].map((name) => arrayOf(obsm, name, [cells, 2]))
    expect(maps[0]).toEqual(maps[1])
    expect(maps[0]!.every(Number.isFinite)).toBe(true)
    expect([...(await file.mapping('obsp')).keys()].sort()).toEqual([
      'cell_type_neighbors_connectivities',
      'cell_type_neighbors_distances',
    ])
  })

  it('has the vote of the clusters', () => {
    const own = run.texts('cell_type_predicted_by_cell')
    const shares = numbersOf(run.obs.columns.get('cell_type_majority_share'))
    for (let cell = 0; cell < cells; cell++) {
      const among = own.filter((_, other) => clusters[other] === clusters[cell])
      expect(shares[cell]).toBeCloseTo(
        among.filter((label) => label === run.predicted[cell]).length / among.length,
        6,
      )
    }
  })

  it('says in uns how the labels came about, what was found of the references, and the colours', async () => {
    expect(plain(await file.unstructured('spatialcore_annotation'))).toMatchObject({
      tissue: 'blood',
      n_references: 2n,
      references: ['ref-1', 'ref-2'],
      panel_genes: 60n,
      training_cells: 350n,
      balance_strategy: 'proportional',
      max_cells_per_type: 5000n,
      confidence_threshold: 0.8,
      n_cell_types: 5n,
      model_id: run.result.summary.model,
      counts_source: 'X',
      seed: 11n,
      created_at: '2026-11-21T10:00:00.000Z',
      job_id: run.state.start.jobId,
    })
    const found = JSON.parse(plain(await file.unstructured('validation_results')) as string)
    expect(found).toMatchObject([
      { reference: 'reference-1', column: 'cell_type', n_cells: 200, n_types: 5, findings: [] },
      { reference: 'reference-2', n_cells: 150 },
    ])
    const column = run.obs.columns.get('cell_type')
    const shown = column?.kind === 'categorical' ? Array.from(column.categories.values as string[]) : []
    const colours = plain(await file.unstructured('cell_type_colors')) as string[]
    expect(colours).toHaveLength(shown.length)
    expect(new Set(colours).size).toBe(shown.length)
    for (const colour of colours) expect(colour).toMatch(/^#[0-9A-F]{6}$/)
    const ofModel = JSON.parse(run.files.get('blood-everything_colors.json')!.toString())
    expect(Object.keys(ofModel)).toEqual(studyTypes)
  })

  it('keeps the counts: in layers, and every byte of the input where it was but for the head of the file', async () => {
    expect(file.matrices).toContain('layers/counts')
    expect(await rowsOf(file, 'layers/counts')).toEqual(probed.counts)
    expect(await rowsOf(file, 'X')).toEqual(probed.counts)
    const [before, after] = [readFileSync(input), run.files.get('my tissue.annotated.h5ad')!]
    expect(after.subarray(96, before.length).equals(before.subarray(96))).toBe(true)
    const [was, is] = [await source.obs(), await file.obs()]
    expect(is.index).toEqual(was.index)
    for (const [name, column] of was.columns) expect(is.columns.get(name)).toEqual(column)
    expect(await file.var()).toEqual(await source.var())
    expect(plain(await file.unstructured('lab'))).toBe('x')
    expect(arrayOf(await file.mapping('obsm'), 'spatial', [cells, 2])).toEqual(
      arrayOf(await source.mapping('obsm'), 'spatial', [cells, 2]),
    )
  })

  it('tells in its tables what the h5ad holds', () => {
    const lines = csvOf(run.files.get('predictions.csv'))
    expect(lines.map(({ cell }) => cell)).toEqual(names)
    expect(lines.map(({ cell_type }) => cell_type)).toEqual(run.labels)
    expect(lines.map(({ predicted }) => predicted)).toEqual(run.predicted)
    expect(lines.every(({ x, y }) => Number.isFinite(Number(x)) && y !== '')).toBe(true)
    expect(csvOf(run.files.get('training_cells.csv'))).toEqual(
      studyTypes.flatMap((type) =>
        [40, 30].map((count, at) => ({
          cell_type: type,
          cell_type_ontology_term_id: termIds.get(type),
          reference_source: `ref-${at + 1}`,
          n_before: String(count),
          n_after: String(count),
        })),
      ),
    )
    const mapped = csvOf(run.files.get('celltyping_ontology_mapping.csv'))
    expect(new Map(mapped.map((line) => [line.input_label, line.ontology_id]))).toEqual(
      new Map(
        [...studyTypes, ...studyTypes.map((type) => otherNames[type])].map((label) => {
          const type = studyTypes.find((one) => one === label || otherNames[one] === label)!
          return [label, termIds.get(type)]
        }),
      ),
    )
  })

  it('has a page with all sections and with no name of a cell', () => {
    const page = run.files.get('report.html')!.toString()
    for (const title of ['Training cells', 'Held-out reference cells', 'Marker genes', 'Confidence'])
      expect(page).toContain(title)
    for (const type of studyTypes) expect(page).toContain(type)
    expect(page).toContain('ref-1')
    expect(page).not.toContain('donor7')
    const sections = [...page.matchAll(/<section[^>]* id="([\w-]+)"/g)].map(([, id]) => id)
    expect(new Set(sections).size).toBe(sections.length)
    expect(sections).toEqual(expect.arrayContaining(['timings']))
    expect(run.codes).toEqual(
      expect.arrayContaining(['GENES_CONTROL_PROBES', 'GENES_TRANSLATED', 'GENE_NOT_FOUND']),
    )
  })

  it('leaves a model that annotate takes, with its ids', async () => {
    const { counts, types } = simulateStudy(8, 40)
    await lab.upload('jobs/after/q.h5ad', studyFile(counts))
    const job = jobFile({ query: 'q.h5ad', model: 'blood-everything', umap: false })
    const state = await walk(await lab.upload('jobs/after/job.json', job), lab.environment, 'PlanCompute')
    expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0])
    const opened = await openCells(join(lab.folder.path, 'outbox', state.start.output, 'q.annotated.h5ad'))
    const { columns } = await opened.obs()
    await opened.close()
    expect(textsOf(columns.get('cxg_cell_type_predicted'))).toEqual(types)
    expect(textsOf(columns.get('cxg_cell_type_predicted_ontology_term_id'))).toEqual(
      types.map((type) => termIds.get(type)),
    )
    const files = await filesUnder(lab.stores.outbox, state.start.output)
    const { summary } = JSON.parse(files.get('result.json')!.toString()) as JobResult
    expect(summary.model).toBe(run.result.summary.model)
  })

  it('comes to the same bytes when it is run again, step by step in one process', async () => {
    const { start } = run.state
    const again = { start: { ...start, attempt: 2, output: 'again/' } }
    const state = await walk(again, lab.environment, 'PlanCompute')
    expect(await runStepsOf(lab, state)).toEqual([0, 0, 0, 0, 0, 0])
    expect(fingerprints(await filesUnder(lab.stores.outbox, 'again/'))).toEqual(fingerprints(run.files))
  })
})

/** A matrix as rows of numbers. */
async function rowsOf(file: AnnDataFile, name: string): Promise<number[][]> {
  const matrix = await file.matrix(name)
  const rows = Array.from({ length: matrix.rows }, () => new Array<number>(matrix.columns).fill(0))
  for await (const slab of matrix.slabs())
    for (let row = 0; row < slab.rows; row++)
      for (let at = slab.indptr[row]!; at < slab.indptr[row + 1]!; at++)
        rows[slab.start + row]![slab.indices[at]!] = slab.values[at]!
  return rows
}
