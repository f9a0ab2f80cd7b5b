/** The map of the page, and the picture for slides: everything that can colour the cells. Cells that were left unassigned are grey. */
import { unassigned } from '../../labels/match.ts'
import type { CategoricalColouring, Colouring } from '../../report/content.ts'
import { wholeNumber } from '../../report/numbers.ts'
import type { ScatterPicture } from '../../report/scatter-png.ts'
import { obsColourings } from '../parts/page-parts.ts'
import type { Annotated } from './annotated.ts'
import type { AnnotateContext } from './context.ts'
import { umapSpace } from './rules.ts'

/** The picture for slides: cells by their label. */
export function scatterOf(annotated: Annotated, { road, job }: AnnotateContext): ScatterPicture | null {
  const { layout } = annotated
  if (layout === null) return null
  return {
    xy: layout,
    colouring: byLabel(annotated),
    title: job.name,
    seed: road.settings.seed,
  }
}

function byLabel({ labels, raw }: Annotated): CategoricalColouring {
  const colours = raw === null ? {} : { colours: { [unassigned]: '#9a9a9a' } }
  return { kind: 'categorical', name: 'Predicted label', ...labels, ...colours }
}

export function layoutNote(
  { prepared, labelled: { network } }: Annotated,
  { road }: AnnotateContext,
): string {
  const { settings } = road
  if (umapSpace(settings, { isNetwork: network !== null }) === 'pca')
    return `Made of the query alone: ${wholeNumber(prepared.variable)} variable genes, ${settings.n_components} principal components. The labels had no part in it.`
  return network === null
    ? 'Made of the scores of the model: cells of one label lie together by construction.'
    : `Made of where the model places the cells of the query, in ${network.dims} dimensions, and of nothing else: cells of the reference are not on it.`
}

export function colourings(annotated: Annotated, { road }: AnnotateContext): Colouring[] {
  const { raw, uncertainty, byModel, byCell, clusters, majorityShare, fewCounts } = annotated
  const { prepared, shown, totals, detected, mitochondrial, others } = annotated
  const number = (name: string, values: ArrayLike<number>): Colouring => ({
    kind: 'number',
    name,
    values: Float32Array.from(values),
  })
  const made: Colouring[] = [
    byLabel(annotated),
    { kind: 'number', name: 'Uncertainty', values: uncertainty, low: 'sure', high: 'unsure', range: [0, 1] },
  ]
  if (raw !== null) made.push({ kind: 'categorical', name: 'Label before min_confidence', ...raw })
  if (byModel !== null) made.push({ kind: 'categorical', name: 'Model that was surest', ...byModel })
  for (const { column, labels } of others)
    made.push({ kind: 'categorical', name: `Label by ${column}`, ...labels })
  if (byCell !== null) made.push({ kind: 'categorical', name: 'Label before voting', ...byCell })
  if (clusters !== null) made.push({ kind: 'categorical', name: 'Cluster that voted', ...clusters })
  const shareName = `Share of the cluster with this label${raw === null ? '' : ' before min_confidence'}`
  if (majorityShare !== null) made.push(number(shareName, majorityShare))
  const isCounts = road.inputs[0]!.facts.counts.from === 'counts'
  made.push(number(isCounts ? 'Total counts' : 'Total of the normalised values', totals))
  made.push(number('Genes detected', detected))
  if (mitochondrial !== null) made.push(number('Mitochondrial share', mitochondrial))
  if (fewCounts !== null) {
    const codes = Int32Array.from(fewCounts)
    made.push({ kind: 'categorical', name: 'Counts', codes, categories: ['enough', 'few'] })
  }
  for (const [i, gene] of prepared.shown.entries())
    made.push(number(`Gene ${gene}`, shown.subarray(i * prepared.cells, (i + 1) * prepared.cells)))
  return [...made, ...obsColourings(annotated.obs, road.settings.show_columns)]
}
