/**
 * The thread of a training: trains what it is handed, tells of every epoch, and answers the wishes that its control word holds. It closes its
 * sessions before it tells that it is done, and ends by itself: see network-training-thread.ts for why nobody may end it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorReport, isCoded } from '../job/errors.ts'
import { openRunner } from './network-runner.ts'
import { type TrainingState, trainNetwork } from './network-training.ts'
import { type ThreadData, type ThreadMessage, type ThreadTrained, wishes } from './network-training-thread.ts'

const { control, weights, split, schedule, from, ...options } = workerData as ThreadData
const port = parentPort!
const wish = new Int32Array(control)
const notices: ErrorReport[] = []
const tell = (message: ThreadMessage) => port.postMessage(message)

async function train(): Promise<ThreadTrained> {
  const runner = await openRunner(weights, { ...options, notices, clock: () => performance.now() })
  try {
    const trained = await trainNetwork(
      { runner, data: options.data, split, schedule, ...(from && { from }) },
      {
        onEpoch: (record) => tell({ kind: 'epoch', record }),
        onSteps: (at) => tell({ kind: 'steps', at }),
        onState: (state: TrainingState) => tell({ kind: 'state', state }),
        ask() {
          const wanted = Atomics.load(wish, 0)
          if (wanted === wishes.stop) return 'stop'
          return Atomics.compareExchange(wish, 0, wishes.store, wishes.on) === wishes.store ? 'store' : 'on'
        },
      },
    )
    return { ...trained, notices: [...notices, ...trained.notices], provider: runner.provider }
  } finally {
    await runner.close()
  }
}

try {
  const trained = await train()
  tell({ kind: 'done', trained })
} catch (error) {
  const name = error instanceof Error ? error.name : 'Error'
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const report = isCoded(error)
    ? { code: error.code, place: error.place, problem: error.problem, remedy: error.remedy }
    : null
  tell({ kind: 'failed', name, report, message })
}
