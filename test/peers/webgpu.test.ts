/**
 * The graphs of trainings on another provider than the CPU: WebGPU, on the Vulkan driver in software that comes with Chromium. What it computes is what
 * it would on a device; how fast says nothing.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ErrorReport } from '../../lib/job/errors.ts'

const folder = '/usr/lib/chromium'
const driver = join(folder, 'vk_swiftshader_icd.json')
const hasDriver = existsSync(driver)
if (!hasDriver) console.warn(`there is no ${driver}: trainings by WebGPU are not tried`)

interface Seen {
  reconstruction: number
  divergence: number
}
interface Compared {
  name: string
  by: string
  losses: [number[], number[]]
  seen: [Seen, Seen]
  difference: number
}
interface InParts {
  name: 'parts'
  first: string
  then: string
  notices: ErrorReport[]
  parts: number[][]
}

const share = (a: number, b: number) => Math.abs(a - b) / Math.max(Math.abs(a), 1e-3)

it.runIf(process.env.CELLDROP_PEERS === 'required')('a Vulkan driver in software is installed', () => {
  expect(hasDriver).toBe(true)
})

describe.runIf(hasDriver)('WebGPU', () => {
  let told: (Compared | InParts)[]
  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(import.meta.dirname, 'on-webgpu.ts')],
      {
        env: {
          ...process.env,
          LD_LIBRARY_PATH: folder,
          VK_ICD_FILENAMES: driver,
          VK_DRIVER_FILES: driver,
        },
      },
    )
    told = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  })
  const of = <Kind extends Compared | InParts>(name: string) => told.find((one) => one.name === name) as Kind

  for (const name of ['scvi', 'scanvi'])
    it(`trains ${name} as the CPU does: losses, weights, and what is seen of cells`, () => {
      const { by, losses, seen, difference } = of<Compared>(name)
      expect(by).toBe('webgpu')
      expect(losses[0]).toHaveLength(5)
      for (const [i, loss] of losses[0].entries()) expect(share(loss, losses[1][i]!)).toBeLessThan(1e-4)
      expect(difference).toBeLessThan(1e-3)
      expect(share(seen[0].reconstruction, seen[1].reconstruction)).toBeLessThan(1e-4)
      expect(share(seen[0].divergence, seen[1].divergence)).toBeLessThan(1e-4)
    })

  it('gives way to the CPU where it cannot run a graph that it loaded, and says so', () => {
    const { first, then, notices, parts } = of<InParts>('parts')
    expect([first, then]).toEqual(['webgpu', 'cpu'])
    expect(parts.flat()).toEqual(Array.from({ length: 80 }, (_, i) => i))
    expect(notices.map(({ code }) => code)).toEqual(['PROVIDER_FALLBACK'])
    expect(notices[0]!.problem).toMatch(/^cpu computes instead \(webgpu: .*Split/)
  })
})
