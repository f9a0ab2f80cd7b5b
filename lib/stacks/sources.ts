/**
 * Places outside the installation that it may read inputs from: `s3://bucket/prefix`, `gs://bucket/prefix`, `https://host/path/`,
 * and the services `cellxgene://` and `synapse://`.
 * lib/job/allowed-sources.ts says what a pattern allows; what is refused here besides could not be granted or kept apart: IAM takes
 * `*`, `?` and `$` in a key for more than themselves, a comma ends a pattern, and the query of an address may be a secret.
 */
import { allowedSources } from '../job/allowed-sources.ts'
import { isCoded } from '../job/errors.ts'

export interface BucketSource {
  bucket: string
  /** without slashes at its ends; empty for the whole bucket */
  prefix: string
}

/** A Lambda's environment holds 4 KB altogether. */
const longest = 2000

/** As it is written in CELLDROP_SOURCES. */
export const listSources = (sources: readonly string[]): string => sources.join(',')

/** What is wrong with a list of sources; undefined when each can be read from. */
export function sourcesProblem(sources: readonly string[]): string | undefined {
  if (listSources(sources).length > longest) return `sources are longer than ${longest} characters together`
  for (const source of sources) {
    const problem = sourceProblem(source)
    if (problem !== undefined) return `source "${source.replace(/\?.*$/s, '?...')}": ${problem}`
  }
  return undefined
}

function sourceProblem(source: string): string | undefined {
  if (source.includes(',')) return 'a comma separates sources'
  if (/^http:/i.test(source)) return 'http:// can be read and changed by others on the way: use https://'
  if (/^https:/i.test(source) && /[?#]/.test(source)) return 'the query of an address is no part of a place'
  if (/^s3:/i.test(source) && /[*?$]/.test(source))
    return 'IAM takes "*", "?" and "$" for more than themselves'
  const bucket = bucketSource(source)?.bucket
  if (bucket !== undefined && !/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    return `"${bucket}" is not the name of a bucket`
  try {
    allowedSources({ CELLDROP_SOURCES: source })
  } catch (error) {
    return isCoded(error)
      ? 'give https://host/path/, s3://bucket/prefix, gs://bucket/prefix, cellxgene:// or synapse://'
      : String(error)
  }
  return undefined
}

/** Those of S3, which roles are given rights to. */
export function bucketSources(sources: readonly string[]): BucketSource[] {
  return sources.map(bucketSource).filter((source) => source !== undefined)
}

function bucketSource(source: string): BucketSource | undefined {
  const [, bucket, key = ''] = /^s3:\/\/([^/]*)(?:\/(.*))?$/is.exec(source) ?? []
  return bucket === undefined ? undefined : { bucket, prefix: key.replace(/\/$/, '') }
}
