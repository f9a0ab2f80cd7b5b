/** The tables of the page: each label with its term, and what it was learnt from, held against and checked by. */
import type { LabelRow, TextTable } from '../../report/content.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import type { Typed } from './typed.ts'

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the references or the job',
  reviewed: 'decided in the review table',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
  unmapped: 'none found',
}

export function labelTable({ labels, confidence, prepared, predicted }: Typed): LabelRow[] {
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

export function tables({ prepared, fitted, validation }: Typed): TextTable[] {
  const { byType } = fitted.evaluation
  return [
    trainingTable(prepared.balance),
    ...(byType.length > 0 ? [heldOutTable(byType)] : []),
    ...(validation !== null ? [markerTable(validation)] : []),
  ]
}

function trainingTable(balance: Typed['prepared']['balance']): TextTable {
  return {
    title: 'Training cells',
    caption: 'Cells of each type and reference, before and after balancing.',
    columns: ['type', 'reference', 'there', 'learnt from'],
    rows: balance.map(({ group, source, before, after }) => [
      group,
      source ?? '',
      wholeNumber(before),
      wholeNumber(after),
    ]),
  }
}

function heldOutTable(byType: Typed['fitted']['evaluation']['byType']): TextTable {
  return {
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
  }
}

function markerTable(validation: NonNullable<Typed['validation']>): TextTable {
  const markers = new Map(validation.markers)
  const auroc = new Map(
    validation.enrichment.map((type) => [
      type.label,
      type.status === 'assessed' ? type.auroc.toFixed(3) : '',
    ]),
  )
  return {
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
  }
}
