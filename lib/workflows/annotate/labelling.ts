/**
 * What a network labels cells by: its own classifier, the nearest cells of its reference, or a logistic regression on where these lie. All is said
 * by the card: light, so that Lambdas are. Only a reference's cells have several columns of labels; the first is the label of a cell.
 */
import { BadInput } from '../../job/errors.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { labelsOfNetwork, type NetworkCard } from '../../models/network-card.ts'
import { referenceMissing } from '../../models/reference-cells.ts'
import { shownNames } from '../../prep/shown-names.ts'

export interface Labelling {
  classifier: 'scanvi' | 'knn' | 'logistic'
  /** what cells are labelled with, the label of a cell first */
  columns: { column: string; labels: readonly string[] }[]
}

type Asked = Pick<AnnotateSettings, 'classifier' | 'label_columns'>

/** @throws BadInput CLASSIFIER_UNKNOWN, LABEL_COLUMN_UNKNOWN, REFERENCE_CELLS_MISSING */
export function labellingOf(card: NetworkCard, { classifier, label_columns }: Asked): Labelling {
  const own = card.kind === 'scanvi' ? 'scanvi' : 'knn'
  const chosen = classifier === 'default' ? own : classifier
  if (chosen === 'scanvi') return { classifier: chosen, columns: [ownLabels(card, label_columns)] }
  if (card.reference === undefined) throw referenceMissing(card.name, 'classifier')
  const kept = card.reference.columns.map(({ column, categories }) => ({ column, labels: categories }))
  const wanted = label_columns ?? kept.map(({ column }) => column)
  const columns = wanted.map((name) => {
    const found = kept.find(({ column }) => column === name)
    if (found === undefined) throw unknownColumn(card, name)
    return found
  })
  if (columns.length === 0) throw unknownColumn(card, undefined)
  return { classifier: chosen, columns }
}

function ownLabels(card: NetworkCard, wanted: readonly string[] | undefined): Labelling['columns'][number] {
  if (card.kind !== 'scanvi')
    throw new BadInput(
      'CLASSIFIER_UNKNOWN',
      'classifier',
      `the model "${card.name}" is a scVI, which has no classifier of its own`,
      'Take "knn" or "logistic", which go by the labels of its reference',
    )
  const column = card.setup.labels.column ?? 'label'
  const others = wanted?.filter((name) => name !== column) ?? []
  if (others.length > 0)
    throw new BadInput(
      'LABEL_COLUMN_UNKNOWN',
      'label_columns',
      `the classifier of the model "${card.name}" knows the labels of "${column}" and no others: ${shownNames(others)}`,
      'Leave label_columns out, or take classifier "knn" or "logistic"',
    )
  return { column, labels: labelsOfNetwork(card) }
}

function unknownColumn({ name, reference }: NetworkCard, wanted: string | undefined): BadInput {
  const kept = reference!.columns.map(({ column }) => column)
  const shown = kept.length === 0 ? 'no column of labels' : shownNames(kept)
  const asked = wanted === undefined ? '' : ` and not "${wanted}"`
  return new BadInput(
    'LABEL_COLUMN_UNKNOWN',
    'label_columns',
    `the model "${name}" keeps ${shown}${asked} for the cells of its reference`,
    kept.length === 0
      ? 'Make the model again with label_column or transfer_columns'
      : 'Name columns that it keeps',
  )
}
