/** The page of `acquire`: what was fetched, from whom, and what a biologist wants to know before learning from it. */
import { product } from '../../job/product.ts'
import { shownSize } from '../../references/discover.ts'
import type { Fact, LabelRow, ReportContent, TextTable } from '../../report/content.ts'
import { counted, percentage, wholeNumber } from '../../report/numbers.ts'
import { costOf, settingFacts } from '../parts/page-parts.ts'
import type { ColumnCounts } from './census.ts'
import type { AcquireContext } from './context.ts'
import type { Acquired } from './publish.ts'

export function reportContent(
  acquired: Acquired,
  { context, outputs }: { context: AcquireContext; outputs: Record<string, string> },
): ReportContent {
  const { job, road } = context
  const { written } = acquired
  return {
    title: job.name,
    subtitle: written.isKept ? 'A reference that was there already' : 'A reference to learn cell types from',
    product,
    created: job.created,
    jobId: job.jobId,
    headline: headline(acquired),
    summary: summary(acquired, context),
    layout: null,
    layoutAbsent:
      'Cells of a reference are not laid out here; a job that learns from them makes a map of its query.',
    colourings: [],
    labelTable: labelTable(acquired),
    notices: acquired.notices,
    histograms: [],
    figures: [],
    tables: [...datasetTable(acquired), ...countTables(written)],
    provenance: provenance(acquired),
    settings: settingFacts(road.settings),
    timings: acquired.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: Object.entries(outputs).map(([key, name]) => ({ name, note: fileNotes[key] ?? '' })),
  }
}

const fileNotes: Record<string, string> = {
  report: 'this page',
  labels: 'cells of each label, with its Cell Ontology id',
  datasets: 'the datasets that the cells are from, and how to cite them',
}

function headline({ written, labels, available }: Acquired): ReportContent['headline'] {
  if (written.isKept) return [{ label: 'File', value: 'kept', note: shownSize(written.bytes) }]
  const { cells, genes, bytes, datasets } = written
  const names = new Set(labels.map(({ label }) => label))
  return [
    {
      label: 'Cells',
      value: wholeNumber(cells ?? 0),
      note: cells === available ? 'all that fit' : `of ${wholeNumber(available ?? 0)} that fit`,
    },
    { label: 'Genes', value: wholeNumber(genes ?? 0) },
    { label: 'Labels', value: labels.length === 0 ? 'not known' : wholeNumber(names.size) },
    ...(datasets.length === 0 ? [] : [{ label: 'Datasets', value: wholeNumber(datasets.length) }]),
    { label: 'File', value: shownSize(bytes) },
  ]
}

function summary(
  { written, output, whole, holdsCounts, labels }: Acquired,
  { road }: AcquireContext,
): string[] {
  const { settings } = road
  if (written.isKept)
    return [
      `There is a file at ${output} already, and the job did not say to replace it. It was kept as it is; nobody looked into it.`,
    ]
  const lines = [
    whole
      ? `The file was taken as it was published, byte for byte. It lies at ${output}.`
      : `The cells were put together in one file at ${output}: ${holdsCounts ? 'raw counts as X' : 'X holds raw counts where the files have them'}, the columns of obs as they were published, genes by Ensembl id where they are known by it.`,
  ]
  if (written.datasets.length > 1)
    lines.push(
      'Genes are those of all datasets together; a gene that a dataset did not measure is 0 in its cells, and the file says which dataset measured which gene.',
    )
  if (settings.max_cells !== undefined)
    lines.push(
      `Of what fits, at most ${counted(settings.max_cells, 'cell')} were drawn, each as likely as any other (random_state ${settings.random_state}).`,
    )
  if (settings.resolve_hierarchy === 'remove_parents')
    lines.push('Cells whose label is only a wider name of another label were left out.')
  if (labels.length === 0)
    lines.push('No column of labels is known of this file: say which one it is when you learn from it.')
  if (!settings.validate_labels) lines.push('Labels were not checked, as the job asked.')
  return lines
}

function labelTable({ labels, written }: Acquired): LabelRow[] {
  return labels.map(({ label, id, cells }) => ({
    label: label === '' ? '(no label)' : label,
    cells,
    share: written.cells ? cells / written.cells : 0,
    meanUncertainty: null,
    ontologyId: id === '' ? null : id,
    ontologyName: null,
    tier: null,
  }))
}

function datasetTable({ written: { datasets } }: Acquired): TextTable[] {
  if (datasets.length === 0) return []
  return [
    {
      title: 'Datasets',
      caption: 'Cite these where you publish what was learnt from them.',
      columns: ['title', 'collection', 'cells', 'citation', 'id', 'version'],
      rows: datasets.map(({ title, collection, cells, citation, doi, id, version }) => [
        ...[title, collection, wholeNumber(cells), citation || doi, id, version],
      ]),
    },
  ]
}

/** Datasets have a table of their own, where they are of CELLxGENE. */
function countTables({ counts, datasets, cells }: Acquired['written']): TextTable[] {
  const shown = datasets.length === 0 ? counts : counts.filter(({ column }) => column !== 'dataset_id')
  return shown.map((one) => countTable(one, cells))
}

function countTable({ column, values, distinct }: ColumnCounts, cells: number | null): TextTable {
  const left = distinct - values.length
  return {
    title: `Cells by ${column}`,
    ...(left > 0 && {
      caption: `The ${values.length} with most cells; ${wholeNumber(left)} more are not shown.`,
    }),
    columns: [column, 'cells', 'share'],
    rows: values.map(([value, count]) => [
      value === '' ? '(none)' : value,
      wholeNumber(count),
      cells ? percentage(count / cells) : '',
    ]),
  }
}

function provenance({ source, output }: Acquired): Fact[] {
  if (source === null) return [['Output', output]]
  const { release, synapse } = source
  return [
    ['Source', source.source],
    ...(release === null
      ? []
      : ([
          [
            'Release of the Census',
            release.name === release.date ? release.name : `${release.name}, ${release.date}`,
          ],
        ] as const)),
    ...(synapse === null
      ? []
      : ([['Synapse', `${synapse.id}, version ${synapse.version}: ${synapse.name}`]] as const)),
    ['Output', output],
  ]
}
