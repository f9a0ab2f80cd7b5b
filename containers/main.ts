/** What every container does: one step of the road, with the process's environment, signals and exit code. */
import { Interrupted } from '../lib/job/errors.ts'
import type { BatchState } from '../lib/job/road.ts'
import { runStep } from '../lib/workflows/road/run-step.ts'

/**
 * A Spot machine that is taken away sends SIGTERM two minutes before. The process ends itself only when the step's own work has ended: while a
 * training's thread computes, `process.exit` would abort it.
 */
export async function main(state: BatchState): Promise<never> {
  // whoever watched is gone: no reason to end in the middle of something, and what goes with it sends SIGTERM
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const controller = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      controller.abort(
        new Interrupted('INTERRUPTED', state, 'stopped on request', 'Run the job again: it goes on'),
      )
    })
  }
  const code = await runStep(state, {
    environment: process.env,
    signal: controller.signal,
    print: (line) => process.stdout.write(`${line}\n`),
  })
  process.exit(code)
}
