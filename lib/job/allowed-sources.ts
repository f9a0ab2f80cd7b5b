/**
 * Which places beside its own inbox an installation reads. On a laptop its owner decides by naming them; in an account the platform
 * engineer does, by CELLDROP_SOURCES: `https://datasets.cellxgene.cziscience.com/, s3://bucket/prefix, gs://bucket`, and of services that
 * references are acquired from, whole: `cellxgene://`, `synapse://`.
 *
 * A pattern is a host or bucket and whole segments of a path, compared exactly: `https://good.com` is neither `https://good.com.evil.com`
 * nor `https://good.com:444`, and `s3://b/data` is not `s3://b/database`. Trap: whatever a server might resolve further (`..`, `%2e`,
 * a name before an @, a backslash) is refused before it is compared. Where a server redirects to is not compared; web-guard.ts bounds it.
 */
import { BadInput } from './errors.ts'
import { keyProblem } from './object-key.ts'
import type { Environment } from './stores.ts'
import { parseWebAddress, shownLocation } from './web-address.ts'

interface Source {
  /** scheme with host and port, or with bucket */
  root: string
  segments: string[]
}

/** Every file that its owner may read is allowed on a laptop. */
const everywhere = ['s3:', 'gs:', 'https:', 'http:', 'cellxgene:', 'synapse:'] as const

/** What stands behind is theirs to say: a part of one cannot be allowed alone. */
const services = ['cellxgene://', 'synapse://']

/** Patterns for `isAllowedSource`; none where CELLDROP_SOURCES is not set. @throws BadInput CONFIGURATION */
export function allowedSources(environment: Environment): readonly string[] {
  if (environment.CELLDROP_LOCAL_FILES === '1') return everywhere
  const patterns = (environment.CELLDROP_SOURCES ?? '')
    .split(',')
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '')
  for (const pattern of patterns) {
    if (services.includes(pattern) || partsOf(pattern) !== undefined) continue
    const problem = `"${shownLocation(pattern)}" is no place to read from`
    const remedy =
      'Write https://host/path/, s3://bucket/prefix, gs://bucket/prefix, cellxgene:// or synapse://, with commas between'
    throw new BadInput('CONFIGURATION', 'CELLDROP_SOURCES', problem, remedy)
  }
  return patterns
}

/** Whether a location lies at or below one of the patterns. What cannot be read as a location is not allowed. */
export function isAllowedSource(location: string, allowed: readonly string[]): boolean {
  const service = services.find((scheme) => location.toLowerCase().startsWith(scheme))
  if (service !== undefined)
    return allowed.some((pattern) => pattern === service || `${pattern}//` === service)
  const at = partsOf(location)
  if (at === undefined || at.segments.length === 0) return false
  return allowed.some((pattern) => {
    if (everywhere.some((scheme) => scheme === pattern)) return at.root.startsWith(`${pattern}//`)
    const within = partsOf(pattern)
    return within !== undefined && at.root === within.root && beginsWith(at.segments, within.segments)
  })
}

function beginsWith(segments: readonly string[], start: readonly string[]): boolean {
  return start.length <= segments.length && start.every((segment, i) => segment === segments[i])
}

/** undefined for what is no location of a web server or bucket, or could be taken for two */
function partsOf(location: string): Source | undefined {
  const [, scheme, bucket, key = ''] =
    /^(s3|gs):\/\/([a-z0-9][a-z0-9._-]*)(?:\/(.*))?$/is.exec(location) ?? []
  if (scheme !== undefined && bucket !== undefined) {
    if (bucket !== bucket.toLowerCase() || (key !== '' && keyProblem(key) !== undefined)) return undefined
    return { root: `${scheme.toLowerCase()}://${bucket}`, segments: segmentsOf(key) }
  }
  try {
    const { origin, path } = parseWebAddress(location)
    return { root: origin, segments: segmentsOf(path) }
  } catch {
    return undefined
  }
}

/** One slash at the end says the same as none. */
function segmentsOf(path: string): string[] {
  return path === '' ? [] : path.replace(/\/$/, '').split('/')
}
