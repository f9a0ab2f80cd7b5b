import { describe, expect, it } from 'vitest'
import { soundFiles } from './originals.ts'
import { fuzz } from './run.ts'

const seed = 20_261_121
const count = 300

describe('three hundred broken files', () => {
  it('are each read or refused with a code, in time, and disturb no sound file', async () => {
    const report = await fuzz({
      seed,
      count,
      originals: soundFiles(),
      lanes: 2,
      now: () => performance.now(),
    })
    expect(report.failures).toEqual([])
    expect(report.files).toBe(count)
    // broken at random, many files are refused and some stay readable: neither may be all of them
    const read = report.outcomes.read ?? 0
    expect(read).toBeGreaterThan(0)
    expect(count - read).toBeGreaterThan(count / 4)
  }, 400_000)
})
