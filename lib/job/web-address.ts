/**
 * Addresses of the web, taken apart without believing them: `https://` for everybody, `http://` for this machine itself only.
 *
 * A key is the path as it stands in the address, still percent-encoded, so that no two addresses become one. The query may be a
 * secret (a signed address): it is kept apart as `access` and never told to anybody. Trap: the URL class mends what it is given
 * (`..`, backslashes, line breaks); what it would mend is refused first, or a rule about prefixes could be walked around.
 */
import { BadInput } from './errors.ts'
import { keyProblem, printable } from './object-key.ts'

export interface WebAddress {
  /** scheme, host and port */
  origin: string
  /** percent-encoded, without the slash that begins it */
  path: string
  /** the query with its question mark, or nothing */
  access: string
}

/** @throws BadInput LOCATION_UNSUPPORTED, whose text never holds the query */
export function parseWebAddress(location: string): WebAddress {
  const refused = (problem: string, remedy = 'Give an address such as https://host/folder/file.h5ad') =>
    new BadInput('LOCATION_UNSUPPORTED', shownLocation(location), problem, remedy)
  const [, host, path = '', , fragment] =
    /^https?:\/\/([^/?#\\]+)(?:\/([^?#]*))?(\?[^#]*)?(#.*)?$/is.exec(location) ?? []
  if (host === undefined || !URL.canParse(location)) throw refused('this is not the address of a file')
  if (/\p{Cc}/u.test(location) || location.trim() !== location || !location.isWellFormed())
    throw refused('the address holds a line break, a space at an end or another character that none may have')
  if (fragment !== undefined)
    throw refused('the address has a part after "#"', 'Write # as %23, or leave that part away')
  const url = new URL(location)
  if (host.includes('@') || url.username !== '' || url.password !== '')
    throw refused(
      'the address holds a name or a password',
      'Leave them away; use a signed address for private files',
    )
  const problem = pathProblem(path)
  if (problem !== undefined) throw refused(problem)
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    throw refused('http:// can be read and changed by others on the way', 'Use https://')
  return { origin: url.origin, path: url.pathname.slice(1), access: url.search }
}

/** Why an encoded path cannot be asked for as it stands; undefined when it can. */
export function pathProblem(path: string): string | undefined {
  if (path.includes('\\')) return 'the path holds a backslash'
  if (path.split('/').some(isClimbing)) return 'the path has a "." or ".." between its slashes'
  return path === '' ? undefined : keyProblem(path)
}

/** Also where a server would decode the segment first: `%2e%2e` and `..%2f`. */
function isClimbing(segment: string): boolean {
  const decoded = segment.replace(/%2e/gi, '.').replace(/%2f|%5c/gi, '/')
  return decoded.split('/').some((part) => part === '.' || part === '..')
}

export function isLoopbackHost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** What may be asked for below a place. @throws BadInput KEY_UNSUPPORTED */
export function webUrl(place: string, key: string, access = ''): URL {
  const path = key.replace(/[?#]/g, encodeURIComponent)
  const problem = path === '' ? 'the name is empty' : pathProblem(path)
  if (problem !== undefined)
    throw new BadInput('KEY_UNSUPPORTED', `${place}/${printable(key)}`, problem, 'Choose another name')
  return new URL(`${place}/${path}${access}`)
}

/** A location as it may be shown, logged and reported: no name or password, no query; whatever is no address stays as it is. */
export function shownLocation(location: string): string {
  const [, scheme, host, rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)/is.exec(location) ?? []
  if (scheme === undefined || host === undefined || !/^https?:/i.test(scheme)) return printable(location)
  return printable(scheme + host.slice(host.lastIndexOf('@') + 1) + rest)
}

/** The parts of a query that only say who may read: they differ each time an address is signed. */
const signatures =
  /^(x-(amz|goog)-.*|signature|expires|key-pair-id|policy|awsaccesskeyid|googleaccessid|(access_)?token)$/i
const azureSignature =
  /^(sv|st|se|sr|sp|sig|spr|sip|ss|srt|sks|skt|ske|skv|skoid|sktid|sdd|saoid|suoid|scid)$/

/**
 * The query without what signs it: two addresses of one file that were signed on two days have the same. It may still be a secret.
 */
export function unsignedQuery(access: string): string {
  const query = new URLSearchParams(access)
  const isAzure = query.has('sig') && query.has('sv')
  const kept = [...query].filter(
    ([name]) => !signatures.test(name) && !(isAzure && azureSignature.test(name)),
  )
  return new URLSearchParams(kept).toString()
}
