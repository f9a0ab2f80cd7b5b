/** A report as a workflow would fill it, on simulated blood: 13 kinds of cells, two numbers, a batch. */

import { random } from '../../lib/job/random.ts'
import type { CategoricalColouring, NumberColouring, ReportContent } from '../../lib/report/content.ts'
import { histogram } from '../../lib/report/histogram.ts'

const types: [label: string, share: number, id: string | null, name: string | null, tier: string | null][] = [
  ['CD4+ naive T', 0.19, 'CL:0000895', 'naive thymus-derived CD4-positive, alpha-beta T cell', 'synonym'],
  ['CD4+ memory T', 0.15, 'CL:0000897', 'CD4-positive, alpha-beta memory T cell', 'alias'],
  ['CD8+ cytotoxic T', 0.12, 'CL:0000794', 'CD8-positive, alpha-beta cytotoxic T cell', 'exact name'],
  ['CD8+ naive T', 0.06, 'CL:0000900', 'naive thymus-derived CD8-positive, alpha-beta T cell', 'synonym'],
  ['Treg', 0.03, 'CL:0000815', 'regulatory T cell', 'alias'],
  ['NK CD56dim', 0.08, 'CL:0000939', 'CD16-positive, CD56-dim natural killer cell, human', 'alias'],
  ['NK CD56bright', 0.02, 'CL:0000938', 'CD16-negative, CD56-bright natural killer cell, human', 'alias'],
  ['B naive', 0.1, 'CL:0000788', 'naive B cell', 'exact name'],
  ['B memory', 0.06, 'CL:0000787', 'memory B cell', 'exact name'],
  ['CD14+ monocyte', 0.12, 'CL:0001054', 'CD14-positive monocyte', 'exact name'],
  ['CD16+ monocyte', 0.04, 'CL:0002397', 'CD14-low, CD16-positive monocyte', 'synonym'],
  ['DC', 0.02, null, null, 'tie'],
  ['Doublet-like 7', 0.01, null, null, 'none'],
]

export interface SampleCells {
  xy: Float32Array
  labels: CategoricalColouring
  uncertainty: NumberColouring
}

export function sampleCells(rows: number, { seed = 7 } = {}): SampleCells {
  const generator = random(seed)
  const centres = types.map((_, i) => {
    const angle = i * 2.4
    return [1.9 * Math.sqrt(i + 0.6) * Math.cos(angle), 1.7 * Math.sqrt(i + 0.6) * Math.sin(angle)] as const
  })
  const xy = new Float32Array(2 * rows)
  const codes = new Int32Array(rows)
  const values = new Float32Array(rows)
  for (let cell = 0; cell < rows; cell++) {
    let drawn = generator.uniform()
    let code = types.findIndex(([, share]) => {
      drawn -= share
      return drawn < 0
    })
    if (code < 0) code = 0
    const bend = generator.normal()
    xy[2 * cell] = centres[code]![0] + 0.62 * bend + 0.13 * generator.normal()
    xy[2 * cell + 1] = centres[code]![1] + 0.34 * bend * bend * Math.sin(code) + 0.3 * generator.normal()
    codes[cell] = code
    values[cell] = Math.min(
      1,
      (code > 10 ? 0.35 : 0.04) + 0.16 * Math.abs(bend) * Math.abs(generator.normal()),
    )
  }
  return {
    xy,
    labels: {
      kind: 'categorical',
      name: 'predicted label',
      codes,
      categories: types.map(([label]) => label),
    },
    uncertainty: {
      kind: 'number',
      name: 'uncertainty',
      values,
      low: 'sure',
      high: 'unsure',
      range: [0, 1],
    },
  }
}

export function sampleContent(rows = 4000): ReportContent {
  const { xy, labels, uncertainty } = sampleCells(rows)
  const generator = random(11)
  const donors = Int32Array.from({ length: rows }, () => generator.integer(3))
  const umis = Float32Array.from({ length: rows }, (_, cell) =>
    cell % 50 === 0 ? Number.NaN : Math.exp(7.6 + 0.45 * generator.normal()),
  )
  const lyz = Float32Array.from(labels.codes, (code) =>
    Math.max(0, (code === 9 || code === 10 ? 3.2 : 0.1) + 0.5 * generator.normal()),
  )
  const measures = types.map((_, type) => {
    const mine = uncertainty.values.filter((_value, cell) => labels.codes[cell] === type)
    return { cells: mine.length, mean: mine.reduce((sum, value) => sum + value, 0) / (mine.length || 1) }
  })
  const unsure = uncertainty.values.filter((value) => value > 0.5).length
  return {
    title: 'Cell types of pbmc_donor_a.h5ad',
    subtitle: `${rows.toLocaleString('en-GB')} cells, labelled with the model immune-blood-v2`,
    product: { name: 'Celldrop', version: '0.1.0' },
    created: '2026-11-28T14:03:11Z',
    jobId: 'pbmc-donor-a',
    headline: [
      { label: 'Cells', value: rows.toLocaleString('en-GB') },
      { label: 'Labels given', value: '13', note: 'of 32 that the model knows' },
      { label: 'Unsure cells', value: unsure.toLocaleString('en-GB'), note: 'uncertainty above 0.5' },
      { label: 'Genes of the model found', value: '94.1 %', note: '3,811 of 4,050' },
      { label: 'With a Cell Ontology term', value: '11 of 13' },
    ],
    summary: [
      'Raw counts were found in layers/counts. They were scaled to 10,000 a cell and log1p was taken; the file itself keeps its numbers.',
      'Each cell got the label of the highest probability; then clusters of like cells voted. Uncertainty is 1 minus the probability of the label.',
    ],
    layout: { name: 'UMAP', rows, xy },
    colourings: [
      labels,
      uncertainty,
      { kind: 'categorical', name: 'donor', codes: donors, categories: ['donor 1', 'donor 2', 'donor 3'] },
      { kind: 'number', name: 'UMIs a cell', values: umis },
      { kind: 'number', name: 'LYZ (log-normalised)', values: lyz },
    ],
    labelTable: types.map(([label, , ontologyId, ontologyName, tier], type) => ({
      label,
      cells: measures[type]!.cells,
      share: measures[type]!.cells / rows,
      meanUncertainty: measures[type]!.mean,
      ontologyId,
      ontologyName,
      tier,
      ...(label === 'DC'
        ? {
            candidates: [
              { id: 'CL:0000451', name: 'dendritic cell' },
              { id: 'CL:0000990', name: 'conventional dendritic cell' },
            ],
          }
        : {}),
    })),
    labelColouring: 'predicted label',
    notices: [
      {
        code: 'GENES_MISSING',
        place: 'pbmc_donor_a.h5ad:/var/_index',
        problem: '239 of 4,050 genes of the model are not in the file; they counted as not expressed',
        remedy: 'Map with a reference that has the same gene annotation if these matter to your question',
      },
      ...['DC', 'Doublet-like 7'].map((label) => ({
        code: 'LABEL_WITHOUT_TERM',
        place: `model:immune-blood-v2/${label}`,
        problem: `the label '${label}' has no single Cell Ontology term`,
        remedy: 'Name the term in "ontology_overrides"',
      })),
      ...Array.from({ length: 9 }, (_, i) => ({
        code: 'CELL_FEW_COUNTS',
        place: `pbmc_donor_a.h5ad:/obs row ${41 * (i + 1)}`,
        problem: 'the cell has fewer than 200 counts and was not labelled',
        remedy: 'Lower "min_counts" to label it all the same',
      })),
    ],
    histograms: [
      histogram(uncertainty.values, {
        title: 'Uncertainty of the cells',
        caption: '0 is sure, 1 is unsure. Below: the same by label.',
        groups: labels,
      }),
    ],
    figures: [],
    provenance: [
      [
        'Input',
        'pbmc_donor_a.h5ad, 48.2 MB, sha256 9f2c41d0a7e35b86c1f04a2be19d3374c0a5be6c2b8c8c41d5f0d1b7a6e2c913',
      ],
      ['Model', 'immune-blood-v2, CellTypist-type logistic regression, 32 labels, 4,050 genes'],
      ['Cell Ontology', 'release 2026-03-26'],
      ['Code', 'celldrop 0.1.0, Node 24.21.0, onnxruntime 1.30.0'],
    ],
    settings: [
      ['majority_voting', 'true'],
      ['mode', 'best match'],
      ['min_counts', '200'],
      ['seed', '0'],
    ],
    timings: [
      { step: 'InspectInput', seconds: 0.8 },
      { step: 'Prepare', seconds: 4.2 },
      { step: 'Embed', seconds: 1.9 },
      { step: 'Label', seconds: 21.4 },
      { step: 'Publish', seconds: 2.2 },
    ],
    cost: {
      text: 'About 0.004 USD of cloud machines, at list prices of 2026-11.',
      lines: [
        ['Batch, 2 vCPU x 31 s', '0.0009 USD'],
        ['Lambda and Step Functions', '0.0031 USD'],
      ],
    },
    files: [
      { name: 'pbmc_donor_a.annotated.h5ad', note: 'the input with the new columns' },
      { name: 'predictions.csv', note: 'one line a cell' },
      { name: 'umap.png', note: 'the map, for slides' },
    ],
  }
}
