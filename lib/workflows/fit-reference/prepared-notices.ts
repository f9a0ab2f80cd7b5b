/**
 * What Prepare of `fit-reference` has to say of the atlas: too little to learn from is refused; cells that take no part, small batches and names
 * that are taken are told.
 */
import type { CellFile } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { referenceNames } from '../../job/stored-names.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { leftOutReasons } from '../parts/count-shards.ts'
import type { FitReferenceContext } from './context.ts'
import type { Prepared } from './prepare.ts'

/** An atlas may come with a latent space of its own under the usual name. */
export async function replacedNotices(file: CellFile, { labels }: Prepared): Promise<ErrorReport[]> {
  if (!isAnnData(file)) return []
  const names = Object.values(referenceNames(labels === null ? 'scvi' : 'scanvi').obsm)
  const nodes = await Promise.all(names.map((name) => file.tree.node(`/obsm/${name}`)))
  return names
    .filter((_, i) => nodes[i] !== undefined)
    .map((name) => ({
      code: 'ARRAY_REPLACED',
      place: `${file.place}:/obsm/${name}`,
      problem: 'the atlas has an array of this name: in the result it is that of the new model',
      remedy: 'The atlas itself is unchanged; keep it under another name where both are wanted',
    }))
}

/** With fewer, batches and labels mean nothing, and neither does a split. */
const fewestCells = 10

/** A batch with fewer cells is hardly learnt: scvi-tools warns of it, too. */
const fewInBatch = 3

/** @throws BadInput CELLS_TOO_FEW; CELLS_LOW_COUNTS where the job is strict */
export function preparedNotices(
  prepared: Prepared,
  { place, settings }: { place: string; settings: FitReferenceContext['road']['settings'] },
): ErrorReport[] {
  const { cells, taking, leftOut, batch, batchCells, fewCounts } = prepared
  const notices: ErrorReport[] = []
  const say = (code: string, problem: string, remedy: string) =>
    notices.push({ code, place, problem, remedy })
  if (taking < fewestCells)
    throw new BadInput(
      'CELLS_TOO_FEW',
      place,
      `${taking} of ${cells} cells can be learnt from, and ${fewestCells} are the least`,
      'Give more cells, and every cell its batch',
    )
  for (const [reason, count] of leftOut.entries())
    if (reason > 0 && count > 0)
      say(
        'CELLS_LEFT_OUT',
        `${count} of ${cells} cells have ${leftOutReasons[reason]}: they are not learnt from and have no place in the latent space`,
        'Give them a value, or take them out first',
      )
  if (fewCounts > 0) {
    const problem = `${fewCounts} of ${cells} cells have fewer than ${settings.min_counts} counts`
    if (settings.strict)
      throw new BadInput('CELLS_LOW_COUNTS', place, `${problem}, and the job is strict`, 'Filter them first')
    say('CELLS_LOW_COUNTS', problem, 'Filter them first where they are no cells')
  }
  const small = batch.categories.filter((_, code) => batchCells[code]! < fewInBatch)
  if (small.length > 0)
    say(
      'BATCHES_SMALL',
      `${small.length} of ${batch.categories.length} batches have fewer than ${fewInBatch} cells: ${shownNames(small)}`,
      'Join them to others: what sets them apart cannot be learnt from so few cells',
    )
  if (batch.categories.length === 1)
    say(
      'BATCH_ONE',
      `all cells are of one batch, ${shownNames(batch.categories)}: nothing is corrected for`,
      'Nothing need be done if they are; a query can be mapped all the same',
    )
  return notices
}
