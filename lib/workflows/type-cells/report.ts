/** The page of `type-cells`: what was learnt from, how far the labels can be trusted, and what speaks against them. */
import { product } from '../../job/product.ts'
import type { Fact, Figure, ReportContent } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import { costOf, settingFacts } from '../parts/page-parts.ts'
import type { TypeCellsContext } from './context.ts'
import { colourings, layoutOf } from './report-map.ts'
import { labelTable, tables } from './report-tables.ts'
import type { Typed } from './typed.ts'

export function reportContent(
  typed: Typed,
  of: {
    context: TypeCellsContext
    outputs: Record<string, string>
    figures: readonly Figure[]
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
    figures,
    tables: tables(typed),
    provenance: provenance(typed, context),
    settings: settingFacts(settings),
    timings: typed.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: Object.entries(outputs).map(([kind, name]) => ({ name, note: fileNotes[kind] ?? kind })),
  }
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
