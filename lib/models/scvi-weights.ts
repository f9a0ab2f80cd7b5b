/** What a network needs of the tensors it came with: all of its weights, of its shapes, and numbers. Other tensors may be anything. */
import { BadInput } from '../job/errors.ts'
import { corrupt, shown } from './model-errors.ts'
import type { ScviModel } from './scvi-model.ts'
import { networkWeights } from './scvi-tensors.ts'
import { splitWeights, type Weight } from './state-dict.ts'

/** @throws BadInput MODEL_CORRUPT, MODEL_NOT_FINITE */
export function checkWeights(model: ScviModel, place: string): void {
  let split: Map<string, Weight>
  try {
    split = splitWeights(
      model.weights,
      networkWeights(model, model.decoder === 'computed' ? 'all' : 'encoder'),
    )
  } catch (error) {
    const told = shown((error as Error).message)
    const { dispersion } = model.shape
    throw corrupt(place, `tensors and settings (dispersion ${dispersion}) contradict each other: ${told}`)
  }
  for (const [name, { data }] of split)
    if (!data.every(Number.isFinite))
      throw new BadInput(
        'MODEL_NOT_FINITE',
        place,
        `the weight "${shown(name)}" holds what is no number`,
        'Its training failed: train it again, and look at cells without counts first',
      )
}
