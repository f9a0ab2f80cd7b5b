/** Docs are run: every `npx celldrop` line in the fenced blocks of README.md, with fixtures under the names it uses. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import { loadModel } from '../../lib/models/bundle.ts'
import { exportCelltypist } from '../../lib/models/celltypist-export.ts'
import { type CensusLab, startCensusLab } from '../support/census-lab.ts'
import {
  cellsOf,
  type Installation,
  makeInstallation,
  saveToyModel,
  toyCounts,
} from '../support/installation.ts'
import { type S3Double, startS3Double } from '../support/s3-double/server.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const root = resolve(import.meta.dirname, '../..')
const formats = join(root, 'test/fixtures/formats')

const standIns: Record<string, string> = {
  'cells.h5ad': 'latest.h5ad',
  'filtered_feature_bc_matrix.h5': 'tenx.h5',
  'old-format.h5ad': 'compound.h5ad',
}

function commands(): string[][] {
  const text = readFileSync(join(root, 'README.md'), 'utf8')
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((match) => match[1]!.split('\n'))
  return blocks
    .filter((line) => line.startsWith('npx celldrop '))
    .map((line) => [...line.matchAll(/"([^"]*)"|\S+/g)].map((match) => match[1] ?? match[0]).slice(2))
}

/** The job file of the page. */
function jobFile(): string {
  return /```yaml\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!
}

describe('the commands of README.md', () => {
  let folder: TemporaryFolder
  let double: S3Double
  let census: CensusLab
  let lab: Installation
  beforeAll(async () => {
    folder = await temporaryFolder()
    for (const [name, fixture] of Object.entries(standIns))
      await copyFile(join(formats, fixture), join(folder.path, name))
    lab = await makeInstallation()
    await saveToyModel(lab.stores)
    const pickle = exportCelltypist(await loadModel(lab.stores.models, 'toy'))
    await writeFile(join(folder.path, 'Immune_All_Low.pkl'), pickle)
    await writeH5ad(join(folder.path, 'pbmc.h5ad'), cellsOf(Array(6).fill(toyCounts).flat()))
    await writeFile(join(folder.path, 'job.yaml'), jobFile())
    census = await startCensusLab()
    double = await startS3Double()
    double.addBucket('my-bucket')
    const store = openS3Store({ bucket: 'my-bucket', client: double.client() })
    await store.write('cells.h5ad', readFileSync(join(formats, 'latest.h5ad')))
  })
  afterAll(async () => {
    await double[Symbol.asyncDispose]()
    await census[Symbol.asyncDispose]()
    await lab.folder[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('are more than one', () => {
    expect(commands().length).toBeGreaterThan(3)
  })

  it.each(commands())('celldrop %s %s runs', async (...argv) => {
    // the first convert of the page writes a file that an inspect before it already used: give it a place of its own
    const placed = argv.map((word, i) =>
      argv[0] === 'convert' && i === 2 ? `made-from-${argv[1]}.h5ad` : word,
    )
    const { status, stderr } = await run(placed, {
      cwd: folder.path,
      env: {
        ...census.environment,
        AWS_ENDPOINT_URL_S3: double.endpoint,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: double.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: double.credentials.secretAccessKey,
      },
    })
    expect({ status, stderr: stderr.replace(telling, '') }).toEqual({ status: 0, stderr: '' })
  })
})

/** Lines that tell how a job goes on, and what was guessed of a model. */
const telling = /^(?:\S+: (?:started|done after .*|\d+ %.*|results go to .*)|note: .*)\n/gm

function run(
  argv: string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<{ status: number | null; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'lib/local/main.ts'), ...argv], {
    cwd,
    env: { ...process.env, ...env },
  })
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  child.stdout.resume()
  return new Promise((done) => child.on('close', (status) => done({ status, stderr })))
}
