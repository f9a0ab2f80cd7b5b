import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { checkSettings } from '../../lib/job/manifest.ts'
import type { FactsPart, InspectState } from '../../lib/job/road.ts'
import { startOf } from '../../lib/job/uploads.ts'
import { bundleFunction } from '../../lib/stacks/bundle-function.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { root } from '../support/stacks.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

describe('the bundle of InspectInput, where there is no repository and no node_modules,', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
    bundleFunction('functions/inspect-input/handler.ts', { root, folder: join(folder.path, 'made') })
    cpSync(join(folder.path, 'made'), join(folder.path, 'task'), { recursive: true })
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('holds the code, the worker, the plugins of HDF5 and the data of lib/knowledge', () => {
    const files = readdirSync(join(folder.path, 'task'), { recursive: true, encoding: 'utf8' })
    expect(files).toEqual(
      expect.arrayContaining(['index.mjs', 'worker.mjs', 'plugins/libH5Zlzf.so', 'plugins/libH5Zblosc.so']),
    )
    expect(files.filter((name) => name.startsWith('data/')).length).toBeGreaterThan(1)
    expect(files.filter((name) => /\.(?:node|ts)$/.test(name))).toEqual([])
  })

  const real = [
    'pbmc4k_query/pbmc4k_soupx_labelled.h5ad',
    'h5ad_formats/pbmc5k_200_LZF_filter32000.h5ad',
    'pbmc3k_small/pbmc3k_1000cells_1000randomgenes.h5ad',
  ]
  it.skipIf(!hasShared).each(real)('finds in %s what the code of the repository finds', async (name) => {
    const bundled = await inspect(
      pathToFileURL(join(folder.path, 'task/index.mjs')),
      sharedPath('data', name),
    )
    const direct = await inspect(
      pathToFileURL(join(root, 'functions/inspect-input/handler.ts')),
      sharedPath('data', name),
    )
    expect(bundled).toEqual(direct)
    expect(bundled).toHaveProperty('inspection.nObs')
  })

  it('refuses a hostile file as the code of the repository does', async () => {
    const file = join(root, 'test/fixtures/hostile/external-link.h5ad')
    await expect(inspect(pathToFileURL(join(folder.path, 'task/index.mjs')), file)).rejects.toThrow(
      'HDF5_POINTS_OUTSIDE',
    )
  })

  /** Runs a handler in a process of its own, over stores in folders, and gives the facts it left. */
  async function inspect(handler: URL, file: string): Promise<unknown> {
    await using place = await temporaryFolder()
    const stores = Object.fromEntries(
      ['inbox', 'work', 'models', 'references', 'outbox'].map((name) => [name, join(place.path, name)]),
    )
    for (const path of Object.values(stores)) mkdirSync(path)
    const key = `annotate/${basename(file)}`
    mkdirSync(join(stores.inbox!, 'annotate'))
    cpSync(file, join(stores.inbox!, key))
    const inbox = await openFolderStore(stores.inbox!)
    const work = await openFolderStore(stores.work!)
    const { etag, size } = (await inbox.head(key))!
    const start = startOf({ key, etag, size }, { inbox: 'inbox', created: '2026-11-21T00:00:00Z' })
    const pin = { role: 'query', place: 'inbox', key, etag, size }
    const settings = checkSettings(
      { workflow: 'annotate', query: basename(file), model: 'm', unsafe_force: true },
      'test',
    )
    const job = {
      workflow: 'annotate',
      name: 'test',
      start,
      settings,
      inputs: [pin],
      models: ['m'],
      notices: [],
    }
    await work.write('job.json', Buffer.from(JSON.stringify(job)))
    const announcement = { jobId: start.jobId, results: '' }
    const part = { workflow: 'annotate' as const, name: 'test', key: 'job.json', inputs: [pin], announcement }
    const state: InspectState = { start, job: part, input: pin }
    writeFileSync(join(place.path, 'state.json'), JSON.stringify(state))
    const script = `
      const { handler } = await import(process.argv[1])
      const { readFileSync } = await import('node:fs')
      try { console.log(JSON.stringify(await handler(JSON.parse(readFileSync('state.json', 'utf8'))))) }
      catch (error) { console.log(JSON.stringify({ failed: error.name + ' ' + error.message })) }`
    const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script, handler.href], {
      cwd: place.path,
      encoding: 'utf8',
      env: {
        CELLDROP_CODE: 'test',
        ...Object.fromEntries(
          Object.entries(stores).map(([name, path]) => [`CELLDROP_${name.toUpperCase()}`, path]),
        ),
      },
    })
    const answer = JSON.parse(said) as FactsPart | { failed: string }
    if ('failed' in answer) throw new Error(answer.failed.replaceAll(place.path, ''))
    const facts = new TextDecoder().decode(await work.read(answer.key, { maxBytes: 1 << 28 }))
    return JSON.parse(facts.replaceAll(place.path, '').replaceAll(etag, 'etag'))
  }
})

describe('the bundle of every function', () => {
  const names = readdirSync(join(root, 'functions'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  /** Of code and data, without the HDF5 library: a fifth above what they are. A function is fetched and compiled at each cold start. */
  const mostBytes: Record<string, number> = {
    'inspect-input': 2.2e6,
    'map-genes': 2.05e6,
    'match-ontology': 2.05e6,
    'plan-compute': 1.3e6,
    'validate-job': 1.3e6,
    'report-failure': 1.1e6,
    'retry-elsewhere': 1.1e6,
    'start-job': 1.05e6,
  }
  const hdf5 = ['inspect-input']
  const knowing = ['inspect-input', 'map-genes', 'match-ontology']
  let place: TemporaryFolder
  beforeAll(async () => {
    place = await temporaryFolder()
    for (const name of names)
      bundleFunction(`functions/${name}/handler.ts`, { root, folder: join(place.path, name) })
  })
  afterAll(() => place[Symbol.asyncDispose]())
  const filesOf = (name: string) =>
    readdirSync(join(place.path, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return { name: relative(join(place.path, name), path), path, bytes: statSync(path).size }
      })
  const holds = ({ path }: { path: string }, text: string) => readFileSync(path).includes(text)

  it('has a limit of its own', () => {
    expect(Object.keys(mostBytes).sort()).toEqual([...names].sort())
  })

  it.each(Object.entries(mostBytes))('%s has at most %d bytes of code and data', (name, most) => {
    // the library is WebAssembly in one text, which only the thread loads
    const own = filesOf(name).filter((file) => !file.name.startsWith('plugins/') && !isLibrary(file))
    const bytes = own.reduce((sum, file) => sum + file.bytes, 0)
    expect(bytes).toBeLessThan(most)
    expect(bytes).toBeGreaterThan(most / 3)
  })

  it.each(names)(
    '%s carries the reader of HDF5 and the facts of genes if it uses them, and else not',
    (name) => {
      const files = filesOf(name)
      expect(files.some((file) => file.name === 'worker.mjs')).toBe(hdf5.includes(name))
      expect(files.some((file) => file.name.startsWith('plugins/'))).toBe(hdf5.includes(name))
      expect(files.some(isLibrary)).toBe(hdf5.includes(name))
      const data = files.filter((file) => file.name.startsWith('data/')).map((file) => basename(file.name))
      const all = readdirSync(join(root, 'lib/knowledge/data'))
      expect(data.sort()).toEqual(knowing.includes(name) ? all.sort() : [])
    },
  )

  it.each(names)('%s trains nothing and draws nothing', (name) => {
    const code = filesOf(name).filter((file) => file.name.endsWith('.mjs'))
    expect(code.some((file) => file.name === 'training-worker.mjs')).toBe(false)
    for (const text of ['TRAINING_TOO_LARGE', '@napi-rs/canvas', 'onnxruntime-node', 'usearch'])
      expect(code.filter((file) => holds(file, text)).map((file) => file.name)).toEqual([])
  })

  function isLibrary(file: { name: string; path: string; bytes: number }): boolean {
    return file.name.endsWith('.mjs') && file.bytes > 1e6 && holds(file, 'H5Fopen')
  }
})

describe('the bundle of code that trains', () => {
  it('finds its threads where there is no repository, and learns what the code of the repository does', async () => {
    await using folder = await temporaryFolder()
    const script = `
      import { fitLinear } from '${join(root, 'lib/models/fit-linear.ts')}'
      export async function handler() {
        const rows = 1000
        const each = 250
        const indptr = Float64Array.from({ length: rows + 1 }, (_, row) => row * each)
        const indices = Int32Array.from({ length: rows * each }, (_, i) => 2 * (i % each))
        const values = Float32Array.from(indices, (gene, i) => 1 + ((i * 7919 + gene) % 13) / 4 + (gene % 3 === Math.floor(i / each) % 3 ? 1 : 0))
        const codes = Int32Array.from({ length: rows }, (_, row) => row % 3)
        const cells = { rows, columns: 2 * each, indptr, indices, values }
        return fitLinear(cells, { codes, labels: 3, loss: 'ovr', strength: 0.01, threads: 2 })
      }`
    writeFileSync(join(folder.path, 'handler.ts'), script)
    const made = join(folder.path, 'made')
    bundleFunction(join(folder.path, 'handler.ts'), { root, folder: made })
    expect(readdirSync(made)).toContain('training-worker.mjs')
    const learn = `
      const { handler } = await import(process.argv[1])
      console.log(JSON.stringify(Array.from((await handler()).weights)))`
    const weights = (path: string) =>
      JSON.parse(
        execFileSync(process.execPath, ['--input-type=module', '--eval', learn, pathToFileURL(path).href], {
          encoding: 'utf8',
        }),
      )
    const learnt = weights(join(made, 'index.mjs'))
    expect(learnt).toHaveLength(1500)
    expect(learnt).toEqual(weights(join(folder.path, 'handler.ts')))
  })
})

describe('a function', () => {
  it.each([
    ['a package with machine code', "import 'usearch'"],
    ['a Batch step', `import '${join(root, 'lib/workflows/annotate/label.ts')}'`],
  ])('that would load %s at its start is refused', async (_, text) => {
    await using folder = await temporaryFolder()
    writeFileSync(join(folder.path, 'handler.ts'), `${text}\nexport const handler = () => {}`)
    const bundle = () =>
      bundleFunction(join(folder.path, 'handler.ts'), { root, folder: join(folder.path, 'out') })
    expect(bundle).toThrow(/would load .* at its start: import it on demand/)
  })
})
