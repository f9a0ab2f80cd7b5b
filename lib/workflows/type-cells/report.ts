/** The page of `type-cells`: what was learnt from, how far the labels can be trusted, and what speaks against them. */
import { product } from '../../job/product.ts'
import { heterogeneous } from '../../labels/majority-vote.ts'
import { unassigned } from '../../labels/match.ts'
import { lowCount } from '../../labels/thresholds.ts'
import type { Colouring, Fact, LabelRow, ReportContent, TextTable } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import type { ScatterPicture } from '../../report/scatter-png.ts'
import { countsOf } from '../parts/coded.ts'
import { costOf, obsColourings, settingFacts } from '../parts/page-parts.ts'
import { markerWords } from './columns.ts'
import type { TypeCellsContext } from './context.ts'
import type { Plot } from './figures.ts'
import type { Typed } from './typed.ts'

export function reportContent(
  typed: Typed,
  of: {
    context: TypeCellsContext
    outputs: Record<string, string>
    figures: readonly { plot: Plot; png: Uint8Array }[]
  },
): ReportContent {
  const { context, outputs, figures } = of
  const { job, road } = context
  const { settings } = road
  const layout = layoutOf(typed, context)
  return {
    title: job.name,
    subtitle: `Cell types by a model of ${typed.prepared.sources.join(', ')}`,
    product,
    created: job.created,
    jobId: job.jobId,
    headline: headline(typed, context),
    summary: summary(typed, context),
    layout,
    ...(layout === null && {
      layoutAbsent: 'The query has no coordinates, and the job did not ask for a map or had too few cells.',
    }),
    colourings: colourings(typed, context),
    labelTable: labelTable(typed),
    labelMeasure: 'Mean confidence',
    labelColouring: 'Cell type',
    notices: typed.notices,
    histograms: [
      histogram(Float32Array.from(typed.confidence), {
        title: 'Confidence',
        caption: confidenceWords(typed, settings.confidence_threshold),
        groups: typed.predicted,
      }),
    ],
    figures: figures.map(({ plot: { title, caption }, png }) => ({ title, caption, png })),
    tables: tables(typed),
    provenance: provenance(typed, context),
    settings: settingFacts(settings),
    timings: typed.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: Object.entries(outputs).map(([kind, name]) => ({ name, note: fileNotes[kind] ?? kind })),
  }
}

/** The picture for slides. */
export function scatterOf(typed: Typed, { road, job }: TypeCellsContext): ScatterPicture | null {
  if (typed.layout === null) return null
  return {
    xy: typed.layout,
    colouring: { kind: 'categorical', name: 'Cell type', ...typed.labels, colours: noType },
    title: job.name,
    seed: road.settings.seed,
  }
}

/** What is no type is grey. */
const noType = { [unassigned]: '#9a9a9a', [lowCount]: '#b8b0a0', [heterogeneous]: '#a0a0b8' }

/** Tissue before map: where the cells lie is what spatial data are about. */
function layoutOf(
  { positions, layout, prepared }: Typed,
  { road }: TypeCellsContext,
): ReportContent['layout'] {
  const rows = prepared.cells
  if (positions !== null) {
    // images have their first row on top
    const xy = positions.map((value, i) => (i % 2 === 1 ? -value : value))
    return {
      name: 'Position',
      rows,
      xy,
      note: `Where the cells lie, from obsm["${road.settings.spatial_key}"].`,
    }
  }
  if (layout === null) return null
  const note = `Made of the query alone: ${wholeNumber(prepared.variable)} of the shared genes. The labels had no part in it.`
  return { name: 'UMAP', rows, xy: layout, note }
}

function headline(typed: Typed, { road }: TypeCellsContext): ReportContent['headline'] {
  const { prepared, labels, labelled, fitted } = typed
  const counts = new Map(countsOf(typed.reasons))
  const kept = (counts.get('assigned') ?? 0) / Math.max(1, prepared.cells)
  const { accuracy, ece } = fitted.evaluation
  return [
    { label: 'Cells', value: wholeNumber(prepared.cells), note: `${percentage(kept)} have a type` },
    {
      label: 'Types found',
      value: String(countsOf(labels).filter(([name]) => labelled.classes.includes(name)).length),
      note: `of ${labelled.classes.length} that were learnt`,
    },
    {
      label: 'Right in held-out reference cells',
      value: accuracy === null ? 'not assessed' : percentage(accuracy),
      note: ece === null ? 'calibration not assessed' : `calibration error ${ece.toFixed(3)}`,
    },
    {
      label: 'Shared genes',
      value: wholeNumber(prepared.modelGenes.length),
      note: `confidence threshold ${road.settings.confidence_threshold}`,
    },
  ]
}

function summary(typed: Typed, { road }: TypeCellsContext): string[] {
  const { settings } = road
  const { prepared, labelled, fitted } = typed
  const { counts } = road.inputs[0]!.facts
  const source =
    counts.from === 'counts' ? `the raw counts in ${counts.matrix}` : `the logs in ${counts.matrix}, undone`
  return [
    `${wholeNumber(prepared.trainingCells)} cells of ${prepared.sources.length === 1 ? 'one reference' : `${prepared.sources.length} references`} (${prepared.sources.join(', ')}) were learnt from, ${labelled.classes.length} types of at most ${wholeNumber(settings.max_cells_per_type)} cells each. The table of training cells says how many came from where.`,
    `Query and references were brought to one basis: of ${source}, the ${wholeNumber(prepared.modelGenes.length)} genes that all files have were scaled to 10,000 a cell and log-transformed. The file's own matrices are unchanged.`,
    `${fitted.how} Every cell has the type with the highest score; the column of confidence says how likely it is to be right.`,
    confidenceWords(typed, settings.confidence_threshold),
  ]
}

function confidenceWords({ labelled, fitted }: Typed, threshold: number): string {
  const { expectedAccuracy, expectedShare } = fitted.evaluation
  const below = `Cells below ${threshold} are "Unassigned".`
  if (labelled.confidence !== 'calibrated')
    return `Confidence is SpatialCore's "${labelled.confidence}" of the scores: it ranks cells and is no probability. ${below}`
  const expected =
    expectedAccuracy === null || expectedShare === null
      ? ''
      : ` Among held-out reference cells ${percentage(expectedShare)} reach it, and ${percentage(expectedAccuracy)} of these are right.`
  return `Confidence is the probability that the type is right, calibrated on reference cells that the model had not seen. ${below}${expected} A query of another kind (other chemistry, other tissue) is less sure than that.`
}

function colourings(typed: Typed, { road }: TypeCellsContext): Colouring[] {
  const { labels, predicted, reasons, confidence, outOfReference, verdicts } = typed
  const number = (name: string, values: ArrayLike<number>): Colouring => ({
    kind: 'number',
    name,
    values: Float32Array.from(values),
  })
  const made: Colouring[] = [
    { kind: 'categorical', name: 'Cell type', ...labels, colours: noType },
    {
      kind: 'number',
      name: 'Confidence',
      values: Float32Array.from(confidence),
      low: 'unsure',
      high: 'sure',
      range: [0, 1],
    },
    { kind: 'categorical', name: 'Type before thresholds', ...predicted },
    { kind: 'categorical', name: 'Why this label', ...reasons },
  ]
  if (outOfReference !== null)
    made.push({
      kind: 'number',
      name: 'Unlike the reference',
      values: outOfReference,
      low: 'like it',
      high: 'unlike it',
      range: [0, 1],
    })
  if (verdicts !== null) made.push({ kind: 'categorical', name: 'Marker check', ...markerWords(verdicts) })
  if (typed.byCell !== null) made.push({ kind: 'categorical', name: 'Type before voting', ...typed.byCell })
  const isCounts = road.inputs[0]!.facts.counts.from === 'counts'
  made.push(number(isCounts ? 'Total counts' : 'Total of the normalised values', typed.totals))
  made.push(number('Genes detected', typed.detected))
  if (typed.mitochondrial !== null) made.push(number('Mitochondrial share', typed.mitochondrial))
  const { prepared, shown } = typed
  for (const [i, gene] of prepared.shown.entries())
    made.push(number(`Gene ${gene}`, shown.subarray(i * prepared.cells, (i + 1) * prepared.cells)))
  return [...made, ...obsColourings(typed.obs, road.settings.show_columns)]
}

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the references or the job',
  reviewed: 'decided in the review table',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
  unmapped: 'none found',
}

function labelTable({ labels, confidence, prepared, predicted }: Typed): LabelRow[] {
  const sums = new Float64Array(labels.categories.length)
  for (const [cell, code] of labels.codes.entries()) if (code >= 0) sums[code]! += confidence[cell]!
  const classOf = new Map(prepared.classes.map((one) => [one.name, one]))
  return countsOf(labels).map(([label, cells]) => {
    const found = classOf.get(label)
    return {
      label,
      cells,
      share: cells / predicted.codes.length,
      meanUncertainty: sums[labels.categories.indexOf(label)]! / cells,
      ontologyId: found?.id ?? null,
      ontologyName: found?.termName ?? null,
      tier: found === undefined ? null : (tiers[found.tier] ?? found.tier),
    }
  })
}

function tables({ prepared, fitted, validation }: Typed): TextTable[] {
  const made: TextTable[] = [
    {
      title: 'Training cells',
      caption: 'Cells of each type and reference, before and after balancing.',
      columns: ['type', 'reference', 'there', 'learnt from'],
      rows: prepared.balance.map(({ group, source, before, after }) => [
        group,
        source ?? '',
        wholeNumber(before),
        wholeNumber(after),
      ]),
    },
  ]
  const { byType } = fitted.evaluation
  if (byType.length > 0)
    made.push({
      title: 'Held-out reference cells',
      caption:
        'Cells that the model had not seen when it labelled them: how many of a type it found, and how many that it called so are.',
      columns: [
        'type',
        'cells',
        'found (recall)',
        'right when called (precision)',
        'F1',
        'most often taken for',
      ],
      rows: byType.map(({ name, cells, recall, precision, f1, confusedWith }) => [
        name,
        wholeNumber(cells),
        percentage(recall),
        precision === null ? '' : percentage(precision),
        f1.toFixed(3),
        confusedWith ?? '',
      ]),
    })
  if (validation !== null) {
    const markers = new Map(validation.markers)
    const auroc = new Map(
      validation.enrichment.map((type) => [
        type.label,
        type.status === 'assessed' ? type.auroc.toFixed(3) : '',
      ]),
    )
    made.push({
      title: 'Marker genes',
      caption:
        'AUROC: how often a cell of the type has more of its markers than another cell; 0.5 is no difference. The model saw the same genes, so this is no independent proof.',
      columns: ['type', 'cells', 'check', 'validated', 'AUROC', 'markers', 'source'],
      rows: validation.types.map((type) => [
        type.label,
        wholeNumber(type.cells),
        type.status === 'assessed' ? 'assessed' : `not assessed: ${type.reason}`,
        type.status === 'assessed' ? `${type.percentValidated.toFixed(1)} %` : '',
        auroc.get(type.label) ?? '',
        type.markers.join(', '),
        markers.get(type.label)?.source ?? '',
      ]),
    })
  }
  return made
}

function provenance({ model, prepared }: Typed, { road }: TypeCellsContext): Fact[] {
  const [query, ...references] = road.inputs
  const name = (key: string) => key.slice(key.lastIndexOf('/') + 1)
  return [
    ['Query', name(query!.pin.key)],
    ['Content of the query', query!.pin.versionId ?? query!.pin.etag],
    ['Counts', `${query!.facts.counts.matrix} (${query!.facts.counts.from})`],
    ...references.flatMap(({ pin, facts }): Fact[] => [
      [pin.role, `${name(pin.key)}, labels in ${facts.labels?.column ?? ''}`],
      [`Content of ${pin.role}`, pin.versionId ?? pin.etag],
    ]),
    ['Model', model.card.name],
    ['Content of the model', model.card.id],
    [
      'Genes of the model',
      prepared.modelGenes.slice(0, 20).join(', ') + (prepared.modelGenes.length > 20 ? ', ...' : ''),
    ],
  ]
}

const fileNotes: Record<string, string> = {
  h5ad: 'the query with its types added',
  report: 'this page',
  umap: 'the map as a picture',
  predictions: 'type and confidence of every cell as a table',
  training_cells: 'cells of each type and reference, before and after balancing',
  training: 'the cells that were learnt from, of all references',
  ontology_review: 'labels of the references: edit the column "decision" and give it back as ontology_review',
  model: 'the trained model as CellTypist reads it',
  model_metadata: 'what the model was trained on',
  colours: 'a colour for each type',
}
