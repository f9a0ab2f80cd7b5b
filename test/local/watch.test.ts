/** Law: whatever is dropped into a watched folder becomes one job, once it is whole; whatever is wrong with one, the next has its turn. */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { metadataChecksum } from '../../lib/data/hdf5/format/checksum.ts'
import { Interrupted } from '../../lib/job/errors.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import type { RoadState } from '../../lib/job/road.ts'
import { arrivedUploads, lookAround, nothingSeen, objectCreated } from '../../lib/local/arrivals.ts'
import type { Invocation } from '../../lib/local/command.ts'
import type { RoadCode } from '../../lib/local/local-road.ts'
import { receive, type Watching, watchInbox } from '../../lib/local/watch.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { definition, handlers, report, thrown } from './fake-road.ts'

let folder: TemporaryFolder
let inbox: string
beforeEach(async () => {
  folder = await temporaryFolder()
  inbox = join(folder.path, 'in')
  mkdirSync(join(inbox, 'annotate'), { recursive: true })
  return () => folder[Symbol.asyncDispose]()
})

/** The least that starts as HDF5 does and declares so many bytes. */
function hdf5(declared: number, size = declared): Buffer {
  const bytes = Buffer.alloc(size)
  Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 2, 8, 8, 0]).copy(bytes)
  bytes.writeBigUInt64LE(0n, 12)
  bytes.writeBigUInt64LE(0xffffffffffffffffn, 20)
  bytes.writeBigUInt64LE(BigInt(declared), 28)
  bytes.writeBigUInt64LE(48n, 36)
  bytes.writeUInt32LE(metadataChecksum(bytes.subarray(0, 44)), 44)
  return bytes
}

describe('arrival', () => {
  const drop = (key: string, content: string | Buffer) => {
    mkdirSync(join(inbox, key, '..'), { recursive: true })
    writeFileSync(join(inbox, key), content)
  }
  /** What is taken at each of so many looks; `between` acts before the look of that number. */
  async function taken(looks: number, between: (look: number) => void = () => {}, patient = true) {
    const store = await openFolderStore(inbox)
    const all: string[][] = []
    let look = nothingSeen
    for (let i = 0; i < looks; i++) {
      between(i)
      look = await lookAround(store, look)
      all.push((await arrivedUploads(store, look, { patient })).map(({ key }) => key))
    }
    return all
  }

  it('is what two looks find unchanged', async () => {
    drop('annotate/a.h5ad', hdf5(200))
    expect(await taken(3)).toEqual([[], ['annotate/a.h5ad'], ['annotate/a.h5ad']])
  })

  it('waits while a file grows or is replaced', async () => {
    const growing = await taken(4, (look) => drop('annotate/a.zarr.zip', 'x'.repeat(Math.min(look, 2) + 1)))
    expect(growing.slice(0, 3)).toEqual([[], [], []])
  })

  it('waits for an HDF5 file that declares more than has come, and not for ever', async () => {
    drop('annotate/a.h5ad', hdf5(300, 200))
    const looks = await taken(40)
    const first = looks.findIndex((keys) => keys.length > 0)
    expect(first).toBeGreaterThan(20)
    expect(await taken(2, () => {}, false)).toEqual([[], ['annotate/a.h5ad']])
  })

  it('comes with the rest of a file', async () => {
    drop('annotate/a.h5ad', hdf5(300, 200))
    const looks = await taken(5, (look) => look === 2 && drop('annotate/a.h5ad', hdf5(300)))
    expect(looks.map((keys) => keys.length)).toEqual([0, 0, 0, 1, 1])
  })

  it('of a job file waits for what lies beside it', async () => {
    drop('jobs/one/job.yaml', 'workflow: annotate')
    const looks = await taken(4, (look) => drop('jobs/one/q.h5ad', hdf5(200 + Math.min(look, 2))))
    expect(looks[1]).toEqual([])
    drop('jobs/two/job.yaml', 'workflow: annotate')
    expect((await taken(2))[1]).toEqual(['jobs/one/job.yaml', 'jobs/two/job.yaml'])
  })

  it('is nothing that is unfinished, hidden, empty or elsewhere', async () => {
    for (const key of [
      'annotate/a.h5ad.part',
      'annotate/.a.h5ad',
      'annotate/~a.h5ad',
      'annotate/notes.txt',
      'a.h5ad',
    ])
      drop(key, hdf5(200))
    drop('annotate/empty.h5ad', '')
    drop('jobs/one/other.yaml', 'workflow: annotate')
    expect(await taken(3)).toEqual([[], [], []])
  })

  it('is told as EventBridge tells it of S3', async () => {
    drop('annotate/ä b.h5ad', hdf5(200))
    const store = await openFolderStore(inbox)
    const { objects } = await lookAround(store, nothingSeen)
    const event = objectCreated('inbox', objects.get('annotate/ä b.h5ad')!)
    expect(event).toMatchObject({
      source: 'aws.s3',
      'detail-type': 'Object Created',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      detail: { bucket: { name: 'inbox' }, object: { key: 'annotate/ä b.h5ad', size: 200 } },
    })
  })
})

interface Trial {
  calls: string[]
  lines: { key: string; status: string; results: string; error?: unknown }[]
  watching: Watching & { signal: AbortSignal }
}

/** Lambdas that fail for files called `bad`; steps that do nothing but the last, which leaves a result. */
function trial({
  once = true,
  signal = new AbortController().signal,
  wait,
}: Partial<{ once: boolean; signal: AbortSignal; wait: Watching['wait'] }> = {}): Trial {
  const calls: string[] = []
  const lines: Trial['lines'] = []
  const outbox = join(folder.path, 'results')
  const leave = (state: RoadState, name: string, content: object) => {
    mkdirSync(join(outbox, state.start.output), { recursive: true })
    writeFileSync(join(outbox, state.start.output, name), JSON.stringify(content))
  }
  const code: RoadCode = {
    definition,
    handlers: {
      ...(handlers as RoadCode['handlers']),
      ValidateJob: async (event) => {
        const { upload } = (event as RoadState).start
        calls.push(upload.key)
        if (upload.key.includes('bad')) thrown('BadInput')
        return handlers.ValidateJob!(event as never)
      },
      // what the steps leave is not the matter here
      PlanCompute: async (event) => {
        leave(event as RoadState, 'result.json', { jobId: (event as RoadState).start.jobId })
        return handlers.PlanCompute!(event as never)
      },
      ReportFailure: async (event) => {
        leave(event as RoadState, 'error.json', report)
        return handlers.ReportFailure!(event as never)
      },
    },
    containerOf: () => join(folder.path, 'step.ts'),
  }
  writeFileSync(join(folder.path, 'step.ts'), 'process.exit(0)')
  const invocation: Invocation = {
    positionals: [],
    flags: { once },
    options: { json: true, open: {} },
    environment: {},
    print: (text) => lines.push(JSON.parse(text)),
    progress: () => {},
    stderr: { write: () => {} },
    listenForStop: () => signal,
    clock: () => 0,
  }
  const places = {
    inbox,
    outbox,
    work: join(folder.path, 'work'),
    models: join(folder.path, 'models'),
    references: join(folder.path, 'references'),
    home: join(folder.path, 'home'),
  }
  return {
    calls,
    lines,
    watching: { invocation, places, defaultModel: 'm', code, signal, wait: wait ?? (async () => {}) },
  }
}

const drop = (name: string, content: string | Buffer = hdf5(200)) =>
  writeFileSync(join(inbox, 'annotate', name), content)

describe('a watched folder', () => {
  it('gives every file its job, also after one that failed', async () => {
    for (const name of ['a.h5ad', 'bad.h5ad', 'c.h5ad']) drop(name)
    const { calls, lines, watching } = trial()
    await watchInbox(watching)
    expect(calls).toEqual(['annotate/a.h5ad', 'annotate/bad.h5ad', 'annotate/c.h5ad'])
    expect(lines.map(({ status }) => status)).toEqual(['succeeded', 'failed', 'succeeded'])
    expect(lines[1]!.error).toEqual(report)
    for (const { results, status } of lines)
      expect(readdirSync(results)).toEqual([status === 'failed' ? 'error.json' : 'result.json'])
  })

  it('does nothing again: not after a restart, not for events that come twice or late', async () => {
    for (const name of ['a.h5ad', 'bad.h5ad']) drop(name)
    await watchInbox(trial().watching)
    const again = trial()
    await watchInbox(again.watching)
    const store = await openFolderStore(inbox)
    const { objects } = await lookAround(store, nothingSeen)
    const events = [...objects.values()].map((object) => objectCreated(store.place, object))
    for (const event of [...events, ...events.reverse()]) await receive(event, again.watching)
    await receive({ source: 'aws.s3' }, again.watching)
    expect([again.calls, again.lines]).toEqual([[], []])
  })

  it('works anew on a file that was dropped again with other content', async () => {
    drop('a.h5ad')
    const first = trial()
    await watchInbox(first.watching)
    drop('new', hdf5(250))
    renameSync(join(inbox, 'annotate/new'), join(inbox, 'annotate/a.h5ad'))
    const second = trial()
    await watchInbox(second.watching)
    expect(second.lines).toHaveLength(1)
    expect(second.lines[0]!.results).not.toBe(first.lines[0]!.results)
    expect(readdirSync(first.lines[0]!.results)).toEqual(['result.json'])
  })

  it('goes on after it was stopped in the middle of a job, with the time at which that had begun', async () => {
    drop('a.h5ad')
    const controller = new AbortController()
    const stopped = trial({ signal: controller.signal })
    const begun: RoadState[] = []
    const { MapGenes } = stopped.watching.code!.handlers
    stopped.watching.code = {
      ...stopped.watching.code!,
      handlers: {
        ...stopped.watching.code!.handlers,
        MapGenes: async (event) => {
          begun.push(event as RoadState)
          controller.abort(new Interrupted('INTERRUPTED', 'celldrop', 'stopped', 'go on'))
          return MapGenes!(event)
        },
      },
    }
    await expect(watchInbox(stopped.watching)).rejects.toBeInstanceOf(Interrupted)
    expect(stopped.lines).toEqual([])
    const work = join(folder.path, 'work/jobs')
    const [jobId] = readdirSync(work)
    const { created } = JSON.parse(readFileSync(join(work, jobId!, 'begun.json'), 'utf8'))
    const restarted = trial()
    await watchInbox(restarted.watching)
    expect(restarted.lines).toMatchObject([{ jobId, status: 'succeeded' }])
    expect(begun[0]!.start.created).toBe(created)
  })

  it('takes what is dropped while it watches, and stops on request', async () => {
    const controller = new AbortController()
    let looks = 0
    const { lines, watching } = trial({
      once: false,
      signal: controller.signal,
      wait: async (signal) => {
        looks += 1
        if (looks === 2) drop('late.h5ad')
        if (lines.length > 0) controller.abort(new Interrupted('INTERRUPTED', 'celldrop', 'stopped', 'go on'))
        signal.throwIfAborted()
      },
    })
    await expect(watchInbox(watching)).rejects.toBeInstanceOf(Interrupted)
    expect(lines).toMatchObject([{ key: 'annotate/late.h5ad', status: 'succeeded' }])
  })

  it('with --once waits for a file that is still coming', async () => {
    let size = 200
    drop('a.h5ad', hdf5(size))
    const { lines, watching } = trial({
      wait: async () => {
        if (size < 203) drop('a.h5ad', hdf5(++size))
      },
    })
    await watchInbox(watching)
    expect(lines).toHaveLength(1)
    expect(size).toBe(203)
  })

  it('makes results again that were removed, as a second attempt', async () => {
    drop('a.h5ad')
    await watchInbox(trial().watching)
    rmSync(join(folder.path, 'results'), { recursive: true })
    cpSync(join(inbox, 'annotate/a.h5ad'), join(inbox, 'annotate/b.h5ad'))
    const { lines, watching } = trial()
    await watchInbox(watching)
    expect(lines.map(({ key }) => key)).toEqual(['annotate/a.h5ad', 'annotate/b.h5ad'])
    expect(lines.map(({ results }) => basename(results))).toEqual(['attempt-2', 'attempt-1'])
    const third = trial()
    await watchInbox(third.watching)
    expect(third.lines).toEqual([])
  })
})
