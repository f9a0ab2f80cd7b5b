/** The thread of a training: trains what it is handed, tells of every epoch, and answers the wishes that its control word holds. */
import { parentPort, workerData } from 'node:worker_threads'
import { type ErrorReport, isCoded } from '../job/errors.ts'
import { openRunner } from './network-runner.ts'
import { type TrainingState, trainNetwork } from './network-training.ts'
import { type ThreadData, type ThreadMessage, wishes } from './network-training-thread.ts'

const { control, weights, split, schedule, from, ...options } = workerData as ThreadData
const port = parentPort!
const wish = new Int32Array(control)
const notices: ErrorReport[] = []
const tell = (message: ThreadMessage) => port.postMessage(message)

try {
  const runner = await openRunner(weights, { ...options, notices, clock: () => performance.now() })
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
  tell({
    kind: 'done',
    trained: { ...trained, notices: [...notices, ...trained.notices], provider: runner.provider },
  })
  await runner.close()
} catch (error) {
  const name = error instanceof Error ? error.name : 'Error'
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const report = isCoded(error)
    ? { code: error.code, place: error.place, problem: error.problem, remedy: error.remedy }
    : null
  tell({ kind: 'failed', name, report, message })
}
