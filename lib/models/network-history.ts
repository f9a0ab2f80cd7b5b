/** What a training told of its epochs as the figures that scvi-tools keeps, so that an exported model shows the same curves. */

import type { HistorySeries } from './scvi-model.ts'
import type { EpochRecord } from './training-schedule.ts'

/** By the names of scvi-tools; a figure that was not told of an epoch has no value there. */
export function historyOf(records: readonly EpochRecord[]): Map<string, HistorySeries> {
  const figures = new Map<string, { epochs: number[]; values: number[] }>()
  for (const { epoch, rate: _, ...told } of records)
    for (const [figure, value] of Object.entries(told)) {
      if (typeof value !== 'number') continue
      const series = figures.get(figure) ?? { epochs: [], values: [] }
      figures.set(figure, series)
      series.epochs.push(epoch)
      series.values.push(value)
    }
  return new Map(
    [...figures].map(([figure, { epochs, values }]) => [
      figure,
      { epochs: Float64Array.from(epochs), values: Float64Array.from(values) },
    ]),
  )
}
