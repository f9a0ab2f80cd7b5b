import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { executionName, isJobUpload, startOf, uploadOf } from '../../lib/job/uploads.ts'

const event = (): unknown =>
  JSON.parse(readFileSync(new URL('../fixtures/events/object-created.json', import.meta.url), 'utf8'))

function changed(
  change: (event: { detail: { object: Record<string, unknown> } } & Record<string, unknown>) => void,
) {
  const made = event() as Parameters<typeof change>[0]
  change(made)
  return uploadOf(made)
}

describe('an event of S3', () => {
  it('tells of the upload: bucket, key as typed, version, size and time', () => {
    expect(uploadOf(event())).toEqual({
      bucket: 'celldrop-inbox',
      upload: {
        key: 'annotate/liver run 2+ü.h5ad',
        etag: '9b2cf535f27731c974343645a3985328',
        versionId: 'IYV3p45BT0ac8hjHg1houSdS1a.Mro8e',
        size: 7426951,
      },
      time: '2026-11-21T10:15:02Z',
    })
  })

  it.each([
    ['another source', (made: Record<string, unknown>) => (made.source = 'aws.ec2')],
    ['another kind', (made: Record<string, unknown>) => (made['detail-type'] = 'Object Deleted')],
    ['no detail', (made: Record<string, unknown>) => delete made.detail],
  ])('is ignored with %s', (_, change) => {
    expect(changed(change)).toBeUndefined()
  })

  it('is ignored for folder markers and files of no bytes', () => {
    expect(changed(({ detail }) => (detail.object.size = 0))).toBeUndefined()
  })
})

describe('an uploaded key', () => {
  it.each([
    'annotate/a.h5ad',
    'annotate/lab/b.H5AD',
    'annotate/c.zarr.zip',
    'annotate/x.h5',
    'jobs/liver/job.yaml',
    'jobs/a b/job.json',
    'jobs/a/job.yml',
  ])('begins a job: %s', (key) => expect(isJobUpload(key)).toBe(true))

  it.each([
    'a.h5ad',
    'jobs/liver/query.h5ad',
    'jobs/job.yaml',
    'jobs/a/b/job.yaml',
    'annotate/a.h5ad.part',
    'annotate/.a.h5ad',
    'annotate/~a.h5ad',
    'annotate/a.part.h5ad',
    'annotate/../secret.h5ad',
    'annotate/a\u0000.h5ad',
    'annotate/',
    'results/a.h5ad',
    `annotate/${'x'.repeat(2000)}.h5ad`,
  ])('begins none: %j', (key) => expect(isJobUpload(key)).toBe(false))
})

describe('a job made of an upload', () => {
  const upload = { key: 'annotate/Liver Run/sample 7.h5ad', etag: 'abc', size: 10 }
  const at = { inbox: 's3://inbox', created: '2026-11-21T10:00:00Z' }

  it('has one name however often and whenever its event comes', () => {
    const first = startOf(upload, at)
    expect(startOf(upload, { ...at, created: '2026-11-22T10:00:00Z' }).jobId).toBe(first.jobId)
    expect(first).toMatchObject({ attempt: 1, output: `jobs/${first.jobId}/attempt-1/` })
    expect(first.jobId).toMatch(/^sample-7-[0-9a-f]{12}$/)
  })

  it('has another name for other content, another version, another key and another bucket', () => {
    const names = [
      startOf(upload, at),
      startOf({ ...upload, etag: 'abd' }, at),
      startOf({ ...upload, versionId: 'v1' }, at),
      startOf({ ...upload, versionId: 'v2' }, at),
      startOf({ ...upload, key: 'annotate/sample 7.h5ad' }, at),
      startOf(upload, { ...at, inbox: 's3://other' }),
    ].map(({ jobId }) => jobId)
    expect(new Set(names).size).toBe(names.length)
  })

  it('has a name that Step Functions takes, whatever the file is called', () => {
    for (const name of ['日本語', 'x'.repeat(900), '---', 'a$b%c', "'; drop"]) {
      const start = startOf({ ...upload, key: `annotate/${name}.h5ad` }, { ...at, attempt: 12 })
      expect(executionName(start)).toMatch(/^[a-z0-9][a-z0-9-]{0,79}$/)
    }
  })
})
