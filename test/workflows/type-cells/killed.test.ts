/**
 * Law: a job of `type-cells` that is killed while it learns, or while it publishes, comes to the result of a job that nobody disturbed.
 * The whole run is ended by SIGKILL in Fit; in Publish the step alone is, as a Spot machine that is gone, at its first files.
 */
import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Start } from '../../../lib/job/road.ts'
import { openStores } from '../../../lib/job/stores.ts'
import type { RoadEvent } from '../../../lib/local/state-machine.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { filesUnder, fingerprints, runRoadOf, spawnRoad } from '../../support/road-run.ts'
import { referenceFile, simulateStudy, studyFile } from '../../support/simulated-studies.ts'
import { uploadTyping } from '../../support/type-cells-run.ts'

let lab: Installation
let start: Start
let undisturbed: Record<string, string>
beforeAll(async () => {
  lab = await makeInstallation()
  const files = {
    'q.h5ad': studyFile(simulateStudy(3, 60).counts, { spatial: true }),
    'ref-1.h5ad': referenceFile(simulateStudy(1, 150)),
  }
  const settings = { umap: true, generate_plots: true }
  start = (await uploadTyping(lab, files, settings)).start
  await runRoadOf(lab, start)
  undisturbed = fingerprints(await filesUnder(lab.stores.outbox, start.output))
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

/** The same inbox, with stores of its own for all that is made. */
async function fresh(name: string): Promise<Installation> {
  const own = (store: string) => join(lab.folder.path, name, store)
  const environment = {
    ...lab.environment,
    CELLDROP_WORK: own('work'),
    CELLDROP_MODELS: own('models'),
    CELLDROP_OUTBOX: own('outbox'),
  }
  return { ...lab, environment, stores: await openStores(environment) }
}

const run = promisify(execFile)

/** Runs the job; `strike` is called once, when an event first fits. @returns what it ended with */
async function runUntil(
  own: Installation,
  fits: (event: RoadEvent) => boolean,
  strike: (road: ChildProcess) => Promise<void>,
) {
  const road = spawnRoad(own, start)
  const errors = text(road.stderr!)
  let struck: Promise<void> | undefined
  createInterface({ input: road.stdout! }).on('line', (line) => {
    if (struck === undefined && fits(JSON.parse(line) as RoadEvent)) struck = strike(road)
  })
  const [code, signal] = (await once(road, 'close')) as [number | null, string | null]
  await struck
  return { hit: struck !== undefined, code, signal, errors: await errors }
}

async function killSteps(road: ChildProcess): Promise<void> {
  const found = await run('pgrep', ['-P', String(road.pid)]).catch(() => ({ stdout: '' }))
  for (const id of found.stdout.split('\n').filter(Boolean).map(Number)) {
    try {
      process.kill(id, 'SIGKILL')
    } catch {
      // it has ended meanwhile
    }
  }
}

const working = (step: string) => (event: RoadEvent) => event.event === 'progress' && event.step === step

describe('a job that is killed', () => {
  it('while it learns, and run again, comes to the same bytes', async () => {
    const own = await fresh('fit')
    const first = await runUntil(own, working('Fit'), async (road) => {
      await killSteps(road)
      road.kill('SIGKILL')
    })
    expect(first).toMatchObject({ hit: true, signal: 'SIGKILL' })
    expect(await filesUnder(own.stores.outbox, start.output)).toEqual(new Map())
    await runRoadOf(own, start)
    expect(fingerprints(await filesUnder(own.stores.outbox, start.output))).toEqual(undisturbed)
  })

  it('while it publishes goes on by itself, and comes to the same bytes', async () => {
    const own = await fresh('publish')
    const only = await runUntil(own, working('Publish'), killSteps)
    expect(only).toEqual({ hit: true, code: 0, signal: null, errors: '' })
    expect(fingerprints(await filesUnder(own.stores.outbox, start.output))).toEqual(undisturbed)
  })
})
