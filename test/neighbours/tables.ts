/** Points for tests: from the recorded tables, and from a seed. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { random } from '../../lib/job/random.ts'
import type { Points } from '../../lib/neighbours/points.ts'
import { sharedPath } from '../support/shared.ts'

/** Numbers of a recorded table, row by row, without the names of rows and columns. */
export function recordedTable(...path: string[]): { rows: number; columns: number; values: number[] } {
  const text = gunzipSync(readFileSync(sharedPath(...path))).toString()
  const lines = text.trim().split('\n').slice(1)
  const values = lines.flatMap((line) => line.split(',').slice(1).map(Number))
  return { rows: lines.length, columns: values.length / lines.length, values }
}

/** Normal noise about `groups` centres, wider in the first dimensions, as principal components are. */
export function groupedPoints(
  rows: number,
  { dims, groups = 8, seed = 1 }: { dims: number; groups?: number; seed?: number },
): Points {
  const chance = random(seed)
  const widths = Array.from({ length: dims }, (_, j) => 3 / (1 + j / 4))
  const centres = Array.from({ length: groups * dims }, (_, at) => chance.normal() * widths[at % dims]!)
  const values = Float32Array.from({ length: rows * dims }, (_, at) => {
    const group = Math.floor(at / dims) % groups
    return centres[group * dims + (at % dims)]! + chance.normal() * 0.4 * widths[at % dims]!
  })
  return { rows, dims, values }
}
