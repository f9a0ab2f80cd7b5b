/**
 * A program that runs one job along the whole road, as `celldrop` does, for tests that end it in the middle or start it twice:
 * `node road-process.ts '{"start": ..., "places": ..., "defaultModel": ...}'`. Its events come as JSON lines.
 */
import type { Start } from '../../lib/job/road.ts'
import { type LocalRun, runLocally } from '../../lib/local/local-road.ts'

export interface RoadTask {
  start: Start
  places: LocalRun['places']
  defaultModel: string | undefined
}

const { start, places, defaultModel } = JSON.parse(process.argv[2] ?? '') as RoadTask
const controller = new AbortController()
process.once('SIGTERM', () => controller.abort(new Error('stopped')))
try {
  await runLocally(start, {
    places,
    mayReadAll: false,
    defaultModel,
    signal: controller.signal,
    onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
  })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
}
