/** The page of `annotate`: what a biologist wants to know before trusting a label, in plain words. */

import { product } from '../../job/product.ts'
import type { Fact, LabelRow, ReportContent } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import { costOf, settingFacts } from '../parts/page-parts.ts'
import { type Annotated, unassignedCells } from './annotated.ts'
import type { AnnotateContext } from './context.ts'
import { colourings, layoutNote } from './report-map.ts'
import { foundGenes, headlineOfModels, modelFacts, modelTable, scoringLine } from './report-models.ts'
import { furtherLabels, networkLines } from './report-network.ts'

export function reportContent(
  annotated: Annotated,
  {
    context,
    outputs,
    figures,
  }: { context: AnnotateContext; outputs: Record<string, string>; figures: ReportContent['figures'] },
): ReportContent {
  const { job, road } = context
  const { labels, uncertainty, layout, prepared, byModel } = annotated
  const tables = [...(byModel === null ? [] : [modelTable(annotated)]), ...furtherLabels(annotated)]
  return {
    title: job.name,
    subtitle: `Cell types by ${annotated.models.map(({ card }) => card.name).join(', ')}`,
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
    labelTable: labelTable(annotated),
    labelColouring: 'Predicted label',
    notices: annotated.notices,
    histograms: [
      histogram(uncertainty, {
        title: 'Uncertainty',
        caption: `1 - the highest probability of the model${byModel === null ? '' : ' that was surest'}: 0 is sure, 1 is unsure.`,
        groups: labels,
      }),
    ],
    figures,
    ...(tables.length > 0 && { tables }),
    provenance: provenance(annotated, context),
    settings: settingFacts(road.settings),
    timings: annotated.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: files(outputs),
  }
}

function headline(annotated: Annotated): ReportContent['headline'] {
  const { prepared, models, uncertainty, fewCounts } = annotated
  const unsure = uncertainty.reduce((count, value) => count + Number(value > 0.5), 0)
  const few = fewCounts?.reduce((count, flag) => count + flag, 0) ?? 0
  return [
    {
      label: 'Cells',
      value: wholeNumber(prepared.cells),
      note: few > 0 ? `${wholeNumber(few)} with few counts` : 'all kept',
    },
    headlineOfLabels(annotated),
    headlineOfModels(models),
    {
      label: 'Cells with uncertainty above 0.5',
      value: percentage(prepared.cells === 0 ? 0 : unsure / prepared.cells),
      note: `${wholeNumber(unsure)} cells`,
    },
  ]
}

function headlineOfLabels({ labels, raw, prepared }: Annotated): ReportContent['headline'][number] {
  const found = countsOf(labels).length
  if (raw === null) return { label: 'Labels', value: String(found) }
  const cells = unassignedCells(labels)
  const note = `unassigned: ${wholeNumber(cells)} (${percentage(cells / prepared.cells)})`
  return { label: 'Labels', value: String(found - Number(cells > 0)), note }
}

function summary(annotated: Annotated, { road }: AnnotateContext): string[] {
  const { plan, prepared, labelled, labels, raw, models } = annotated
  const { settings } = road
  const { counts, inspection } = road.inputs[0]!.facts
  const source =
    counts.from === 'counts'
      ? labelled.network === null
        ? `The raw counts in ${counts.matrix} were scaled to 10,000 a cell and log-transformed.`
        : `The raw counts in ${counts.matrix} were used as they are.`
      : `${counts.matrix} was used as it is: logs of counts scaled to 10,000 a cell.`
  const column = plan.column === null ? 'the index of var' : `the var column "${plan.column}"`
  const lines = [
    `${wholeNumber(prepared.cells)} cells x ${wholeNumber(prepared.genes)} genes were read. ${source} The file's own matrices are unchanged.`,
    `Genes were taken from ${column} (${plan.idType}). ${foundGenes(models)} are in the file; a gene that is missing counts as ${labelled.network === null ? 'average' : 'zero'}.`,
    ...(labelled.network === null ? [scoringLine(annotated, settings)] : networkLines(annotated, settings)),
  ]
  if (settings.scaled_over === 'models')
    lines.push('Before scoring, cells were scaled anew over the genes that the models know.')
  if (labelled.voting !== null) lines.push(votingLine(labelled.voting))
  if (raw !== null)
    lines.push(
      `Cells whose label has a probability below ${settings.min_confidence} were left "Unassigned": ${wholeNumber(unassignedCells(labels))} have no label. Their uncertainty is that of the label they would have got.`,
    )
  if (inspection.species !== null && inspection.species !== plan.species)
    for (const organism of new Set(models.map(({ card }) => card.organism)))
      lines.push(`The query looks like ${inspection.species}; the model is of ${organism}.`)
  return lines
}

function votingLine({ clusters, resolution, column }: NonNullable<Annotated['labelled']['voting']>): string {
  const from = column === null ? `made by Leiden (resolution ${resolution})` : `of the obs column "${column}"`
  return `Then the cells of each of ${clusters} small clusters, ${from}, were given the label that most of them have.`
}

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the model or the job',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
}

function labelTable({ labels, terms, uncertainty, prepared }: Annotated): LabelRow[] {
  const sums = new Float64Array(labels.categories.length)
  for (const [cell, code] of labels.codes.entries()) if (code >= 0) sums[code]! += uncertainty[cell]!
  return countsOf(labels).map(([label, cells]) => {
    const term = terms[label]
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

function provenance({ models, plan }: Annotated, { road }: AnnotateContext): Fact[] {
  const { pin, facts } = road.inputs[0]!
  return [
    ['Input', pin.key.slice(pin.key.lastIndexOf('/') + 1)],
    ['Content of the input', pin.versionId ?? pin.etag],
    ['Format', facts.inspection.format],
    ['Counts', `${facts.counts.matrix} (${facts.counts.from})`],
    ['Organism', plan.species ?? 'unknown'],
    ...modelFacts(models),
  ]
}

function files(outputs: Record<string, string>): ReportContent['files'] {
  const notes: Record<string, string> = {
    h5ad: 'the input with the annotations added',
    report: 'this page',
    umap: 'the map as a picture',
    predictions: 'label and uncertainty of every cell as a table',
    elbo: 'how the model learnt the batches of the query',
  }
  return Object.entries(outputs).map(([kind, name]) => ({ name, note: notes[kind] ?? kind }))
}
