/** Contract: what an `acquire` job is refused for before anything is fetched, on a laptop and in an account. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkSettings } from '../../../lib/job/manifest.ts'
import { jobKey } from '../../../lib/workflows/road/validate-job.ts'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { walk } from '../../support/walk.ts'

let laptop: Installation
let account: Installation
beforeAll(async () => {
  laptop = await makeInstallation({ CELLDROP_LOCAL_FILES: '1' })
  account = await makeInstallation({ CELLDROP_SOURCES: 'cellxgene://,s3://atlas/refs' })
})
afterAll(async () => {
  await laptop.folder[Symbol.asyncDispose]()
  await account.folder[Symbol.asyncDispose]()
})

const known = 'cellxgene://human_lung_cell_atlas'
let count = 0

async function validate(lab: Installation, settings: Record<string, unknown>) {
  const job = JSON.stringify({ workflow: 'acquire', ...settings })
  return walk(await lab.upload(`jobs/job-${count++}/job.json`, job), lab.environment, 'ValidateJob')
}

describe('a job of `acquire`', () => {
  it.each([
    [
      'a key that there is not',
      { source: 'cellxgene://human_lung_atlas' },
      'SOURCE_KEY',
      'human_lung_cell_atlas',
    ],
    ['a scheme that there is not', { source: 'celxgene://x' }, 'SOURCE_UNKNOWN', 'cellxgene'],
    ['a parameter that there is not', { source: 'cellxgene://?tisue=lung' }, 'SOURCE_PARAMETER', 'tissue'],
    ['a query that asks for everything', { source: 'cellxgene://?' }, 'SOURCE_FILTER_MISSING', 'tissue'],
    ['an output that is no h5ad', { source: known, output: '/data/hlca.zarr' }, 'OUTPUT_NAME', '.h5ad'],
    ['an output without a name', { source: known, output: '/data/.h5ad' }, 'OUTPUT_NAME', '.h5ad'],
    [
      'an output on the web',
      { source: known, output: 'https://example.org/a.h5ad' },
      'OUTPUT_NOT_ALLOWED',
      's3://',
    ],
    ['an output that climbs', { source: known, output: 's3://bucket/a/../b.h5ad' }, 'KEY_UNSUPPORTED', '..'],
    ['a misspelt setting', { source: known, max_cell: 3 }, 'SETTING_UNKNOWN', 'max_cells'],
    ['no cells', { source: known, max_cells: 0 }, 'SETTING_INVALID', 'max_cells'],
  ])('is refused for %s', async (_, settings, code, told) => {
    await expect(validate(laptop, settings)).rejects.toMatchObject({
      ...{ name: 'BadInput', code },
      message: expect.stringContaining(told),
    })
  })

  it('is refused for a token in it, which the message does not repeat, and told where it goes', () => {
    const given = { workflow: 'acquire', source: 'synapse://syn1', auth_token: 'very-secret' }
    expect(() => checkSettings(given, 'job.yaml')).toThrow(
      expect.objectContaining({
        code: 'SECRET_IN_JOB',
        place: 'job.yaml: auth_token',
        remedy: expect.stringContaining('SYNAPSE_AUTH_TOKEN'),
        message: expect.not.stringContaining('very-secret'),
      }),
    )
  })
})

describe('an account', () => {
  it.each([
    ['a service that is not listed', { source: 'synapse://syn1' }, 'SOURCE_NOT_ALLOWED'],
    ['a bucket that is not listed', { source: 's3://other/a.h5ad' }, 'SOURCE_NOT_ALLOWED'],
    [
      'a place beside one that is listed',
      { source: 's3://atlas/refs-of-others/a.h5ad' },
      'SOURCE_NOT_ALLOWED',
    ],
    ['a path', { source: '/etc/passwd' }, 'SOURCE_NOT_ALLOWED'],
    ['an output in another bucket', { source: known, output: 's3://other/a.h5ad' }, 'OUTPUT_NOT_ALLOWED'],
    ['an output at Google', { source: known, output: 'gs://other/a.h5ad' }, 'OUTPUT_NOT_ALLOWED'],
    ['an output by a path', { source: known, output: '/tmp/a.h5ad' }, 'OUTPUT_NOT_ALLOWED'],
    ['an output of a drive', { source: known, output: 'C:\\a.h5ad' }, 'OUTPUT_NOT_ALLOWED'],
    ['an output that climbs out', { source: known, output: '../inbox/a.h5ad' }, 'KEY_UNSUPPORTED'],
    [
      'a signed address, whose secret is not told',
      { source: 'https://x.org/a.h5ad?sig=secret' },
      'SOURCE_NOT_ALLOWED',
    ],
  ])('refuses %s', async (_, settings, code) => {
    await expect(validate(account, settings)).rejects.toMatchObject({
      ...{ name: 'BadInput', code },
      message: expect.not.stringContaining('sig=secret'),
    })
  })

  it.each([
    ['a service that is listed', { source: known }],
    ['a bucket that is listed', { source: 's3://atlas/refs/a.h5ad' }],
    ['an output by a name', { source: known, output: 'lung/atlas.h5ad' }],
  ])('takes %s', async (_, settings) => {
    const { start, job } = await validate(account, settings)
    expect(job).toMatchObject({ workflow: 'acquire', inputs: [], key: jobKey(start) })
  })
})
