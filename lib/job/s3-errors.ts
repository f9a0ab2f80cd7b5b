/**
 * What S3 answers, as a user should read it: place, problem, remedy under the codes of the store's interface.
 *
 * Traps: HEAD answers carry no body, so their errors have a status and no name; a role without s3:ListBucket is told 403, not 404,
 * for an object that is not there; and an archived object answers 403 although nothing is denied.
 */
import { AlreadyExists, isCoded, StoreFailure, StoreUnavailable } from './errors.ts'

export type S3Act = 'read' | 'write' | 'list' | 'remove'

export interface S3Answer {
  name: string
  /** absent when no answer came */
  status?: number
}

export function answerOf(error: unknown): S3Answer {
  if (!(error instanceof Error)) return { name: 'UnknownError' }
  const metadata = '$metadata' in error ? error.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : undefined
  return typeof status === 'number' ? { name: error.name, status } : { name: error.name }
}

const credentialErrors =
  /^(CredentialsProviderError|TokenProviderError|ExpiredToken|InvalidToken|InvalidAccessKeyId|SignatureDoesNotMatch)/

/** @returns the error to throw; errors that already say place and remedy stay as they are */
export function s3Failure(error: unknown, place: string, act: S3Act): Error {
  if (isCoded(error)) return error
  const { name, status } = answerOf(error)
  const message = error instanceof Error ? error.message.replace(/[.\s]+$/, '') : ''
  const told = message === '' || message === name ? '' : `: ${message}`
  const make = (code: string, problem: string, remedy: string) =>
    new StoreFailure(code, place, problem, remedy, { cause: error })
  if (name === 'NoSuchBucket') {
    return make('BUCKET_MISSING', 'there is no such bucket', 'Check the name and the region')
  }
  if (name === 'InvalidObjectState') {
    return make('OBJECT_ARCHIVED', 'the object is archived', 'Restore it from the archive, then run again')
  }
  if (name === 'NotImplemented' || status === 501) {
    const remedy = 'Use a store that can do this, such as Amazon S3 or a folder'
    return make('STORE_UNSUPPORTED', `this store cannot do what was asked of it${told}`, remedy)
  }
  if (credentialErrors.test(name)) {
    const remedy = 'Sign in to AWS again, or set another profile or role'
    return make('ACCESS_DENIED', `the credentials were not found or not accepted${told}`, remedy)
  }
  if (status === 401 || status === 403) {
    const absent = ', as it is for an absent object when the role lacks s3:ListBucket'
    const problem = `access was denied${act === 'read' ? absent : ''}${told}`
    return make('ACCESS_DENIED', problem, `Give this role the right to ${act} here`)
  }
  if (act === 'read' && (status === 404 || status === 405)) return objectMissing(place, error)
  if (act === 'read' && status === 412) return objectChanged(place, error)
  if (error instanceof Error && /region is missing/i.test(error.message)) {
    return make(failureCode(act), 'no AWS region is set', "Set AWS_REGION to the bucket's region")
  }
  if (status === 301 || status === 307) {
    return make(failureCode(act), 'the bucket is in another region', "Set AWS_REGION to the bucket's region")
  }
  const remedy = status === undefined ? 'Check the network and run again' : 'Run again in a while'
  const problem = `the ${act} failed with ${name}${status === undefined ? '' : ` (HTTP ${status})`}${told}`
  const passing = status === undefined || status === 429 || status >= 500
  if (!passing) return make(failureCode(act), problem, remedy)
  return new StoreUnavailable(failureCode(act), place, problem, remedy, { cause: error })
}

function failureCode(act: S3Act): string {
  return act === 'write' || act === 'remove' ? 'WRITE_FAILED' : 'READ_FAILED'
}

export function objectMissing(place: string, cause?: unknown): StoreFailure {
  const remedy = 'Check the name of the object and the bucket'
  return new StoreFailure('OBJECT_MISSING', place, 'there is no such object', remedy, { cause })
}

export function objectChanged(place: string, cause?: unknown): StoreFailure {
  const problem = 'the object is no longer the one that was first seen'
  return new StoreFailure('OBJECT_CHANGED', place, problem, 'Run again once nothing writes to it', { cause })
}

export function objectExists(place: string, cause: unknown): AlreadyExists {
  const remedy = 'Nothing was overwritten: choose another name, or remove this object first'
  return new AlreadyExists('OBJECT_EXISTS', place, 'this object exists already', remedy, { cause })
}
