/** What the page of `annotate` says of a network: where it placed the cells, what labelled them there, and labels by further columns of its reference. */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { TextTable } from '../../report/content.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import type { Annotated } from './annotated.ts'
import type { LabelledByNetwork } from './label.ts'

/** In sentences; none for linear models. */
export function networkLines(
  { labelled: { network }, prepared, adapted, models }: Annotated,
  settings: AnnotateSettings,
): string[] {
  if (network === null || prepared.network === null) return []
  const { average, added } = prepared.network.batches
  const learnt =
    adapted !== null && adapted.cells > 0
      ? ` It had learnt the ${added.length === 1 ? 'batch' : `${added.length} batches`} of the query before, from ${wholeNumber(adapted.cells)} cells in ${adapted.history.length} epochs (surgery); all else of it stayed as it was.`
      : average === null
        ? ''
        : ' Cells of batches that it does not know were placed as those of an average batch of its reference.'
  return [
    `The model "${models[0]!.card.name}" placed each cell in its latent space of ${network.dims} dimensions.${learnt}`,
    `${labellers[network.classifier](network, settings)} ${
      settings.mode === 'best_match'
        ? 'The label with the highest one is given even where no cell of the reference is alike: look at the uncertainty.'
        : `A cell has every label with one above ${settings.p_threshold}, or "Unassigned".`
    }`,
    ...sensitivity(network, prepared.cells),
  ]
}

const labellers: Record<
  LabelledByNetwork['classifier'],
  (network: LabelledByNetwork, settings: AnnotateSettings) => string
> = {
  scanvi: () => 'Its own classifier gave each cell a probability for each label.',
  logistic: ({ reference }) =>
    `A logistic regression on where ${wholeNumber(reference!.cells)} cells of its reference lie gave each cell a probability for each label.`,
  knn: ({ reference }, { knn_weights }) =>
    `Each cell was labelled by the ${reference!.neighbours!.asked} nearest of ${wholeNumber(reference!.cells)} cells of its reference, ${knn_weights === 'uniform' ? 'which count alike' : 'of which nearer ones count more'}; the share of a label is what they count together.`,
}

function sensitivity({ reference }: LabelledByNetwork, cells: number): string[] {
  const fewer = reference?.neighbours?.fewer
  if (fewer == null) return []
  return [
    `With ${fewer.asked} neighbours ${wholeNumber(fewer.differing)} cells (${percentage(fewer.differing / Math.max(1, cells))}) would have another label.`,
  ]
}

/** Labels by further columns of the reference. */
export function furtherLabels({ others }: Annotated): TextTable[] {
  return others.map(({ column, labels, uncertainty }) => {
    const sums = new Float64Array(labels.categories.length)
    for (const [cell, code] of labels.codes.entries()) if (code >= 0) sums[code]! += uncertainty[cell]!
    return {
      title: `Labels by "${column}"`,
      caption:
        'As the cells of the reference have them in this column; neither a vote nor min_confidence changed them.',
      columns: ['Label', 'Cells', 'Share of cells', 'Mean uncertainty'],
      rows: countsOf(labels).map(([label, cells]) => [
        label,
        wholeNumber(cells),
        percentage(cells / labels.codes.length),
        (sums[labels.categories.indexOf(label)]! / cells).toFixed(2),
      ]),
    }
  })
}
