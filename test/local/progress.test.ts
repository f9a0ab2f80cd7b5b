/** Law: what is told of progress is true, and nothing that data say reaches a terminal as a command. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openProgress, paceOf, shareOf, trackProgress } from '../../lib/local/progress.ts'
import type { RoadEvent } from '../../lib/local/state-machine.ts'

const started = (step: string, shards?: number): RoadEvent => ({
  event: 'step',
  step,
  status: 'started',
  ...(shards !== undefined && { shards }),
})
const ended = (step: string, status: 'done' | 'failed' = 'done'): RoadEvent => ({
  event: 'step',
  step,
  status,
})
const moved = (
  step: string,
  done: number,
  more: Partial<Extract<RoadEvent, { event: 'progress' }>> = {},
): RoadEvent => ({
  event: 'progress',
  step,
  shard: null,
  done,
  total: 100,
  unit: 'cells',
  note: 'scoring',
  ...more,
})

/** What is written when the events come one second after the other, and it is stopped after so many of them. */
function written(
  events: RoadEvent[],
  { json = false, isTTY = false, columns = 80, stopAfter = Number.POSITIVE_INFINITY } = {},
): string {
  let now = 0
  let text = ''
  const stream = { isTTY, columns, write: (piece: string) => (text += piece) }
  const stop = new AbortController()
  const view = openProgress({ json, stream, signal: stop.signal, clock: () => now })
  for (const [i, event] of events.entries()) {
    view.note(event)
    now += 1000
    if (i + 1 === stopAfter) stop.abort()
  }
  view.end()
  if (stopAfter > events.length) stop.abort()
  return text
}

describe('progress', () => {
  it('of an array job is that of all its shards, those that are silent yet taken for like the others', () => {
    const job = trackProgress()
    job.note(started('Embed', 4), 0)
    const step = job.note(moved('Embed', 50, { shard: 0, total: 100 }), 1000)
    expect(step).toMatchObject({ done: 50, total: 400 })
    job.note(moved('Embed', 100, { shard: 2, total: 100 }), 2000)
    job.note(moved('Embed', 100, { shard: 0, total: 100 }), 2000)
    expect([shareOf(step), paceOf(step)]).toEqual([0.5, '100 cells/s, 2.0 s left'])
  })

  it('begins anew when a step is tried again', () => {
    const job = trackProgress()
    job.note(started('Embed'), 0)
    job.note(moved('Embed', 80), 1000)
    job.note(ended('Embed', 'failed'), 2000)
    job.note(started('Embed'), 5000)
    expect(job.steps).toMatchObject([{ name: 'Embed', status: 'running', began: 5000, done: 0 }])
  })

  it('counts the items of a Map as one step', () => {
    const job = trackProgress()
    for (const event of [started('InspectInput'), started('InspectInput'), ended('InspectInput')])
      job.note(event, 0)
    expect(job.steps).toHaveLength(1)
  })

  it('is never more than all, whatever a step says', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(3))), (reports) => {
        const job = trackProgress()
        job.note(started('Embed', 3), 0)
        for (const [done, total, shard] of reports) {
          const share = shareOf(job.note(moved('Embed', done, { total, shard }), 1))
          expect(share).toBeGreaterThanOrEqual(0)
          expect(share).toBeLessThanOrEqual(1)
        }
      }),
    )
  })
})

describe('plain lines', () => {
  it('tell of each step when it begins and ends, and of each tenth once', () => {
    const tenths = Array.from({ length: 41 }, (_, i) => moved('Embed', i))
    const lines = written([started('Embed'), ...tenths, ended('Embed')])
      .trimEnd()
      .split('\n')
    expect(lines).toEqual([
      'Embed: started',
      'Embed: 10 %, scoring, 0.91 cells/s, 2 min left',
      'Embed: 20 %, scoring, 0.95 cells/s, 1 min left',
      'Embed: 30 %, scoring, 0.97 cells/s, 1 min left',
      'Embed: 40 %, scoring, 0.98 cells/s, 1 min left',
      'Embed: done after 42 s',
    ])
  })

  it('are JSON with --json, one event a line', () => {
    const events = [started('Embed', 2), moved('Embed', 5), ended('Embed')]
    expect(
      written(events, { json: true })
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(events)
  })
})

describe('the list on a terminal', () => {
  it('is drawn over itself, one line for a step, none wider than the terminal', () => {
    const text = written([started('Prepare'), ended('Prepare'), started('Embed'), moved('Embed', 25)], {
      isTTY: true,
      columns: 60,
    })
    const frames = text.split('\u001b[2A')
    const last = frames
      .at(-1)!
      .split('\n')
      .map((line) => line.replace('\r\u001b[2K', ''))
    expect(last[0]).toMatch(/^\[x\] Prepare/)
    expect(last[1]).toContain('#####............... ')
    expect(last[1]).toContain('25 %')
    expect(Math.max(...last.map((line) => line.length))).toBeLessThan(60)
  })

  it('obeys nothing that a note says', () => {
    const text = written([started('Embed'), moved('Embed', 1, { note: '\u001b]0;owned\u0007\n\u009b2J' })], {
      isTTY: true,
      columns: 200,
    })
    const ours = text.replaceAll('\r\u001b[2K', '').replaceAll('\u001b[1A', '')
    expect(ours).toContain('\\u001b]0;owned\\u0007\\u000a\\u009b2J')
    expect(ours.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })
})

describe('whoever stops a job', () => {
  const events = [started('Prepare'), ended('Prepare'), started('Fit'), moved('Fit', 25), moved('Fit', 25)]
  const told = 'stopping: Fit may take 20 s to keep what it has done; Ctrl-C again ends it at once'

  it('is told at once which step is waited for, once, and how not to wait', () => {
    const lines = written(events, { stopAfter: 4 }).trimEnd().split('\n')
    expect(lines.at(-1)).toBe(told)
    expect(lines.filter((line) => line.startsWith('stopping'))).toHaveLength(1)
    const json = written(events, { stopAfter: 4, json: true }).trimEnd().split('\n')
    expect(JSON.parse(json[4]!)).toEqual({ event: 'stopping', steps: ['Fit'] })
    expect(json).toHaveLength(6)
  })

  it('finds it above the list of steps on a terminal, which goes on below', () => {
    const screen: string[] = []
    let row = 0
    const text = written(events, { stopAfter: 4, isTTY: true, columns: 120 }).replaceAll('\u001b[', '^')
    for (const piece of text.split(/(\^\d+A|\^J|\^2K|\r|\n)/)) {
      const up = /^\^(\d+)A$/.exec(piece)
      if (up !== null) row -= Number(up[1])
      else if (piece === '^J') screen.length = row
      else if (piece === '^2K') screen[row] = ''
      else if (piece === '\n') row++
      else if (piece !== '\r' && piece !== '') screen[row] = piece
    }
    expect(screen).toEqual([
      told,
      expect.stringMatching(/^\[x\] Prepare/),
      expect.stringMatching(/^\[>\] Fit .* 25 % /),
    ])
  })

  it('is told nothing where no step runs, or the job is over', () => {
    expect(written([started('Fit'), ended('Fit')], { stopAfter: 2 })).not.toContain('stopping')
    expect(written([started('Fit')])).not.toContain('stopping')
  })
})
