/** A thread of a training: sleeps until a call, takes strands until none is left, sleeps again; it is ended from outside. */
import { workerData } from 'node:worker_threads'
import type { TrainingSetup } from './training-context.ts'
import { controlWords, strandTaker } from './training-crew.ts'

const setup = workerData as TrainingSetup
const control = new Int32Array(setup.memory.buffer, setup.layout.control, 5)
const takeStrands = strandTaker(setup)

for (let seen = -1; ; ) {
  const call = Atomics.load(control, controlWords.call)
  if (call === seen) {
    Atomics.wait(control, controlWords.call, call)
    continue
  }
  seen = call
  takeStrands()
}
