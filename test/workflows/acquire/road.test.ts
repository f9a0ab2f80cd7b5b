/** Contract: a job of `acquire` along its whole road, from a source on loopback to the store of references. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { columnTexts } from '../../../lib/data/column-texts.ts'
import { openCells } from '../../../lib/data/open-cells.ts'
import type { RoadState } from '../../../lib/job/road.ts'
import { acquireOutputs } from '../../../lib/workflows/acquire/publish.ts'
import type { JobResult } from '../../../lib/workflows/parts/results.ts'
import { reportFailure } from '../../../lib/workflows/road/report-failure.ts'
import { atlas, type CensusLab, other, startCensusLab, token } from '../../support/census-lab.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { filesUnder, runRoadOf, runStepOf, runStepsOf } from '../../support/road-run.ts'
import { walk } from '../../support/walk.ts'

let census: CensusLab
let lab: Installation
beforeAll(async () => {
  census = await startCensusLab()
  lab = await makeInstallation({
    ...census.environment,
    CELLDROP_LOCAL_FILES: '1',
    CELLDROP_CACHE_BYTES: '0',
  })
})
afterAll(async () => {
  await lab.folder[Symbol.asyncDispose]()
  await census[Symbol.asyncDispose]()
})

let count = 0

function upload(settings: Record<string, unknown>, name = `fetch-${count++}`): Promise<RoadState> {
  return lab.upload(`jobs/${name}/job.json`, JSON.stringify({ workflow: 'acquire', ...settings }))
}

async function planned(settings: Record<string, unknown>, of = lab): Promise<RoadState> {
  return walk(await upload(settings), of.environment, 'PlanCompute')
}

interface Fetched {
  result: JobResult
  summary: Record<string, unknown>
  codes: string[]
  files: Map<string, Buffer>
}

async function fetched(state: RoadState, of = lab): Promise<Fetched> {
  expect(await runStepsOf(of, state)).toEqual([0, 0])
  const files = await filesUnder(of.stores.outbox, state.start.output)
  const result = JSON.parse(files.get('result.json')!.toString()) as JobResult
  return { result, files, summary: result.summary, codes: result.notices.map(({ code }) => code) }
}

async function obsOf(path: string) {
  const file = await openCells(path)
  try {
    const { columns, rows } = await file.obs()
    const texts = (name: string) => columnTexts(columns.get(name)!)!
    return { rows, texts, genes: (await file.var()).index }
  } finally {
    await file.close()
  }
}

describe('a dataset', () => {
  it('comes byte for byte into the store of references, under the name of the job', async () => {
    const state = await walk(
      await upload({ source: `cellxgene://${atlas}` }, 'lungs'),
      lab.environment,
      'PlanCompute',
    )
    expect(state.plan).toMatchObject({ afterPrepare: 'Publish', expected: { minutes: null, dollars: null } })
    const { result, files, summary, codes } = await fetched(state)
    const name = `${state.job!.name}.h5ad`
    const output = join(lab.stores.references.place, name)
    expect(await readFile(output)).toEqual(census.bytes.get(atlas))
    expect(summary).toMatchObject({
      ...{ output, kept: false, whole: true, cells: 40, available: 40, genes: 4 },
      bytes: census.bytes.get(atlas)!.length,
      labels: { 'T cell': 20, macrophage: 20 },
      datasets: [{ id: atlas, title: 'Lung study 1', citation: 'Publication: Lung study 1', cells: 40 }],
      source: { kind: 'dataset', release: { name: '2026-01-30' } },
    })
    expect(codes).not.toContain('OUTPUT_KEPT')
    expect(Object.values(result.outputs).sort()).toEqual([
      'cells_by_label.csv',
      'datasets.csv',
      'report.html',
    ])
    expect([...files.keys()].filter((file) => file !== 'result.json' && !acquireOutputs.test(file))).toEqual(
      [],
    )
    expect(files.get('cells_by_label.csv')!.toString()).toContain('T cell,CL:0000084,20')
  })

  it('is told on the page: source, release, title, citation, labels, tissue, disease and assay', async () => {
    const { files } = await fetched(await planned({ source: `cellxgene://${atlas}` }))
    const page = files.get('report.html')!.toString()
    for (const text of [
      '2026-01-30',
      'Lung study 1',
      'Publication: Lung study 1',
      'CL:0000084',
      'lung adenocarcinoma',
    ])
      expect(page).toContain(text)
    for (const column of ['tissue', 'disease', 'assay']) expect(page).toContain(`Cells by ${column}`)
  })
})

describe('a query', () => {
  const source = 'cellxgene://?tissue=lung&disease=normal'

  it('gathers the primary cells that fit from all datasets, over all their genes', async () => {
    const output = join(lab.folder.path, 'elsewhere', 'normal.h5ad')
    const { summary } = await fetched(await planned({ source, output }))
    const isWanted = (cell: number) => cell % 3 !== 0 && cell % 4 !== 0
    const of = (cells: number) => Array.from({ length: cells }, (_, cell) => cell).filter(isWanted).length
    expect(summary).toMatchObject({ output, whole: false, cells: of(40) + of(24), genes: 5 })
    const { rows, texts, genes } = await obsOf(output)
    expect({ rows, genes: genes.length }).toEqual({ rows: of(40) + of(24), genes: 5 })
    expect(new Set(texts('disease'))).toEqual(new Set(['normal']))
    expect(new Set(texts('dataset_id'))).toEqual(new Set([atlas, other]))
    expect(summary.datasets).toEqual([
      expect.objectContaining({ id: atlas, title: 'Lung study 1', cells: of(40) }),
      expect.objectContaining({ id: other, title: 'Lung study 2', cells: of(24) }),
    ])
  })

  it('draws no more than max_cells, the same ones for the same random_state', async () => {
    const drawn: string[][] = []
    for (const [name, random_state] of [
      ['a', 1],
      ['b', 1],
      ['c', 2],
    ] as const) {
      const output = join(lab.folder.path, `drawn-${name}.h5ad`)
      const { summary } = await fetched(await planned({ source, output, max_cells: 10, random_state }))
      expect(summary).toMatchObject({ cells: 10, available: 32 })
      const file = await openCells(output)
      drawn.push((await file.obs()).index)
      await file.close()
    }
    expect(drawn[1]).toEqual(drawn[0])
    expect(drawn[2]).not.toEqual(drawn[0])
  })
})

describe('Synapse', () => {
  it('gives its file to who has a token, and the token goes nowhere else', async () => {
    const rich = {
      ...lab,
      environment: { ...lab.environment, SYNAPSE_AUTH_TOKEN: token },
      stores: lab.stores,
    }
    census.web.calls.length = 0
    const state = await planned({ source: 'synapse://syn77' }, rich)
    const { summary, files } = await fetched(state, rich)
    expect(summary).toMatchObject({ cells: 40, source: { synapse: { id: 'syn77', version: 3 } } })
    for (const { path, headers } of census.web.calls)
      expect(headers.authorization === undefined).toBe(!/^\/(?:repo|file)\//.test(path))
    const kept = [...files, ...(await filesUnder(lab.stores.work, ''))].filter(([, bytes]) =>
      bytes.includes(token),
    )
    expect(kept.map(([name]) => name)).toEqual([])
    for (const [name, bytes] of files) expect([name, bytes.includes('very-secret')]).toEqual([name, false])
  })

  it('is refused without a token, and the message says how to set it', async () => {
    expect(await failureOf(await planned({ source: 'synapse://syn77' }))).toMatchObject({
      code: 'SYNAPSE_TOKEN',
      remedy: expect.stringContaining('SYNAPSE_AUTH_TOKEN'),
      refused: true,
    })
  })
})

/** What Prepare, which fails, leaves in error.json. */
async function failureOf(state: RoadState): Promise<unknown> {
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
  expect(await runStepOf(lab, 'Prepare', { state })).toBe(10)
  vi.restoreAllMocks()
  await reportFailure({ ...state, error: { Error: 'States.TaskFailed', Cause: '{}' } }, lab.environment)
  const bytes = await lab.stores.outbox.read(`${state.start.output}error.json`, { maxBytes: 1 << 20 })
  return JSON.parse(Buffer.from(bytes).toString())
}

describe('an output that is there', () => {
  const source = () => `${census.web.address}/h5ads/${atlas}.h5ad`

  it('is kept without force, and nothing is asked of the source', async () => {
    const output = join(lab.folder.path, 'mine.h5ad')
    await writeFile(output, 'mine')
    census.web.calls.length = 0
    const { summary, codes, result, files } = await fetched(await planned({ source: source(), output }))
    expect(await readFile(output, 'utf8')).toBe('mine')
    expect(summary).toMatchObject({ output, kept: true, bytes: 4, cells: null })
    expect({ codes, calls: census.web.calls.length }).toEqual({ codes: ['OUTPUT_KEPT'], calls: 0 })
    expect(result.outputs).toEqual({ report: 'report.html' })
    expect(files.get('report.html')!.toString()).toContain('kept')
  })

  it('is replaced with force, and never seen half-written', async () => {
    const output = join(lab.folder.path, 'old.h5ad')
    await writeFile(output, 'old')
    const { summary } = await fetched(await planned({ source: source(), output, force: true }))
    expect(summary).toMatchObject({ kept: false, whole: true })
    expect(await readFile(output)).toEqual(census.bytes.get(atlas))
  })

  it('that came while the job ran is kept, and what was fetched is thrown away', async () => {
    const output = join(lab.folder.path, 'late.h5ad')
    const state = await planned({ source: source(), output })
    expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
    await writeFile(output, 'late')
    const { summary, codes } = await fetched(state)
    expect(await readFile(output, 'utf8')).toBe('late')
    expect({ summary, codes }).toMatchObject({ summary: { kept: true, cells: null }, codes: ['OUTPUT_KEPT'] })
  })

  it('and was placed by this very job before it was interrupted is its own', async () => {
    const output = join(lab.folder.path, 'again.h5ad')
    const state = await planned({ source: source(), output })
    expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
    await writeFile(output, census.bytes.get(atlas)!)
    const { summary, codes } = await fetched(state)
    expect({ summary, codes }).toMatchObject({ summary: { kept: false, cells: 40 }, codes: [] })
  })
})

describe('a source that breaks off', () => {
  it('leaves the old output as it was, and nothing new where there was none', async () => {
    const outputs = ['before.h5ad', 'none.h5ad'].map((name) => join(lab.folder.path, 'broken', name))
    await mkdir(join(lab.folder.path, 'broken'))
    await writeFile(outputs[0]!, 'before')
    for (const output of outputs) {
      const state = await planned({ source: `cellxgene://${other}`, output, force: true })
      expect(await runStepOf(lab, 'Prepare', { state })).toBe(0)
      const file = census.web.files.get(`/h5ads/${other}.h5ad`)!
      census.web.files.set(`/h5ads/${other}.h5ad`, { bytes: Buffer.from('another file') })
      vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
      expect(await runStepOf(lab, 'Publish', { state })).toBe(1)
      vi.restoreAllMocks()
      census.web.files.set(`/h5ads/${other}.h5ad`, file)
      // the same job goes on when the source is as it was
      if (output === outputs[1]) {
        await expect(readFile(output)).rejects.toThrow('ENOENT')
        expect((await fetched(state)).summary).toMatchObject({ kept: false, cells: 24 })
      }
    }
    expect(await readFile(outputs[0]!, 'utf8')).toBe('before')
  })
})

describe('the road of `acquire`', () => {
  it('goes along the state machine from Prepare to Publish, by child processes', async () => {
    const { start } = await upload({ source: `cellxgene://${other}`, name: 'walked' })
    const steps: string[] = []
    vi.stubEnv('CELLDROP_CELLXGENE_CENSUS', census.environment.CELLDROP_CELLXGENE_CENSUS)
    await runRoadOf(lab, start, {
      mayReadAll: true,
      onEvent: (event) => event.event === 'step' && event.status === 'done' && steps.push(event.step),
    })
    vi.unstubAllEnvs()
    expect(steps).toEqual(['ValidateJob', 'MapGenes', 'MatchOntology', 'PlanCompute', 'Prepare', 'Publish'])
    expect(await readFile(join(lab.stores.references.place, 'walked.h5ad'))).toEqual(census.bytes.get(other))
  }, 60_000)

  it('is another one for each job: what was found for one is not taken for what another finds', async () => {
    const states = [
      await planned({ source: `cellxgene://${other}` }),
      await planned({ source: `cellxgene://${other}` }),
    ]
    expect(states[0]!.plan!.road).toBe(states[1]!.plan!.road)
    await fetched(states[0]!)
    const output = join(lab.stores.references.place, `${states[1]!.job!.name}.h5ad`)
    await fetched(states[1]!)
    expect(await readFile(output)).toEqual(census.bytes.get(other))
  })
})
