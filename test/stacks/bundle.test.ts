import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
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
      ['inbox', 'work', 'models', 'outbox'].map((name) => [name, join(place.path, name)]),
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
    const job = { workflow: 'annotate', name: 'test', start, settings, inputs: [pin], model: 'm' }
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
