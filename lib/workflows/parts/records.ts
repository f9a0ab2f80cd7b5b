/** What the steps before left behind, gathered for Publish: records, notices without repetition, times. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { BatchState } from '../../job/road.ts'
import type { StepRecord } from '../../job/steps.ts'
import { openInput } from '../road/inputs.ts'
import { afterPrepareOf } from '../rules.ts'
import type { StepContext } from '../workflow.ts'

export interface Records {
  Prepare: StepRecord
  /** absent where nothing was trained */
  Fit?: StepRecord
  Embed: StepRecord[]
  Label: StepRecord
}

export interface Timing {
  step: BatchState
  seconds: number
  peakMemoryMiB: number
}

export async function stepRecords({ road, before }: StepContext): Promise<Records> {
  const embed: StepRecord[] = []
  for (let shard = 0; shard < road.shards; shard++) embed.push(await before('Embed', shard).finished())
  return {
    Prepare: await before('Prepare').finished(),
    ...(afterPrepareOf(road.settings) === 'Fit' && { Fit: await before('Fit').finished() }),
    Embed: embed,
    Label: await before('Label').finished(),
  }
}

/** Everything that was remarked on the way; the same remark of two steps is one. */
export function noticesOf({ road }: StepContext, { Prepare, Fit, Embed, Label }: Records): ErrorReport[] {
  const all = [
    ...road.inputs.flatMap(({ facts }) => facts.notices),
    ...road.notices,
    ...Prepare.notices,
    ...(Fit?.notices ?? []),
    ...Embed.flatMap(({ notices }) => notices),
    ...Label.notices,
  ]
  return [...new Map(all.map((notice) => [JSON.stringify(notice), notice])).values()]
}

/** Shards work at the same time: the longest counts. */
export function timingsOf({ Prepare, Fit, Embed, Label }: Records): Timing[] {
  const of = (step: BatchState, records: readonly StepRecord[]) => ({
    step,
    seconds: Math.max(...records.map(({ seconds }) => seconds)),
    peakMemoryMiB: Math.max(...records.map(({ peakMemory }) => peakMemory)),
  })
  return [
    of('Prepare', [Prepare]),
    ...(Fit === undefined ? [] : [of('Fit', [Fit])]),
    of('Embed', Embed),
    of('Label', [Label]),
  ]
}

/** The table of the query's cells, as it was given. */
export async function readObs({ road, stores }: StepContext): Promise<Table> {
  const file = await openInput(road.inputs[0]!.pin, stores)
  try {
    return await file.obs()
  } finally {
    await file.close()
  }
}
