/** The tables of the page: labels, genes that were found, how well cells are explained, batches of the query. */
import type { LabelRow, TextTable } from '../../report/content.ts'
import { percentage, wholeNumber } from '../../report/numbers.ts'
import { countsOf } from '../parts/coded.ts'
import type { GeneMaps } from '../workflow.ts'
import { termOf } from './columns.ts'
import { codedOfQuery, explainedBySource, type Mapped, ofQuery } from './mapped.ts'

/** How a Cell Ontology term was found, in words. */
const tiers: Record<string, string> = {
  existing: 'given with the model or the job',
  name: 'exact name',
  synonym: 'exact synonym',
  alias: 'known alias',
}

export function labelTable(mapped: Mapped): LabelRow[] {
  const labels = codedOfQuery(mapped.labels, mapped)
  const probability = ofQuery(mapped.probability, mapped)
  const sums = new Float64Array(labels.categories.length)
  for (const [cell, code] of labels.codes.entries()) if (code >= 0) sums[code]! += 1 - probability[cell]!
  return countsOf(labels).map(([label, cells]) => {
    const term = termOf(mapped.terms, label)
    return {
      label,
      cells,
      share: cells / Math.max(1, labels.codes.length),
      meanUncertainty: sums[labels.categories.indexOf(label)]! / cells,
      ontologyId: term?.id ?? null,
      ontologyName: term?.name ?? null,
      tier: term === undefined ? null : (tiers[term.tier] ?? term.tier),
      candidates: term?.id == null ? (term?.candidates ?? []) : [],
    }
  })
}

export function overlapTable(maps: GeneMaps): TextTable {
  const shown = Object.entries({
    query: 'Query, of the genes of the model',
    atlas: 'Atlas, of the genes of the model',
    joint: 'Query, of the genes of the atlas',
  }).flatMap(([role, what]) => (maps.plans[role] === undefined ? [] : [[what, maps.plans[role]] as const]))
  return {
    title: 'Genes',
    caption: 'By which column the genes of a file were found, and how many of those that were looked for.',
    columns: ['File', 'Names from', 'Found', 'Share', 'Missing, the first'],
    rows: shown.map(([what, plan]) => [
      what,
      `${plan.column ?? 'index of var'} (${plan.idType})`,
      `${wholeNumber(plan.found)} of ${wholeNumber(plan.modelGenes)}`,
      percentage(plan.share),
      plan.missing.slice(0, 8).join(', '),
    ]),
  }
}

/** What the model makes of the counts themselves, query beside atlas. */
export function explainedTable(mapped: Mapped): TextTable[] {
  if (mapped.explained === null) return []
  const figure = (value: number | undefined, digits: number) =>
    value === undefined ? 'not assessed' : value.toFixed(digits)
  return [
    {
      title: 'How well the model explains the cells',
      caption:
        'Means over cells, in nats: lower is better. The reconstruction error (minus the logarithm of the likelihood of all counts) and the divergence of the place from the prior add up to minus the ELBO; both grow with the depth of sequencing. The error per detected gene does not, so compare that: where the query has a higher one than the atlas, the model knows its cells, or how they were measured, less well.',
      columns: [
        'Cells of',
        'Cells',
        'Error per detected gene',
        'Reconstruction error',
        'Divergence',
        'Minus the ELBO',
      ],
      rows: explainedBySource(mapped).map(({ source, mean }) => [
        source,
        wholeNumber(mean?.cells ?? 0),
        figure(mean?.perGene, 3),
        figure(mean?.reconstruction, 2),
        figure(mean?.divergence, 2),
        figure(mean?.elbo, 2),
      ]),
    },
  ]
}

const mostBatches = 200

export function batchTable(mapped: Mapped): TextTable[] {
  const { batches, prepared, probability } = mapped
  const { added, reference } = prepared.batches
  const cells = new Map<number, { cells: number; sum: number }>()
  for (let cell = prepared.atlasCells; cell < prepared.cells; cell++) {
    const one = cells.get(batches.codes[cell]!) ?? { cells: 0, sum: 0 }
    cells.set(batches.codes[cell]!, one)
    if (Number.isNaN(probability[cell]!)) continue
    one.cells++
    one.sum += probability[cell]!
  }
  const kindOf = (name: string) =>
    added.includes(name) ? 'learnt' : reference.includes(name) ? 'of the reference' : 'not known to the model'
  const rows = [...cells].filter(([code]) => code >= 0).slice(0, mostBatches)
  return [
    {
      title: 'Batches of the query',
      columns: ['Batch', 'To the model', 'Cells with a place', 'Mean probability'],
      rows: rows.map(([code, one]) => [
        batches.categories[code]!,
        kindOf(batches.categories[code]!),
        wholeNumber(one.cells),
        one.cells === 0 ? 'none' : (one.sum / one.cells).toFixed(3),
      ]),
    },
  ]
}
