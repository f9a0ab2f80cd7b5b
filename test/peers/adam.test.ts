/** The hand calculation that test/graph/adam.test.ts compares with is what PyTorch computes. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type PlainAdam, plainAdam } from '../graph/plain-adam.ts'

const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const torchMissing = `${python} has no torch (Debian: python3-torch)`

function hasTorch(): boolean {
  try {
    execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${torchMissing}: Adam is not checked against PyTorch`)
    return false
  }
}

const draw = random(8)
const some = () => ({ a: numbers(7), b: numbers(3) })
const numbers = (length: number) => Array.from({ length }, () => draw.normal())

describe('ten steps of Adam', () => {
  if (!hasTorch()) {
    it('are those of PyTorch', ({ skip }) => skip(torchMissing))
    return
  }
  const kinds: PlainAdam[] = [
    { epsilon: 1e-8 },
    { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
    { epsilon: 1e-8, decay: { rate: 0.1, kind: 'coupled' } },
    { epsilon: 1e-8, decay: { rate: 0.1, kind: 'decoupled' } },
    { epsilon: 1e-8, clip: 0.5 },
  ]
  it.each(kinds)('are those of PyTorch: %o', (options) => {
    const given = { first: some(), slopes: Array.from({ length: 10 }, some), rate: 0.01 }
    const { epsilon, decay, clip = 0 } = options
    const asked = { ...given, epsilon, clip, kind: decay?.kind ?? 'coupled', decay: decay?.rate ?? 0 }
    const argv = [join(import.meta.dirname, 'adam.py')]
    const output = execFileSync(python, argv, { encoding: 'utf8', input: JSON.stringify(asked) })
    const theirs = JSON.parse(output) as typeof given.first
    const ours = plainAdam(given, options)
    for (const name of ['a', 'b'] as const)
      for (const [i, one] of theirs[name].entries())
        expect(Math.abs(ours[name][i]! - one)).toBeLessThan(1e-12)
  })
})
