/** The map of the page, and the picture for slides: where cells are drawn and everything that can colour them. */
import { heterogeneous } from '../../labels/majority-vote.ts'
import { unassigned } from '../../labels/match.ts'
import { lowCount } from '../../labels/thresholds.ts'
import type { Colouring, ReportContent } from '../../report/content.ts'
import { wholeNumber } from '../../report/numbers.ts'
import type { ScatterPicture } from '../../report/scatter-png.ts'
import { obsColourings } from '../parts/page-parts.ts'
import { markerWords } from './columns.ts'
import type { TypeCellsContext } from './context.ts'
import type { Typed } from './typed.ts'

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
export function layoutOf(
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

export function colourings(typed: Typed, { road }: TypeCellsContext): Colouring[] {
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
