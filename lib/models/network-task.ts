/** What is trained, told in plain values: a worker is handed this and puts the same graph together. */
import type { Expression } from '../graph/expression.ts'
import { add, multiply, sum } from '../graph/operations/arithmetic.ts'
import type { Builder } from './network.ts'
import { classificationLoss, type ScanviShape, scanviLoss } from './scanvi-network.ts'
import { type Cells, cellsOf, perCell, type ScviShape, scviLoss } from './scvi-network.ts'
import type { TrainingParts } from './training-graph.ts'

export type NetworkTask =
  | { kind: 'scvi'; shape: ScviShape }
  | {
      kind: 'scanvi'
      shape: ScanviShape
      /** weight of the classifier's loss */
      classificationRatio: number
      /** there are cells with labels, which come in minibatches of their own: group `labelled` */
      hasLabels: boolean
    }

/** The loss of a minibatch; `kl-weight` is a rate. Told: sums of reconstruction (without log x!) and divergence, and the classifier's loss. */
export function networkOf(
  task: NetworkTask,
): (into: Builder, rate: (name: string) => Expression) => TrainingParts {
  return (into, rate) => {
    const cells = cellsOf(into, task.shape)
    const { reconstruction, divergence, ofLibrary } = lossesOf(task, into, cells)
    const weighted = multiply(divergence, rate('kl-weight'))
    const plain = ofLibrary === undefined ? weighted : add(weighted, ofLibrary)
    const loss = perCell(add(reconstruction, plain), cells)
    const told = {
      reconstruction,
      divergence: ofLibrary === undefined ? divergence : add(divergence, ofLibrary),
    }
    if (task.kind === 'scvi' || !task.hasLabels || into.phase === 'inference') return { loss, told }
    const { shape, classificationRatio } = task
    const labelled = cellsOf(into, shape, 'labelled')
    const labels = into.feeds.ofCells('classes', { type: 'int32', group: 'labelled' })
    const classification = classificationLoss(into, { cells: labelled, labels, shape })
    return {
      loss: add(loss, multiply(classification, classificationRatio)),
      told: { ...told, classification },
    }
  }
}

interface Losses {
  reconstruction: Expression
  /** what is warmed up */
  divergence: Expression
  /** what is not */
  ofLibrary?: Expression
}

/** Sums over cells: [1, 1] each. */
function lossesOf(task: NetworkTask, into: Builder, cells: Cells): Losses {
  if (task.kind === 'scvi') {
    const { reconstruction, divergence, ofLibrary } = scviLoss(into, cells, task.shape)
    return { reconstruction, divergence: sum(divergence), ...(ofLibrary && { ofLibrary: sum(ofLibrary) }) }
  }
  const { reconstruction, latent, divergence } = scanviLoss(into, cells, task.shape)
  return { reconstruction: add(reconstruction, sum(latent)), divergence: sum(divergence) }
}
