/** Breaks files and opens them: each must be read or refused with a coded error, in time, and a good file must still read well. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCoded } from '../../lib/job/errors.ts'
import { random } from '../../lib/job/random.ts'
import { readWhole } from '../support/read-whole.ts'
import { mutate } from './mutate.ts'

export interface FuzzReport {
  files: number
  /** refusals by code, and 'read' */
  outcomes: Record<string, number>
  /** what must be none: anything that was neither read nor refused with a code */
  failures: string[]
  slowest: { milliseconds: number; what: string }
}

export interface FuzzOptions {
  seed: number
  count: number
  originals: string[]
  /** how many files are open at once */
  lanes: number
  now(): number
  progress?(done: number): void
}

const deadline = 20_000
const checkEvery = 50

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const folder = await mkdtemp(join(tmpdir(), 'celldrop-fuzz-'))
  const originals = await Promise.all(
    options.originals.map(async (path) => ({ path, bytes: await readFile(path) })),
  )
  const sound = await Promise.all(options.originals.map((path) => readWhole(path)))
  const report: FuzzReport = { files: 0, outcomes: {}, failures: [], slowest: { milliseconds: 0, what: '' } }
  let next = 0

  const one = async (index: number): Promise<void> => {
    const decide = random(options.seed).fork(`file ${index}`)
    const which = decide.integer(originals.length)
    const { bytes, name } = mutate(originals[which]!.bytes, decide)
    const what = `seed ${options.seed} file ${index}: ${name} of ${originals[which]!.path}`
    const path = join(folder, `${index}.h5ad`)
    await writeFile(path, bytes)
    const started = options.now()
    const outcome = await readWhole(path, { hdf5: { limits: { deadline } } }).then(
      () => 'read',
      (error: unknown) => {
        if (!isCoded(error)) report.failures.push(`${what}: ${error instanceof Error ? error.stack : error}`)
        return isCoded(error) ? error.code : 'failed'
      },
    )
    const milliseconds = options.now() - started
    if (milliseconds > report.slowest.milliseconds) report.slowest = { milliseconds, what }
    if (outcome === 'HDF5_DEADLINE') report.failures.push(`${what}: not done after ${deadline} ms`)
    report.outcomes[outcome] = (report.outcomes[outcome] ?? 0) + 1
    report.files++
    await rm(path)
  }

  const lane = async (): Promise<void> => {
    while (next < options.count) {
      const index = next++
      await one(index)
      if (index % checkEvery !== 0) continue
      options.progress?.(index)
      const which = index % originals.length
      const again = await readWhole(options.originals[which]!)
      if (JSON.stringify(again) !== JSON.stringify(sound[which])) {
        report.failures.push(
          `after file ${index} the sound file ${options.originals[which]} reads differently`,
        )
      }
    }
  }

  try {
    await Promise.all(Array.from({ length: options.lanes }, lane))
  } finally {
    await rm(folder, { recursive: true })
  }
  return report
}
