/** Contract: where a release keeps its files, as the list of the Census writes it. */
import { expect, it } from 'vitest'
import { openWeb } from '../../lib/job/web-request.ts'
import { readRelease } from '../../lib/references/census-release.ts'
import { startWebDouble } from '../support/web-double.ts'

const bucket = 's3://cellxgene-census-public-us-west-2/cell-census'

it.each([
  ['a bucket', `${bucket}/2025-01-30/h5ads/`, 'us-west-2', 'h5ads/'],
  ['a bucket without its last slash', `${bucket}/2025-01-30/h5ads`, undefined, 'h5ads/'],
])('a release in %s is read from the public address of that bucket', async (_, uri, s3_region, end) => {
  await using web = await startWebDouble()
  const entry = {
    release_date: null,
    release_build: '2025-01-30',
    h5ads: { uri, s3_region },
    soma: { uri: 'x' },
  }
  web.files.set('/r.json', { bytes: Buffer.from(JSON.stringify({ stable: 'b', b: entry })) })
  const environment = { CELLDROP_CELLXGENE_CENSUS: `${web.address}/r.json` }
  const release = await readRelease('stable', { environment, web: openWeb({ isLocal: true }) })
  expect(release).toEqual({
    name: 'b',
    date: '2025-01-30',
    files: `https://cellxgene-census-public-us-west-2.s3.us-west-2.amazonaws.com/cell-census/2025-01-30/${end}`,
    notices: [],
  })
})

it.each([
  ['ftp://host/x/', 'us-west-2'],
  ['s3://Bad_Bucket/x/', 'us-west-2'],
  ['s3://bucket/x/', 'us-west-2.evil.com/'],
])('files at %s in %s are refused', async (uri, s3_region) => {
  await using web = await startWebDouble()
  web.files.set('/r.json', { bytes: Buffer.from(JSON.stringify({ stable: { h5ads: { uri, s3_region } } })) })
  const environment = { CELLDROP_CELLXGENE_CENSUS: `${web.address}/r.json` }
  const asked = readRelease('stable', { environment, web: openWeb({ isLocal: true }) })
  await expect(asked).rejects.toMatchObject({ code: 'READ_FAILED' })
})
