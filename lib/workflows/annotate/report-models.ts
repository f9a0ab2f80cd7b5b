/** What the page of `annotate` says of its models: which they are, what the query has of their genes, which cells each was surest of. */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { Fact, ReportContent, TextTable } from '../../report/content.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import type { Annotated, ModelUse } from './annotated.ts'

export function headlineOfModels(models: readonly ModelUse[]): ReportContent['headline'][number] {
  const [{ plan }, ...others] = models as [ModelUse, ...ModelUse[]]
  if (others.length > 0) {
    const used = models.filter(({ cells }) => cells > 0).length
    return { label: 'Models', value: String(models.length), note: `${used} of them labelled cells` }
  }
  return {
    label: 'Genes of the model found',
    value: percentage(plan.share),
    note: `${wholeNumber(plan.found)} of ${wholeNumber(plan.modelGenes)}`,
  }
}

export function modelTable({ models, prepared }: Annotated): TextTable {
  return {
    title: 'Models',
    caption: 'Every model was asked about every cell; a cell has the label of the one that was surest of it.',
    columns: ['Model', 'Version', 'Labels', 'Genes found', 'Cells it was surest of', 'Share of cells'],
    rows: models.map(({ card, plan, cells }) => [
      card.name,
      card.version,
      wholeNumber(card.labels.length),
      `${wholeNumber(plan.found)} of ${wholeNumber(plan.modelGenes)} (${percentage(plan.share)})`,
      wholeNumber(cells),
      percentage(prepared.cells === 0 ? 0 : cells / prepared.cells),
    ]),
  }
}

export function foundGenes(models: readonly ModelUse[]): string {
  const found = models.map(({ card, plan }) => {
    const model = models.length === 1 ? 'the model' : `"${card.name}"`
    return `${wholeNumber(plan.found)} of the ${wholeNumber(plan.modelGenes)} genes of ${model}`
  })
  return found.join(', ')
}

export function scoringLine({ models, labelled }: Annotated, settings: AnnotateSettings): string {
  const names = models.map(({ card }) => `"${card.name}"`).join(', ')
  const scored =
    models.length === 1
      ? `The model ${names} gave each cell a score for each of its ${labelled.classes.length} labels;`
      : `The models ${names} gave each cell a score for each of their labels, ${labelled.classes.length} together, and the one that was surest of a cell labels it:`
  const called =
    settings.mode === 'best_match'
      ? 'a cell has the label with the highest score, even where none fits well: look at the uncertainty.'
      : `a cell has every label with a probability above ${settings.p_threshold}, or "Unassigned".`
  return `${scored} ${called}`
}

export function modelFacts(models: readonly ModelUse[]): Fact[] {
  return models.flatMap(({ card }): Fact[] => [
    ['Model', `${card.name}, version ${card.version}`],
    ['Content of the model', card.id],
    ['Model made', card.created],
  ])
}
