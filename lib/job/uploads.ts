/**
 * From an upload to a job. Events come at least once, late and in any order, so a job is named by what was uploaded and never by the
 * event: the same content under the same key is the same job however often it is told of.
 *
 * Keys are the user's: they are looked at as text, decide nothing but which kind of job this is, and never become a path here.
 */
import { z } from 'zod'
import { hashOf } from './canonical.ts'
import { keyProblem } from './object-key.ts'
import type { Start, Upload } from './road.ts'

/** "Object Created" as EventBridge delivers it for S3; keys in it are not URL-encoded. */
const objectCreated = z.object({
  source: z.literal('aws.s3'),
  'detail-type': z.literal('Object Created'),
  time: z.iso.datetime(),
  detail: z.object({
    bucket: z.object({ name: z.string() }),
    object: z.object({
      key: z.string(),
      size: z.number().int().nonnegative(),
      etag: z.string(),
      'version-id': z.string().optional(),
    }),
  }),
})

export interface ArrivedUpload {
  bucket: string
  upload: Upload
  /** ISO 8601 */
  time: string
}

/** @returns undefined for an event that tells of no upload, or of one that begins no job */
export function uploadOf(event: unknown): ArrivedUpload | undefined {
  const { success, data } = objectCreated.safeParse(event)
  if (!success) return undefined
  const { bucket, object } = data.detail
  if (object.size === 0 || !isJobUpload(object.key)) return undefined
  const version = object['version-id']
  const upload = {
    key: object.key,
    etag: object.etag.replace(/^"|"$/g, ''),
    ...(version !== undefined && { versionId: version }),
    size: object.size,
  }
  return { bucket: bucket.name, upload, time: data.time }
}

const jobFile = /^jobs\/([^/]+)\/job\.(?:yaml|yml|json)$/
const bareFile = /^annotate\/(?:[^/]+\/)*([^/]+)\.(?:h5ad|h5|zarr\.zip)$/i

/** A job file `jobs/NAME/job.yaml`, or a bare file of cells under `annotate/`. */
export function isJobUpload(key: string): boolean {
  return keyProblem(key) === undefined && (isJobFile(key) || bareFile.test(key)) && !isUnfinished(key)
}

export function isJobFile(key: string): boolean {
  return jobFile.test(key)
}

/** Names that programs give to files they are still writing. */
function isUnfinished(key: string): boolean {
  const name = key.slice(key.lastIndexOf('/') + 1)
  return (
    name.startsWith('.') || name.startsWith('~') || /\.(?:part|partial|tmp|crdownload)(?:\.|$)/i.test(name)
  )
}

/**
 * @param inbox place of the inbox: part of the job's name, since two buckets may hold the same key
 * @param created ISO 8601, when the upload came
 */
export function startOf(
  upload: Upload,
  {
    inbox,
    created,
    attempt = 1,
    output,
  }: { inbox: string; created: string; attempt?: number; output?: string },
): Start {
  const { key, etag, versionId } = upload
  const identity = hashOf([inbox, key, versionId ?? etag], 12)
  const jobId = `${slug(jobFile.exec(key)?.[1] ?? bareFile.exec(key)?.[1] ?? 'job')}-${identity}`
  return { jobId, attempt, created, upload, output: output ?? resultsPrefix(jobId, attempt) }
}

/** Where a job's own files lie: results in the outbox, its job part, failures and progress in the work store. */
export function resultsPrefix(jobId: string, attempt: number): string {
  return `jobs/${jobId}/attempt-${attempt}/`
}

/** Step Functions takes 80 characters of letters, digits, '-' and '_' for an execution's name. */
export function executionName({ jobId, attempt }: Pick<Start, 'jobId' | 'attempt'>): string {
  return `${jobId}-${attempt}`
}

function slug(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(0, 48)
    .replace(/^-+|-+$/g, '')
  return plain === '' ? 'job' : plain.toLowerCase()
}
