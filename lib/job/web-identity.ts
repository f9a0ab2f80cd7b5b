/**
 * What tells one content of a web address from another: a strong ETag; else the date of its last change with its size and a weak ETag,
 * if there is one; else the size alone, which tells next to nothing, so that such a file is only read in one go and never kept.
 *
 * Traps: a weak ETag promises "much the same", not the same bytes; dates count in seconds; whoever packs a file on its way weakens its
 * ETag. What is no strong ETag is written here with a `~` before it, which no server's ETag begins with.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ErrorReport } from './errors.ts'

type Identity = 'etag' | 'date' | 'size'

const strongTag = /^"[\x21\x23-\x7e]{1,200}"$/
const weakTag = /^W\/"[\x21\x23-\x7e]{0,200}"$/

export function identityOf(headers: IncomingHttpHeaders, size: number): string {
  const { etag = '' } = headers
  if (strongTag.test(etag)) return etag
  const modified = modifiedOf(headers)
  const date = modified === undefined ? '' : new Date(modified).toISOString()
  return `~${date}/${size}/${weakTag.test(etag) ? etag : ''}`
}

/** Milliseconds since 1970; undefined when the server does not say. */
export function modifiedOf(headers: IncomingHttpHeaders): number | undefined {
  const modified = Date.parse(headers['last-modified'] ?? '')
  return Number.isFinite(modified) ? modified : undefined
}

export function kindOfIdentity(etag: string): Identity {
  if (!etag.startsWith('~')) return 'etag'
  return /^~\/\d+\/$/.test(etag) ? 'size' : 'date'
}

/** Headers that ask for this content or none. Not every server heeds them. */
export function conditionsOf(etag: string): Record<string, string> {
  if (kindOfIdentity(etag) === 'etag') return { 'if-match': etag }
  const modified = Date.parse(/^~([^/]+)\//.exec(etag)?.[1] ?? '')
  return Number.isFinite(modified) ? { 'if-unmodified-since': new Date(modified).toUTCString() } : {}
}

/** Said where a change of the file could go unseen; undefined where it could not. */
export function identityNotice(etag: string, place: string): ErrorReport | undefined {
  const kind = kindOfIdentity(etag)
  if (kind === 'etag') return undefined
  const problem =
    kind === 'date'
      ? 'the server gives no strong ETag: the content is known by its date and size, and a change of equal size within a second goes unseen'
      : 'the server gives neither ETag nor date: the content is known by its size alone, and a change of equal size goes unseen'
  const remedy = 'Where that matters, download the file and give that'
  return { code: 'SOURCE_IDENTITY_WEAK', place, problem, remedy }
}
