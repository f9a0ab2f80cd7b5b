/** `npm run demo` as a new user runs it, and its report in a browser. */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { hasBrowser, launchBrowser, mapColours, openPage } from '../report/browser.ts'
import { findPython } from '../support/python.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const root = resolve(import.meta.dirname, '../..')
const python = findPython()

let folder: TemporaryFolder
let said: string
let report: string

beforeAll(async () => {
  folder = await temporaryFolder()
  const { output, status } = await run(join(folder.path, 'demo'))
  expect(status).toBe(0)
  said = output
  report = resolve(folder.path, /^report +(.+)$/m.exec(output)![1]!)
}, 240_000)
afterAll(() => folder[Symbol.asyncDispose]())

function run(demo: string): Promise<{ output: string; status: number | null }> {
  const child = spawn(process.execPath, [join(root, 'scripts/demo/main.ts'), demo], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  child.stdout.on('data', (piece: Buffer) => {
    output += piece
  })
  return new Promise((done) => child.on('exit', (status) => done({ output, status })))
}

const seenByAnndata = `
import json, os, sys, anndata
made = anndata.read_h5ad(sys.argv[1])
given = anndata.read_h5ad(os.path.join(os.path.dirname(sys.argv[1]), '../../../../query.h5ad'))
print(json.dumps({
    'predicted': str(made.obs['cxg_cell_type_predicted'].dtype),
    'uncertainty': str(made.obs['cxg_cell_type_predicted_uncertainty'].dtype),
    'obsm': {key: list(made.obsm[key].shape) for key in sorted(made.obsm.keys())},
    'model': made.uns['cxg_cell_type_predictions']['model_url'],
    'same': bool((made.X != given.X).nnz == 0),
}))`

describe('the demo', () => {
  it('tells an accuracy above 95 %, and that it is unsure of the type it never saw', () => {
    expect(Number(/^accuracy +([\d.]+) %/m.exec(said)![1])).toBeGreaterThan(95)
    const [, known, unseen] = /^uncertainty +([\d.]+) .*?, ([\d.]+) for/m.exec(said)!
    expect(Number(known)).toBeLessThan(0.2)
    expect(Number(unseen)).toBeGreaterThan(0.8)
  })

  it.skipIf(python === undefined)(
    'leaves an h5ad that anndata opens without a warning, with every key under both names',
    async () => {
      const { outputs } = JSON.parse(readFileSync(join(report, '../result.json'), 'utf8')) as {
        outputs: { h5ad: string }
      }
      const { stdout } = await promisify(execFile)(python!, [
        '-W',
        'error',
        '-c',
        seenByAnndata,
        join(report, '..', outputs.h5ad),
      ])
      expect(JSON.parse(stdout)).toEqual({
        predicted: 'category',
        uncertainty: 'float32',
        obsm: { X_cxg_cell_type_umap: [2000, 2], cxg_cell_type: [2000, 7], cxg_cell_type_umap: [2000, 2] },
        model: expect.stringMatching(/^celldrop:demo-blood\/[0-9a-f]{64}$/),
        same: true,
      })
    },
  )

  it('leaves an h5ad with the keys of CELLxGENE Annotate, and its counts as they were', async () => {
    const result = JSON.parse(readFileSync(join(report, '../result.json'), 'utf8')) as {
      outputs: { h5ad: string }
    }
    const file = await openCells(join(report, '..', result.outputs.h5ad))
    const names = [...(await file.obs()).columns.keys()]
    expect(names).toEqual(
      expect.arrayContaining(['cell_type', 'cxg_cell_type_predicted', 'cxg_cell_type_predicted_uncertainty']),
    )
    expect(file.rows).toBe(2000)
    await file.close()
  })

  it.skipIf(!hasBrowser)(
    'has a report that draws its cells, says nothing to the console and asks for nothing',
    async () => {
      const browser = await launchBrowser()
      try {
        const opened = await openPage(browser, { address: pathToFileURL(report).href })
        const colours = await mapColours(opened.page)
        const drawn = [...colours.values()].filter((count) => count > 100).length
        expect(drawn).toBeGreaterThan(5)
        expect(opened.said).toEqual([])
        expect(opened.requests).toEqual([])
      } finally {
        await browser.close()
      }
    },
  )
})
