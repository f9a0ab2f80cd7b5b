/** The page of `fit-reference`: what was learnt from, whether the training came to rest, and how far the model can be trusted. */
import { product } from '../../job/product.ts'
import { expressionNames } from '../../job/stored-names.ts'
import { shownNames } from '../../prep/shown-names.ts'
import type { Colouring, Fact, Figure, LabelRow, ReportContent, TextTable } from '../../report/content.ts'
import { histogram } from '../../report/histogram.ts'
import { counted, percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import { costOf, obsColourings, settingFacts } from '../parts/page-parts.ts'
import type { FitReferenceContext } from './context.ts'
import { measuredNeighbours } from './label.ts'
import type { Reference } from './reference.ts'

export function reportContent(
  reference: Reference,
  of: {
    context: FitReferenceContext
    outputs: Record<string, string>
    figures: readonly Figure[]
  },
): ReportContent {
  const { context, outputs, figures } = of
  const { job, road } = context
  const { prepared, layout, confidence, predicted } = reference
  return {
    title: job.name,
    subtitle: `A ${kindName(reference)} model of ${counted(prepared.taking, 'cell')}`,
    product,
    created: job.created,
    jobId: job.jobId,
    headline: headline(reference),
    summary: summary(reference, context),
    layout:
      layout === null
        ? null
        : {
            name: 'UMAP',
            rows: prepared.cells,
            xy: layout,
            note: `Made of the ${road.settings.n_latent} dimensions of the latent space. Near cells are alike to the model; distances between groups mean little.`,
          },
    ...(layout === null && {
      layoutAbsent: 'The job did not ask for a map, or too few cells have a place.',
    }),
    colourings: colourings(reference, context),
    labelTable: labelTable(reference),
    labelMeasure: 'Mean confidence',
    labelColouring: predicted === null ? 'Batch' : 'Predicted label',
    notices: reference.notices,
    histograms:
      confidence === null || predicted === null
        ? []
        : [
            histogram(confidence, {
              title: 'Confidence',
              caption:
                'Highest probability that the classifier gives a cell. These are cells that the model was trained on: of new ones it will be less.',
              groups: predicted,
            }),
          ],
    figures,
    tables: [...heldOutTables(reference), batchTable(reference)],
    provenance: provenance(reference, context),
    settings: settingFacts(road.settings),
    timings: reference.timings.map(({ step, seconds }) => ({ step, seconds })),
    cost: costOf(context),
    files: Object.entries(outputs).map(([kind, name]) => ({ name, note: fileNotes[kind] ?? kind })),
  }
}

function kindName({ fitted }: Reference): string {
  return fitted.kind === 'scvi' ? 'scVI' : 'SCANVI'
}

const notAssessed = 'not assessed'

function headline({ prepared, fitted, labelled }: Reference): ReportContent['headline'] {
  const { heldOut } = fitted
  const { labels } = heldOut
  const left = prepared.cells - prepared.taking
  const accuracy = labels?.accuracy ?? null
  const mixing = labelled.space?.batchMixing ?? null
  const agreement = labelled.space?.labelAgreement ?? null
  return [
    {
      label: 'Cells learnt from',
      value: wholeNumber(prepared.taking),
      note: left > 0 ? `${wholeNumber(left)} left out` : `${wholeNumber(fitted.validated)} of them held out`,
    },
    { label: 'Genes', value: wholeNumber(prepared.modelGenes.length) },
    {
      label: 'Right in held-out cells',
      value: accuracy === null ? notAssessed : percentage(accuracy),
      note:
        labels === null || labels.cells === 0
          ? 'no labels to compare with'
          : `${counted(labels.cells, 'cell')}, macro F1 ${labels.macroF1!.toFixed(2)}`,
    },
    {
      label: 'Batches mixed',
      value: mixing === null ? notAssessed : mixing.toFixed(2),
      note: mixing === null ? 'one batch' : '0 apart, 1 as all cells together',
    },
    {
      label: 'Neighbours of one label',
      value: agreement === null ? notAssessed : percentage(agreement),
      note: `of ${measuredNeighbours} in the latent space`,
    },
  ]
}

function summary({ prepared, fitted }: Reference, { road }: FitReferenceContext): string[] {
  const { settings } = road
  const { counts } = road.inputs[0]!.facts
  const which =
    settings.gene_panel !== undefined
      ? 'the genes of the panel'
      : settings.genes === 'all'
        ? 'all genes of the file'
        : 'the most variable genes (seurat_v3, by batch)'
  const binned =
    settings.binning === 0 ? '' : ` Each cell's counts were put into ${settings.binning} bins by their rank.`
  const epochs = fitted.phases.map(
    ({ name, history }) => `${name === 'scvi' ? 'scVI' : 'SCANVI'} ${history.length}`,
  )
  const batches = prepared.batch.categories.length
  const back = fitted.phases.reduce((sum, { rollbacks }) => sum + rollbacks, 0)
  return [
    `The raw counts in ${counts.matrix} were taken over ${wholeNumber(prepared.modelGenes.length)} genes: ${which}.${binned} The file's own matrices are unchanged.`,
    `${batches === 1 ? 'One batch' : `${wholeNumber(batches)} batches`} by "${settings.batch_key}"${settings.encode_covariates ? ', which encoder and decoder see' : ', which only the decoder sees: surgery cannot move a query'}.`,
    `Trained for ${epochs.join(' and ')} epochs on ${fitted.provider === 'cpu' ? 'the processor' : `a GPU (${fitted.provider})`}.${back > 0 ? ` The loss was no number ${counted(back, 'time')}: see the notices.` : ''}`,
    `The model is in the model store as "${settings.name}": name it as the model of a map-atlas job. model.pt is the same in the layout of scvi-tools.`,
    keptText(fitted),
  ]
}

function keptText({ kept }: Reference['fitted']): string {
  if (kept === null)
    return 'None of these cells stay with the model: cells cannot be labelled by their neighbours among them.'
  const { cells, columns } = kept
  const labels =
    columns.length === 0 ? 'without labels' : `with their labels in ${shownNames(columns, { most: 21 })}`
  return `${counted(cells, 'cell')} stay with the model where it places them, ${labels}: others can be labelled by their neighbours among them.`
}

function colourings(reference: Reference, { road }: FitReferenceContext): Colouring[] {
  const { predicted, given, confidence, entropy, batches, use, totals, detected } = reference
  const made: Colouring[] = []
  if (predicted !== null) made.push({ kind: 'categorical', name: 'Predicted label', ...predicted })
  if (given !== null) made.push({ kind: 'categorical', name: "The atlas's label", ...given })
  made.push({ kind: 'categorical', name: 'Batch', ...batches })
  const number = (name: string, values: ArrayLike<number>): Colouring => ({
    kind: 'number',
    name,
    values: Float32Array.from(values),
  })
  const scale = { low: 'unsure', high: 'sure', range: [0, 1] as const }
  if (confidence !== null) made.push({ kind: 'number', name: 'Confidence', values: confidence, ...scale })
  if (entropy !== null) made.push(number('Entropy of the labels', entropy))
  made.push({ kind: 'categorical', name: 'Use in the training', ...use })
  made.push(number('Total counts', totals), number('Genes detected', detected))
  return [...made, ...obsColourings(reference.obs, road.settings.show_columns)]
}

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the atlas or the job',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
}

function labelTable({ predicted, confidence, terms, prepared }: Reference): LabelRow[] {
  if (predicted === null || confidence === null) return []
  const sums = new Float64Array(predicted.categories.length)
  for (const [cell, code] of predicted.codes.entries()) if (code >= 0) sums[code]! += confidence[cell]!
  return countsOf(predicted).map(([label, cells]) => {
    const term = terms.get(label)
    return {
      label,
      cells,
      share: cells / prepared.cells,
      meanUncertainty: sums[predicted.categories.indexOf(label)]! / cells,
      ontologyId: term?.id ?? null,
      ontologyName: term?.name ?? null,
      tier: term === undefined ? null : (tiers[term.tier] ?? term.tier),
      candidates: term?.id == null ? (term?.candidates ?? []) : [],
    }
  })
}

function heldOutTables({ fitted, labelled, prepared }: Reference): TextTable[] {
  const { labels } = fitted.heldOut
  if (labels === null || labels.cells === 0) return []
  const names = prepared.labels?.categories ?? []
  const agreement = (name: string) => labelled.space?.agreementByLabel[names.indexOf(name)] ?? null
  return [
    {
      title: 'Held-out cells',
      caption:
        'Cells whose labels the classifier was not taught: how many of a label it found, how many that it called so are, and the share of neighbours in the latent space that have the label too.',
      columns: [
        'label',
        'cells',
        'found (recall)',
        'right when called (precision)',
        'F1',
        'most often taken for',
        'neighbours',
      ],
      rows: labels.byLabel.map(({ name, cells, recall, precision, f1, confusedWith }) => {
        const near = agreement(name)
        return [
          name,
          wholeNumber(cells),
          percentage(recall),
          precision === null ? '' : percentage(precision),
          f1.toFixed(3),
          confusedWith ?? '',
          near === null ? '' : percentage(near),
        ]
      }),
    },
  ]
}

const mostBatches = 200

function batchTable({ prepared, fitted }: Reference): TextTable {
  const { byBatch } = fitted.heldOut
  const figures = (code: number) => {
    const mean = byBatch[code] ?? null
    return mean === null
      ? ['0', notAssessed, notAssessed]
      : [wholeNumber(mean.cells), mean.reconstruction.toFixed(2), mean.perGene.toFixed(3)]
  }
  const { batch, batchCells } = prepared
  const shown = batch.categories.slice(0, mostBatches)
  const left = batch.categories.length - shown.length
  return {
    title: 'Batches',
    caption: `Cells that take part, by batch${left > 0 ? `; ${left} more are not shown` : ''}; and of those held out the reconstruction error in nats, which grows with the depth of sequencing, and that error per detected gene, which can be compared.`,
    columns: ['batch', 'cells', 'held out', 'reconstruction error', 'error per detected gene'],
    rows: shown.map((name, code) => [name, wholeNumber(batchCells[code]!), ...figures(code)]),
  }
}

function provenance({ network, fitted, prepared }: Reference, { road }: FitReferenceContext): Fact[] {
  const { card } = network
  const { pin, facts } = road.inputs[0]!
  const { heldOut } = fitted
  const number = (value: number | null) => (value === null ? notAssessed : value.toFixed(2))
  return [
    ['Model', `${card.name} (${card.kind})`],
    ['Model id', card.id],
    ['Organism', card.organism],
    ['Atlas', `${pin.key} (${pin.etag})`],
    ['Counts', facts.counts.matrix],
    ['Cells trained on', wholeNumber(fitted.trained)],
    ['Cells held out', wholeNumber(fitted.validated)],
    ['Genes', wholeNumber(prepared.modelGenes.length)],
    ['Negative ELBO of held-out cells', number(heldOut.elbo)],
    ['Reconstruction error of held-out cells', number(heldOut.reconstruction)],
    ['Computed on', fitted.provider],
  ]
}

const fileNotes: Record<string, string> = {
  h5ad: 'the atlas with its place in the latent space and the labels that the model gives',
  [expressionNames.output]: 'expression as the decoder of the model has it, cells x genes',
  model: 'the model in the layout of scvi-tools: name its folder there',
  report: 'this page',
  umap: 'the map as a picture',
  predictions: 'one line a cell',
  history: 'every epoch of the training',
  confusion: 'held-out cells of each label, by what they were called',
  genes: 'the genes of the model, in its order',
  plot_training_scvi: 'the course of the training of scVI',
  plot_training_scanvi: 'the course of the training of SCANVI',
  plot_label_distribution: 'labels by batch',
}
