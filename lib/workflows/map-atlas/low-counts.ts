/** What is remarked on cells of few counts before they are placed. */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
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
