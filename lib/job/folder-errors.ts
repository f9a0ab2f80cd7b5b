/**
 * What the operating system answers, as a user should read it: place, problem, remedy under the codes of the store's interface.
 * Trap: which failure a code means depends on what was being done, so reads and writes have a wrapper each.
 */
import { AlreadyExists, isCoded, StoreFailure } from './errors.ts'

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}

export function ignoreMissing(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) throw error
}

export function onReading<T>(path: string, act: () => Promise<T>): Promise<T> {
  return act().catch((error) => {
    throw isCoded(error) ? error : diskFailure(error, path, 'READ_FAILED')
  })
}

export function onWriting<T>(path: string, act: () => Promise<T>): Promise<T> {
  return act().catch((error) => {
    throw isCoded(error) ? error : diskFailure(error, path, 'WRITE_FAILED')
  })
}

function diskFailure(error: unknown, path: string, code: string): StoreFailure {
  const problem = error instanceof Error ? error.message : String(error)
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) {
    return new StoreFailure('ACCESS_DENIED', path, problem, 'Give this user the right to it', {
      cause: error,
    })
  }
  const full = hasCode(error, 'ENOSPC', 'EDQUOT')
  const remedy = full ? 'Make room on the drive and run again' : 'Check the drive and run again'
  return new StoreFailure(code, path, problem, remedy, { cause: error })
}

export function missing(path: string): StoreFailure {
  return new StoreFailure('OBJECT_MISSING', path, 'there is no such file', 'Check the name and the folder')
}

export function changed(path: string): StoreFailure {
  const problem = 'the file is no longer the one that was first seen'
  return new StoreFailure('OBJECT_CHANGED', path, problem, 'Run again once nothing writes to it')
}

export function exists(path: string): AlreadyExists {
  const remedy = 'Nothing was overwritten: choose another name, or remove this file first'
  return new AlreadyExists('OBJECT_EXISTS', path, 'this file exists already', remedy)
}

export function tooLarge(path: string, size: number, maxBytes: number): StoreFailure {
  const problem = `the file has ${size} bytes, and at most ${maxBytes} are read here`
  return new StoreFailure('OBJECT_TOO_LARGE', path, problem, 'Check that this is the intended file')
}
