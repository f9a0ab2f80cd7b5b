/** What is remarked on cells before they are placed: those of few counts, and those that take no part. */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { leftOutReasons } from '../parts/count-shards.ts'
import type { Source } from './open-sources.ts'

/**
 * @param totals counts of the cells of all sources
 * @throws BadInput CELLS_LOW_COUNTS where the job is strict and the query has such cells
 */
export function lowCounts(
  totals: Float64Array,
  { sources, settings }: { sources: readonly Source[]; settings: MapAtlasSettings },
): ErrorReport[] {
  const { min_counts, strict } = settings
  const notices: ErrorReport[] = []
  let first = 0
  for (const { role, obs, file } of sources) {
    const own = totals.subarray(first, first + obs.rows)
    first += obs.rows
    const few = own.reduce((sum, total) => sum + Number(total < min_counts), 0)
    if (few === 0) continue
    const problem = `${few} of ${obs.rows} cells have fewer than ${min_counts} counts`
    if (strict && role === 'query')
      throw new BadInput(
        'CELLS_LOW_COUNTS',
        file.place,
        `${problem}, and the job is strict`,
        'Filter them first, lower min_counts, or leave out "strict"',
      )
    notices.push({
      code: 'CELLS_LOW_COUNTS',
      place: file.place,
      problem: `${problem}; they are kept, and flagged`,
      remedy: 'Read their labels with care, or filter them before',
    })
  }
  return notices
}

/** Cells that take no part, by reason. */
export function reasonsOf(leftOut: Uint8Array): Record<string, number> {
  const counts = new Map<string, number>()
  for (const reason of leftOut)
    if (reason > 0) counts.set(leftOutReasons[reason]!, (counts.get(leftOutReasons[reason]!) ?? 0) + 1)
  return Object.fromEntries(counts)
}

export function leftOutNotice(reasons: Record<string, number>, place: string): ErrorReport[] {
  const told = Object.entries(reasons).map(([reason, cells]) => `${cells} with ${reason}`)
  if (told.length === 0) return []
  return [
    {
      code: 'CELLS_LEFT_OUT',
      place,
      problem: `cells that take no part, and get neither place nor label: ${told.join(', ')}`,
      remedy: 'Give every cell its batch, and take cells without counts out first',
    },
  ]
}

/** @throws BadInput CELLS_NONE_LEFT */
export function refuseNone(leftOut: Uint8Array, place: string): void {
  if (leftOut.includes(0)) return
  throw new BadInput(
    'CELLS_NONE_LEFT',
    place,
    'no cell of the query can be placed: none has counts on the genes of the model, a batch and its covariates',
    'Look at the batch column and at how the genes are called',
  )
}
