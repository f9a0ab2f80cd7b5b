/** Contract: a file of expression that no disk here can hold is refused before any step begins, and one that fits is not. */
import { mkdir, open, statfs, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mostExpressionBytes } from '../../lib/workflows/parts/expression-plan.ts'
import { type DiskDemand, requireDisk } from '../../lib/workflows/road/disk-room.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { readObject, walk } from '../support/walk.ts'
import { atlasOf, simulatedParts, uploadAtlas } from './fit-reference/atlas.ts'

const gib = 2 ** 30
let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab?.folder[Symbol.asyncDispose]())

const demandOf = (more: Partial<DiskDemand> = {}): DiskDemand => ({
  ...{ bytes: 40 * gib, genes: 2000, inputs: [{ size: 8 * gib }, { size: 2 * gib }] },
  ...{ blocks: 'steps/Embed/x/', output: 'jobs/x/' },
  ...more,
})
const refusal = async (demand: DiskDemand, environment: Record<string, string>) => {
  const told = requireDisk(demand, { stores: lab.stores, environment })
  const error = await told.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error as { code: string; place: string; problem: string; remedy: string } | undefined
}

describe('a machine of an account', () => {
  it('is told by the size of its disk, with the inputs and the program beside the file', async () => {
    expect(await refusal(demandOf(), { CELLDROP_DISK_GIB: '60' })).toBeUndefined()
    expect(await refusal(demandOf(), { CELLDROP_DISK_GIB: '59' })).toMatchObject({
      code: 'DISK_TOO_SMALL',
      place: 'normalized_expression',
      problem:
        'its file takes 40 GiB, and of the 59 GiB disk of a machine 39 GiB are left beside the program (10 GiB) and copies of the inputs (10 GiB)',
      remedy:
        'Name the genes that you look at in expression_genes: 1950 or fewer; or have the machines deployed with a disk of 60 GiB or more: scratchGib',
    })
  })

  it('takes what the remedy says: so many genes, or so large a disk (law)', async () => {
    const some = fc.record({
      disk: fc.integer({ min: 50, max: 16_000 }),
      cells: fc.integer({ min: 1, max: 50_000_000 }),
      genes: fc.integer({ min: 1, max: 60_000 }),
      input: fc.integer({ min: 0, max: 2 ** 45 }),
    })
    await fc.assert(
      fc.asyncProperty(some, async ({ disk, cells, genes, input }) => {
        const of = (count: number) =>
          demandOf({ bytes: 4 * cells * count, genes: count, inputs: [{ size: input }] })
        const told = await refusal(of(genes), { CELLDROP_DISK_GIB: String(disk) })
        const fits = 4 * cells * genes + input + 10 * gib <= disk * gib
        expect(told === undefined).toBe(fits)
        if (told === undefined) return
        const fewer = /expression_genes: (\d+) or fewer/.exec(told.remedy)
        const larger = / (\d+) GiB or more/.exec(told.remedy)![1]!
        expect(await refusal(of(genes), { CELLDROP_DISK_GIB: larger })).toBeUndefined()
        if (fewer === null) expect(told.remedy).toContain('Leave out normalized_expression')
        else {
          expect(await refusal(of(Number(fewer[1])), { CELLDROP_DISK_GIB: String(disk) })).toBeUndefined()
          expect(4 * cells * Number(fewer[1])).toBeLessThanOrEqual(mostExpressionBytes)
        }
      }),
    )
  })

  it.each(['0', '-1', '1e3', 'much'])(
    'of a size that is none (%s) is a fault of the installation',
    async (told) => {
      expect(await refusal(demandOf(), { CELLDROP_DISK_GIB: told })).toMatchObject({ code: 'CONFIGURATION' })
    },
  )

  it('is asked nothing where there is no file, and where nothing is known of disks', async () => {
    expect(await refusal(demandOf({ bytes: 0 }), { CELLDROP_DISK_GIB: '1' })).toBeUndefined()
    expect(await refusal(demandOf(), {})).toBeUndefined()
  })
})

describe('this machine', () => {
  /** of what is free now: others use the disk too */
  const share = async (part: number) => {
    const { bavail, bsize } = await statfs(lab.folder.path)
    return Math.floor(part * bavail * bsize)
  }
  const scratch = () => ({ CELLDROP_SCRATCH: join(lab.folder.path, 'scratch/not/there yet') })

  it('has to hold the file three times: of Embed, as it is written, and among the results', async () => {
    expect(await refusal(demandOf({ bytes: await share(0.25) }), scratch())).toBeUndefined()
    const told = await refusal(demandOf({ bytes: await share(0.45) }), scratch())
    expect(told).toMatchObject({ code: 'DISK_TOO_SMALL', place: 'normalized_expression' })
    expect(told!.problem).toMatch(
      /^its file takes [\d.]+ GiB, and lies there 3 times before it is done \([\d.]+ GiB\), and of the disk of .*scratch.* [\d.]+ GiB are left$/,
    )
    const [, genes] = /expression_genes: (\d+) or fewer; or make room there$/.exec(told!.remedy)!
    // a third of what is free, of 0.45 of it
    expect(Number(genes) / 2000).toBeCloseTo(1 / 3 / 0.45, 1)
  })

  it('holds some of it already where a job goes on, and all where the file is written', async () => {
    const bytes = await share(0.45)
    const demand = demandOf({ bytes, blocks: 'steps/Embed/begun/', output: 'jobs/begun/' })
    expect(await refusal(demand, scratch())).toMatchObject({ code: 'DISK_TOO_SMALL' })
    const block = join(lab.folder.path, 'work/steps/Embed/begun/part-00000/expression-00000')
    await mkdir(dirname(block), { recursive: true })
    // it has its size and takes no room
    await using file = await open(block, 'w')
    await file.truncate(bytes)
    expect(await refusal(demand, scratch())).toBeUndefined()
    const whole = { ...demand, bytes: 100 * bytes }
    expect(await refusal(whole, scratch())).toMatchObject({ code: 'DISK_TOO_SMALL' })
    const written = join(lab.folder.path, 'outbox/jobs/begun/normalized_expression.h5ad')
    await mkdir(dirname(written), { recursive: true })
    await writeFile(written, 'x')
    expect(await refusal(whole, scratch())).toBeUndefined()
  })
})

describe('PlanCompute', () => {
  const atlas = () => atlasOf(simulatedParts(5, 60))
  const full = { CELLDROP_DISK_GIB: '10' }
  const planned = async (settings: object, environment: object) => {
    const start = await uploadAtlas(lab, atlas(), { ...settings })
    return walk(start, { ...lab.environment, ...environment }, 'PlanCompute')
  }

  it('refuses a job whose file of expression does not fit, and no other job', async () => {
    const settings = { normalized_expression: true }
    await expect(planned(settings, full)).rejects.toMatchObject({
      ...{ name: 'BadInput', code: 'DISK_TOO_SMALL', place: 'normalized_expression' },
      problem: expect.stringContaining('none is left'),
      remedy: expect.stringContaining('Leave out normalized_expression'),
    })
    expect((await planned({}, full)).plan).toBeDefined()
    expect((await planned(settings, { CELLDROP_DISK_GIB: '11' })).plan).toBeDefined()
    expect((await planned(settings, { CELLDROP_SCRATCH: lab.folder.path })).plan).toBeDefined()
  })

  it('counts the genes of a panel, not those of the atlas', async () => {
    // 0.6 GiB of three genes, 13 of all
    const cells = 50e6
    const environment = { ...lab.environment, CELLDROP_DISK_GIB: '11' }
    const plannedLarge = async (settings: object, files: Record<string, string>) => {
      const start = await uploadAtlas(
        lab,
        atlasOf(simulatedParts(6, 60)),
        { normalized_expression: true, ...settings },
        files,
      )
      const state = await walk(start, lab.environment, 'MatchOntology')
      for (const { key } of state.facts!) {
        const seen = await readObject<{ inspection: { matrices: { shape: number[] }[] } }>(lab, key)
        for (const matrix of seen.inspection.matrices) matrix.shape[0] = cells
        await lab.stores.work.write(key, Buffer.from(JSON.stringify(seen)))
      }
      return planCompute(state, environment)
    }
    await expect(plannedLarge({}, {})).rejects.toMatchObject({ code: 'DISK_TOO_SMALL' })
    const panel = { gene_panel: 'panel.txt', min_genes: 1 }
    expect((await plannedLarge(panel, { 'panel.txt': 'CD3D\nMS4A1\nLYZ\n' })).plan).toBeDefined()
  })
})
