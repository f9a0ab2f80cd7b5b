import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { standardisation } from '../../lib/models/standardised-cells.ts'
import { controlWords, openCrew } from '../../lib/models/training-crew.ts'
import { createSharedMemory } from '../../lib/models/training-kernel.ts'
import { fillMemory, trainingLayout, trainingShape } from '../../lib/models/training-memory.ts'
import { operations } from '../../lib/models/training-strand.ts'
import { vectorSpace } from '../../lib/models/training-vectors.ts'
import { labelledCells } from './labelled-cells.ts'

const { cells, codes } = labelledCells(random(2), { rows: 1600, genes: 200, labels: 5, density: 0.8 })
const standard = standardisation(cells)

function setUp() {
  const shape = trainingShape(cells, { heads: 5, loss: 'multinomial', strength: 1 })
  const layout = trainingLayout(shape, { entries: cells.indices.length, place: 'a test' })
  const memory = createSharedMemory(layout.bytes)
  fillMemory(memory, { cells, codes, standard, layout, shape })
  const setup = { memory, layout, shape }
  const space = vectorSpace(setup, standard)
  const gradient = (): number[] => {
    const into = space.zeros()
    space.collect('double', { into, penalised: space.zeros() })
    return [...into.weights, ...into.intercept]
  }
  return { setup, gradient, strands: shape.strands.length - 1 }
}

describe('the threads of a training', () => {
  const alone = setUp()
  const crew = openCrew(alone.setup, { threads: 1 })
  afterAll(() => crew.close())

  it('share cells that are cut into strands', () => {
    expect(alone.strands).toBe(2)
  })

  it('leave what the main thread would have left: a worker that does all the work alone', async () => {
    await crew.run('settle')
    const expected = alone.gradient()
    expect(expected.some((value) => Math.abs(value) > 1)).toBe(true)

    const { setup, gradient, strands } = setUp()
    const control = new Int32Array(setup.memory.buffer, setup.layout.control, 5)
    control[controlWords.operation] = operations.indexOf('settle')
    const file = new URL('../../lib/models/training-worker.ts', import.meta.url)
    const worker = new Worker(file, { workerData: setup, env: {}, argv: [], execArgv: [] })
    const failed = new Promise<never>((_, reject) => worker.on('error', reject))
    for (let done = 0; done < strands; done = Atomics.load(control, controlWords.done))
      await Promise.race([Atomics.waitAsync(control, controlWords.done, done).value, failed])
    await worker.terminate()
    expect(gradient()).toEqual(expected)
  })
})
