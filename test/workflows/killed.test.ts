/**
 * Law: a job that is killed anywhere, any number of times, comes to the result of a job that nobody disturbed, and its outbox never shows
 * half a file. Steps are ended by SIGKILL (a Spot machine that is gone) and SIGTERM (one that is taken), the whole run by SIGKILL.
 *
 * CELLDROP_KILL_TRIALS=100 npx vitest run test/workflows/killed.test.ts tries more often; the seed of a trial is its number.
 */
import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Random, random } from '../../lib/job/random.ts'
import type { Start } from '../../lib/job/road.ts'
import { openStores } from '../../lib/job/stores.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { filesUnder, fingerprints, runRoadOf, sha256, spawnRoad } from '../support/road-run.ts'
import { saveSimulatedModel, simulatedQuery } from '../support/simulated-cells.ts'
import { jobFile } from '../support/walk.ts'

const trials = Number(process.env.CELLDROP_KILL_TRIALS ?? 3)

let lab: Installation
let start: Start
let undisturbed: Map<string, Buffer>
/** how many lines an undisturbed run prints */
let lines = 0
beforeAll(async () => {
  lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'blood' })
  await saveSimulatedModel(lab.stores)
  await lab.upload('jobs/k/q.h5ad', simulatedQuery(21, 160))
  const job = jobFile({
    query: 'q.h5ad',
    majority_voting: true,
    write_neighbours: true,
    show_genes: ['CD3D'],
  })
  start = (await lab.upload('jobs/k/job.json', job)).start
  await runRoadOf(lab, start, { onEvent: () => lines++ })
  undisturbed = await filesUnder(lab.stores.outbox, start.output)
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

/** The same inbox and models, with a work store and an outbox of its own. */
async function fresh(name: string): Promise<Installation> {
  const own = (store: string) => join(lab.folder.path, name, store)
  const environment = { ...lab.environment, CELLDROP_WORK: own('work'), CELLDROP_OUTBOX: own('outbox') }
  return { ...lab, environment, stores: await openStores(environment) }
}

type Kill = { after: number; what: 'step' | 'run'; signal: 'SIGKILL' | 'SIGTERM' }

/** When and how a run is disturbed: the number of lines it has printed by then. */
function plans(draw: Random): Kill[] {
  return Array.from({ length: 2 }, () => ({
    after: draw.integer(lines),
    what: draw.uniform() < 0.5 ? 'run' : 'step',
    signal: draw.uniform() < 0.5 ? 'SIGKILL' : 'SIGTERM',
  }))
}

const run = promisify(execFile)

async function stepsOf(road: ChildProcess): Promise<number[]> {
  const found = await run('pgrep', ['-P', String(road.pid)]).catch(() => ({ stdout: '' }))
  return found.stdout.split('\n').filter(Boolean).map(Number)
}

/** Runs the job, disturbs it once or not at all. @returns what it ended with */
async function disturbed(own: Installation, kill: Kill | undefined, draw: Random) {
  const road = spawnRoad(own, start)
  const errors = text(road.stderr!)
  let seen = 0
  createInterface({ input: road.stdout! }).on('line', () => {
    if (seen++ === kill?.after) setTimeout(() => strike(road, kill), 120 * draw.uniform())
  })
  const [code, signal] = (await once(road, 'close')) as [number | null, string | null]
  return { code, signal, errors: await errors }
}

async function strike(road: ChildProcess, { what, signal }: Kill): Promise<void> {
  if (what === 'run') {
    road.kill('SIGKILL')
    return
  }
  for (const id of await stepsOf(road)) {
    try {
      process.kill(id, signal)
    } catch {
      // it has ended meanwhile
    }
  }
}

/** Reads every file that shows up in an outbox as soon as it does. @returns those that were not whole */
function watchOutbox(own: Installation) {
  const broken: string[] = []
  const looked = new Set<string>()
  let isOver = false
  const look = async () => {
    for await (const { key, etag } of own.stores.outbox.list(start.output)) {
      if (looked.has(key + etag)) continue
      looked.add(key + etag)
      const name = key.slice(start.output.length)
      const bytes = Buffer.from(await own.stores.outbox.read(key, { maxBytes: 1 << 30 }))
      if (!isWhole(name, bytes))
        broken.push(`${name}: ${bytes.length} bytes, ${bytes.toString().slice(0, 500)}`)
    }
  }
  const watching = (async () => {
    while (!isOver) {
      await look()
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    await look()
  })()
  return async () => {
    isOver = true
    await watching
    return broken
  }
}

function isWhole(name: string, bytes: Buffer): boolean {
  if (name === 'result.json') return typeof JSON.parse(bytes.toString()) === 'object'
  if (name === 'report.html') return bytes.toString().trimEnd().endsWith('</html>')
  const expected = undisturbed.get(name)
  return expected !== undefined && sha256(bytes) === sha256(expected)
}

describe('a job that is killed', () => {
  it.each(Array.from({ length: trials }, (_, trial) => trial))(
    'and run again comes to the result of an undisturbed one (trial %i)',
    async (trial) => {
      const own = await fresh(`trial-${trial}`)
      const draw = random(1000 + trial)
      const watched = watchOutbox(own)
      const story: (Awaited<ReturnType<typeof disturbed>> & { kill: Kill })[] = []
      for (const kill of plans(draw)) story.push({ kill, ...(await disturbed(own, kill, draw)) })
      const last = await disturbed(own, undefined, draw)
      const told = JSON.stringify({ story, last })
      expect(last, told).toEqual({ code: 0, signal: null, errors: '' })
      expect(await watched(), told).toEqual([])
      expect(fingerprints(await filesUnder(own.stores.outbox, start.output)), told).toEqual(
        fingerprints(undisturbed),
      )
      // a step that was lost goes back by itself: whoever waits for the job is told of no failure
      for (const { code, signal, errors, kill } of story)
        if (kill.what === 'step')
          expect({ code, signal, errors }).toEqual({ code: 0, signal: null, errors: '' })
    },
  )

  it('has written result.json behind all others when nobody disturbed it', async () => {
    const written = new Map<string, number>()
    for await (const { key, modified } of lab.stores.outbox.list(start.output))
      written.set(key.slice(start.output.length), modified)
    expect([...written.keys()].sort()).toEqual([
      'predictions.csv',
      'q.annotated.h5ad',
      'report.html',
      'result.json',
      'umap.png',
    ])
    expect(Math.max(...written.values())).toBe(written.get('result.json'))
  })
})
