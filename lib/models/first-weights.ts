/** Weights as they begin, drawn as PyTorch draws them (uniform for layers, normal for dispersions), each from a generator of its own name. */

import { sizeOf } from '../graph/tensor.ts'
import { normalNoise } from '../job/noise.ts'
import type { Random } from '../job/random.ts'
import type { WeightSpec } from './network.ts'
import type { Weight } from './state-dict.ts'

export function firstWeights(specs: ReadonlyMap<string, WeightSpec>, random: Random): Map<string, Weight> {
  const fillNormal = normalNoise()
  return new Map(
    [...specs].map(([name, { shape, start }]) => {
      const data = new Float32Array(sizeOf(shape))
      const own = random.fork(name)
      if ('constant' in start) data.fill(start.constant)
      else if ('normal' in start) fillNormal(data, own)
      else for (let i = 0; i < data.length; i++) data[i] = (2 * own.uniform() - 1) * start.uniform
      return [name, { shape, data }]
    }),
  )
}
