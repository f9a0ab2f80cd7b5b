/** The page of `map-atlas`: where the query lies in the atlas, which labels it got, and what speaks for or against both. */
import { product } from '../../job/product.ts'
import { expressionNames } from '../../job/stored-names.ts'
import type { Colouring, Fact, Figure, ReportContent } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import { planOf } from '../parts/gene-maps.ts'
import { costOf, obsColourings, settingFacts } from '../parts/page-parts.ts'
import type { GeneMaps } from '../workflow.ts'
import type { MapAtlasContext } from './context.ts'
import { byBatch, byError, byLabel, byProbability, bySource } from './figures.ts'
import { type Agreement, codedOfQuery, type Mapped, ofQuery } from './mapped.ts'
import { batchTable, explainedTable, labelTable, overlapTable } from './report-tables.ts'

export interface PageParts {
  context: MapAtlasContext
  maps: GeneMaps
  figures: readonly Figure[]
  outputs: Record<string, string>
}

export function reportContent(mapped: Mapped, parts: PageParts): ReportContent {
  const { job, road } = parts.context
  const { prepared, layout, card } = mapped
  return {
    title: job.name,
    subtitle: `${prepared.atlasCells > 0 ? 'Query and atlas' : 'Query'} in the latent space of ${card.name}`,
    product,
    created: job.created,
    jobId: job.jobId,
    headline: headline(mapped, parts),
    summary: summary(mapped, parts),
    layout:
      layout === null
        ? null
        : {
            name: 'UMAP',
            rows: prepared.cells,
            xy: layout,
            note: `Made of the ${mapped.labelled.latent} dimensions of the latent space. The labels are read off the same space: that cells of one label lie together is no proof of it.`,
          },
    ...(layout === null && {
      layoutAbsent: 'The job did not ask for a map, or there were too few cells for one.',
    }),
    colourings: colourings(mapped, parts.context),
    labelTable: labelTable(mapped),
    labelMeasure: 'Mean of 1 - probability',
    labelColouring: 'Predicted label',
    notices: mapped.notices,
    histograms: [
      histogram(ofQuery(mapped.probability, mapped), {
        title: 'Probability of the label, cells of the query',
        caption:
          'The highest probability that the classifier gives, as it is: it was not calibrated, and a cell of a type that the atlas lacks may have a high one.',
        groups: codedOfQuery(mapped.labels, mapped),
      }),
    ],
    figures: parts.figures,
    tables: [overlapTable(parts.maps), ...explainedTable(mapped), ...batchTable(mapped)],
    provenance: provenance(mapped, parts),
    settings: settingFacts(road.settings),
    timings: mapped.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(parts.context),
    files: files(parts.outputs),
  }
}

function headline(mapped: Mapped, { maps }: PageParts): ReportContent['headline'] {
  const { prepared, labelled, agreement } = mapped
  const cells = prepared.cells - prepared.atlasCells
  const placed = ofQuery(mapped.labels.codes, mapped).filter((code) => code >= 0).length
  const plan = planOf(maps, 'query')
  const unsure = ofQuery(mapped.probability, mapped).filter((value) => value < 0.5).length
  const { mixing } = labelled
  return [
    {
      label: 'Cells of the query',
      value: wholeNumber(cells),
      note: placed === cells ? 'all have a place' : `${wholeNumber(cells - placed)} without a place`,
    },
    ...(prepared.atlasCells > 0
      ? [{ label: 'Cells of the atlas', value: wholeNumber(prepared.atlasCells) }]
      : []),
    { label: 'Labels', value: String(countsOf(codedOfQuery(mapped.labels, mapped)).length) },
    {
      label: 'Genes of the model found',
      value: percentage(plan.share),
      note: `${wholeNumber(plan.found)} of ${wholeNumber(plan.modelGenes)}`,
    },
    {
      label: 'Cells with a probability below 0.5',
      value: percentage(placed === 0 ? 0 : unsure / placed),
      note: `${wholeNumber(unsure)} cells`,
    },
    ...(mixing === null
      ? []
      : [
          {
            label: 'Query among the atlas',
            value: percentage(Math.min(1, mixing.ratio)),
            note: `of what cells thrown together would have; ${percentage(mixing.alone)} of the query has no atlas cell among ${mixing.neighbours} neighbours`,
          },
        ]),
    ...(agreement?.query
      ? [
          {
            label: `Same label as ${agreement.column}`,
            value: percentage(agreement.query.share),
            note: `of ${wholeNumber(agreement.query.cells)} cells whose label the model knows`,
          },
        ]
      : []),
  ]
}

function summary(mapped: Mapped, { context }: PageParts): string[] {
  const { card, prepared, fitted, agreement } = mapped
  const { road } = context
  const { counts } = road.inputs[0]!.facts
  const lines = [
    `The raw counts in ${counts.matrix} of the query were brought into the order of the ${wholeNumber(card.genes.length)} genes of "${card.name}"${card.bins === null ? '' : `, put into ${card.bins.count} bins a cell by their rank`}; a gene that a file lacks counts as zero.`,
    road.settings.mode === 'frozen'
      ? `The model was used as it is: nothing was trained.${prepared.batches.average === null ? '' : ' Cells of batches that it does not know were placed as those of an average batch.'}`
      : surgeryLine(mapped),
    'A cell has the label that the classifier gives the highest probability, even where none fits well: look at probability and entropy.',
  ]
  if (fitted?.model != null)
    lines.push(
      `The adapted model is "${fitted.name}" in the model store, and model.pt beside this page, in the layout of scvi-tools.`,
    )
  if (agreement !== null) lines.push(...agreementLines(agreement))
  return lines
}

function surgeryLine({ fitted, prepared }: Mapped): string {
  if (fitted === null || fitted.model === null)
    return 'There was nothing to adapt that would have moved a cell: the places are those of the model as it is. The notices say why.'
  const { cells, history } = fitted
  const batches = prepared.batches.added.length
  return `The model was adapted to ${batches} new batch${batches === 1 ? '' : 'es'} by scArches surgery: ${wholeNumber(cells)} cells of the query, all as unlabelled, in ${history.length} epochs. Only what belongs to the new batches (and what the job lets go) was learnt, so that the cells of the atlas stay where they were.`
}

function agreementLines({ column, query, atlas }: Agreement): string[] {
  const of = (what: string, found: Agreement['query']) =>
    found === null
      ? []
      : [
          `Of ${wholeNumber(found.cells)} cells of the ${what} whose "${column}" the model knows, ${percentage(found.share)} got the same label.`,
        ]
  return [...of('query', query), ...of('atlas', atlas)]
}

function colourings(mapped: Mapped, context: MapAtlasContext): Colouring[] {
  const { prepared, obs, entropy, totals, detected, hasFewCounts } = mapped
  const made: Colouring[] = [
    ...(prepared.atlasCells > 0 ? [bySource(mapped)] : []),
    byLabel(mapped),
    byProbability(mapped),
    { kind: 'number', name: 'Entropy', values: entropy, low: 'sure', high: 'unsure', range: [0, 1] },
    ...byError(mapped),
    byBatch(mapped, context),
    { kind: 'number', name: 'Total counts', values: Float32Array.from(totals) },
    { kind: 'number', name: 'Genes detected', values: Float32Array.from(detected) },
    {
      kind: 'categorical',
      name: 'Counts',
      codes: Int32Array.from(hasFewCounts),
      categories: ['enough', 'few'],
    },
  ]
  // columns of obs are offered where all cells are of one table
  const own = obs.atlas === null ? obsColourings(obs.query, context.road.settings.show_columns) : []
  return [...made, ...own]
}

function provenance({ card, fitted }: Mapped, { context }: PageParts): Fact[] {
  const { inputs } = context.road
  const nameOf = (key: string) => key.slice(key.lastIndexOf('/') + 1)
  return [
    ...inputs.flatMap(({ pin, facts }, i): Fact[] => {
      const role = i === 0 ? 'query' : 'atlas'
      return [
        [`File of the ${role}`, nameOf(pin.key)],
        [`Content of the ${role}`, pin.versionId ?? pin.etag],
        [`Counts of the ${role}`, `${facts.counts.matrix} (${facts.counts.from})`],
      ]
    }),
    ['Model', `${card.name}, version ${card.version}`],
    ['Content of the model', card.id],
    ...(fitted?.model == null ? [] : ([['Content of the adapted model', fitted.model]] as Fact[])),
    ...(fitted?.provider == null ? [] : ([['Trained on', fitted.provider]] as Fact[])),
    ['Organism', card.organism],
  ]
}

function files(outputs: Record<string, string>): ReportContent['files'] {
  const notes: Record<string, string> = {
    h5ad: 'the cells with their places and labels',
    report: 'this page',
    predictions: 'label and probability of every cell of the query as a table',
    model: 'the adapted model, in the layout of scvi-tools',
    [expressionNames.output]: 'expression as the decoder of the model has it, cells x genes',
    dropped_genes: 'genes that only one of both files has',
    umap: 'the map by label',
    umap_source: 'the map by atlas and query',
    umap_probability: 'the map by probability',
    umap_batch: 'the map by batch',
    elbo: 'the training, epoch by epoch',
    label_distribution: 'cells of each label',
  }
  return Object.entries(outputs).map(([kind, name]) => ({ name, note: notes[kind] ?? kind }))
}
