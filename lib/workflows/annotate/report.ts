/** The page of `annotate`: what a biologist wants to know before trusting a label, in plain words. */

import { product } from '../../job/product.ts'
import type { Colouring, Fact, LabelRow, ReportContent } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import type { ScatterPicture } from '../../report/scatter-png.ts'
import { countsOf } from '../parts/coded.ts'
import { costOf, obsColourings, settingFacts } from '../parts/page-parts.ts'
import type { Annotated } from './annotated.ts'
import type { AnnotateContext } from './context.ts'

export function reportContent(
  annotated: Annotated,
  { context, outputs }: { context: AnnotateContext; outputs: Record<string, string> },
): ReportContent {
  const { job, road } = context
  const { labels, uncertainty, layout, prepared } = annotated
  return {
    title: job.name,
    subtitle: `Cell types by ${annotated.model.name}`,
    product,
    created: job.created,
    jobId: job.jobId,
    headline: headline(annotated),
    summary: summary(annotated, context),
    layout:
      layout === null
        ? null
        : { name: 'UMAP', rows: prepared.cells, xy: layout, note: layoutNote(annotated, context) },
    ...(layout === null && {
      layoutAbsent: 'The job did not ask for a map, or there were too few cells for one.',
    }),
    colourings: colourings(annotated, context),
    labelTable: labelTable(annotated, context),
    labelColouring: 'Predicted label',
    notices: annotated.notices,
    histograms: [
      histogram(uncertainty, {
        title: 'Uncertainty',
        caption: '1 - the highest probability of the model: 0 is sure, 1 is unsure.',
        groups: labels,
      }),
    ],
    figures: [],
    provenance: provenance(annotated, context),
    settings: settingFacts(road.settings),
    timings: annotated.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: files(outputs),
  }
}

/** The picture for slides: cells by their label. */
export function scatterOf(
  { layout, labels }: Annotated,
  { road, job }: AnnotateContext,
): ScatterPicture | null {
  if (layout === null) return null
  return {
    xy: layout,
    colouring: { kind: 'categorical', name: 'Predicted label', ...labels },
    title: job.name,
    seed: road.settings.seed,
  }
}

function headline({ prepared, labels, plan, uncertainty, fewCounts }: Annotated): ReportContent['headline'] {
  const unsure = uncertainty.reduce((count, value) => count + Number(value > 0.5), 0)
  const few = fewCounts?.reduce((count, flag) => count + flag, 0) ?? 0
  return [
    {
      label: 'Cells',
      value: wholeNumber(prepared.cells),
      note: few > 0 ? `${wholeNumber(few)} with few counts` : 'all kept',
    },
    { label: 'Labels', value: String(countsOf(labels).length) },
    {
      label: 'Genes of the model found',
      value: percentage(plan.share),
      note: `${wholeNumber(plan.found)} of ${wholeNumber(plan.modelGenes)}`,
    },
    {
      label: 'Cells with uncertainty above 0.5',
      value: percentage(prepared.cells === 0 ? 0 : unsure / prepared.cells),
      note: `${wholeNumber(unsure)} cells`,
    },
  ]
}

function summary({ plan, prepared, labelled, model }: Annotated, { road }: AnnotateContext): string[] {
  const { settings } = road
  const { counts, inspection } = road.inputs[0]!.facts
  const source =
    counts.from === 'counts'
      ? `The raw counts in ${counts.matrix} were scaled to 10,000 a cell and log-transformed.`
      : `${counts.matrix} was used as it is: logs of counts scaled to 10,000 a cell.`
  const column = plan.column === null ? 'the index of var' : `the var column "${plan.column}"`
  const lines = [
    `${wholeNumber(prepared.cells)} cells x ${wholeNumber(prepared.genes)} genes were read. ${source} The file's own matrices are unchanged.`,
    `Genes were taken from ${column} (${plan.idType}). ${wholeNumber(plan.found)} of the ${wholeNumber(plan.modelGenes)} genes of the model are in the file; a gene that is missing counts as average.`,
    `The model "${model.name}" gave each cell a score for each of its ${labelled.classes.length} labels; ${
      settings.mode === 'best_match'
        ? 'a cell has the label with the highest score, even where none fits well: look at the uncertainty.'
        : `a cell has every label with a probability above ${settings.p_threshold}, or "Unassigned".`
    }`,
  ]
  if (labelled.voting !== null) lines.push(votingLine(labelled.voting))
  if (inspection.species !== null && inspection.species !== plan.species)
    lines.push(`The query looks like ${inspection.species}; the model is of ${model.organism}.`)
  return lines
}

function votingLine({ clusters, resolution, column }: NonNullable<Annotated['labelled']['voting']>): string {
  const from = column === null ? `made by Leiden (resolution ${resolution})` : `of the obs column "${column}"`
  return `Then the cells of each of ${clusters} small clusters, ${from}, were given the label that most of them have.`
}

function layoutNote({ prepared }: Annotated, { road }: AnnotateContext): string {
  const { settings } = road
  return settings.umap_space === 'pca'
    ? `Made of the query alone: ${wholeNumber(prepared.variable)} variable genes, ${settings.n_components} principal components. The labels had no part in it.`
    : 'Made of the scores of the model: cells of one label lie together by construction.'
}

function colourings(annotated: Annotated, { road }: AnnotateContext): Colouring[] {
  const { labels, uncertainty, byCell, clusters, majorityShare, fewCounts, mitochondrial } = annotated
  const { prepared, shown, totals, detected } = annotated
  const number = (name: string, values: ArrayLike<number>): Colouring => ({
    kind: 'number',
    name,
    values: Float32Array.from(values),
  })
  const made: Colouring[] = [
    { kind: 'categorical', name: 'Predicted label', ...labels },
    { kind: 'number', name: 'Uncertainty', values: uncertainty, low: 'sure', high: 'unsure', range: [0, 1] },
  ]
  if (byCell !== null) made.push({ kind: 'categorical', name: 'Label before voting', ...byCell })
  if (clusters !== null) made.push({ kind: 'categorical', name: 'Cluster that voted', ...clusters })
  if (majorityShare !== null) made.push(number('Share of the cluster with this label', majorityShare))
  const isCounts = road.inputs[0]!.facts.counts.from === 'counts'
  made.push(number(isCounts ? 'Total counts' : 'Total of the normalised values', totals))
  made.push(number('Genes detected', detected))
  if (mitochondrial !== null) made.push(number('Mitochondrial share', mitochondrial))
  if (fewCounts !== null) {
    const codes = Int32Array.from(fewCounts)
    made.push({ kind: 'categorical', name: 'Counts', codes, categories: ['enough', 'few'] })
  }
  for (const [i, gene] of prepared.shown.entries())
    made.push(number(`Gene ${gene}`, shown.subarray(i * prepared.cells, (i + 1) * prepared.cells)))
  return [...made, ...obsColourings(annotated.obs, road.settings.show_columns)]
}

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the model or the job',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
}

function labelTable({ labels, uncertainty, prepared }: Annotated, { road }: AnnotateContext): LabelRow[] {
  const sums = new Float64Array(labels.categories.length)
  for (const [cell, code] of labels.codes.entries()) if (code >= 0) sums[code]! += uncertainty[cell]!
  return countsOf(labels).map(([label, cells]) => {
    const term = road.labels[label]
    return {
      label,
      cells,
      share: cells / prepared.cells,
      meanUncertainty: sums[labels.categories.indexOf(label)]! / cells,
      ontologyId: term?.id ?? null,
      ontologyName: term?.name ?? null,
      tier: term === undefined ? null : (tiers[term.tier] ?? term.tier),
      candidates: term?.id == null ? (term?.candidates ?? []) : [],
    }
  })
}

function provenance({ model, plan }: Annotated, { road }: AnnotateContext): Fact[] {
  const { pin, facts } = road.inputs[0]!
  return [
    ['Input', pin.key.slice(pin.key.lastIndexOf('/') + 1)],
    ['Content of the input', pin.versionId ?? pin.etag],
    ['Format', facts.inspection.format],
    ['Counts', `${facts.counts.matrix} (${facts.counts.from})`],
    ['Organism', plan.species ?? 'unknown'],
    ['Model', `${model.name}, version ${model.version}`],
    ['Content of the model', model.id],
    ['Model made', model.created],
  ]
}

function files(outputs: Record<string, string>): ReportContent['files'] {
  const notes: Record<string, string> = {
    h5ad: 'the input with the annotations added',
    report: 'this page',
    umap: 'the map as a picture',
    predictions: 'label and uncertainty of every cell as a table',
  }
  return Object.entries(outputs).map(([kind, name]) => ({ name, note: notes[kind] ?? kind }))
}
