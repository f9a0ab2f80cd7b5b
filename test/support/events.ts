/**
 * What Step Functions hands on when a task failed: fixtures in the shape of recorded ones (a Batch job's description with capitals for
 * `batch:submitJob.sync`, {errorType, errorMessage} for a Lambda), with names and accounts of nobody.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

export interface CaughtError {
  Error: string
  Cause?: string
}

export function caughtError(name: string): CaughtError {
  const path = resolve(import.meta.dirname, '../fixtures/events', `${name}.json`)
  return JSON.parse(readFileSync(path, 'utf8')) as CaughtError
}
