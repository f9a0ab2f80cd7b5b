/**
 * What the web answers, as a user should read it, under the codes of the store's interface. Places are named without their query, and
 * nothing that a server sends is repeated: a page of an error may hold what a terminal acts on, or the secret of the address.
 */
import { isCoded, StoreFailure, StoreUnavailable } from './errors.ts'

/** Statuses that mean: not now. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

export interface Refusal {
  status: number
  /** how the object is named to a person */
  place: string
  /** what to do where the answer is 401 or 403 */
  remedy?: string
}

export function statusFailure({ status, place, remedy }: Refusal): Error {
  if (status === 404 || status === 410) return webObjectMissing(place)
  if (status === 401 || status === 403 || status === 407) {
    const signed = 'Check that the address opens without signing in; a signed address may have run out'
    return new StoreFailure('ACCESS_DENIED', place, `access was denied (HTTP ${status})`, remedy ?? signed)
  }
  const problem = `the server answered ${status}`
  if (status !== 501 && isPassing(status))
    return new StoreUnavailable('READ_FAILED', place, problem, 'Run again in a while')
  return new StoreFailure('READ_FAILED', place, problem, 'Check the address in a browser')
}

export function webObjectMissing(place: string): StoreFailure {
  return new StoreFailure('OBJECT_MISSING', place, 'there is no such file', 'Check the address')
}

export function noRanges(place: string): StoreFailure {
  const problem = 'this server does not give parts of the file that can be told to belong together'
  return new StoreFailure(
    'RANGES_UNSUPPORTED',
    place,
    problem,
    'Read it whole, or download it and give the file',
  )
}

export function badAnswer(place: string, problem: string): StoreFailure {
  return new StoreFailure('READ_FAILED', place, problem, 'Download the file by other means and give it')
}

export function unsupportedAnswer(place: string, problem: string): StoreFailure {
  return new StoreFailure('STORE_UNSUPPORTED', place, problem, 'Download the file and give that')
}

export function readOnly(place: string): StoreFailure {
  const problem = 'files are only read from here'
  return new StoreFailure(
    'STORE_READ_ONLY',
    place,
    problem,
    'Name a folder, s3://bucket/prefix or gs://bucket/prefix to write to',
  )
}

/** The network may be better in a while. */
export function brokenOff(place: string, problem: string, cause?: unknown): StoreUnavailable {
  const remedy = 'Check the network and run again'
  return new StoreUnavailable('READ_FAILED', place, problem, remedy, { cause })
}

const certificateCodes =
  /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|CRL_|INVALID_CA)/

/** Of a request that had no answer. @returns StoreUnavailable where it may pass; errors that already say all stay as they are */
export function connectionFailure(error: unknown, place: string): Error {
  if (isCoded(error)) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOTFOUND') {
    const remedy = 'Check the address and the network'
    return new StoreFailure('HOST_NOT_FOUND', place, 'there is no host of this name', remedy, {
      cause: error,
    })
  }
  if (certificateCodes.test(code)) {
    const problem = `the certificate of the server is not accepted (${code})`
    const remedy = 'Check the address; NODE_EXTRA_CA_CERTS names certificates of your own'
    return new StoreFailure('CERTIFICATE_REFUSED', place, problem, remedy, { cause: error })
  }
  const told = code || (error instanceof Error ? error.message : String(error))
  return brokenOff(place, `the server did not answer (${told})`, error)
}
