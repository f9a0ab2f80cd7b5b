/**
 * Which keys the stores take, said once for all of them: what one store would silently turn into another key, both refuse.
 *
 * S3 alone would allow `..` segments and control characters; proxies and browsers resolve the former, XML cannot carry the latter.
 * Characters that only a folder cannot hold are the folder store's own matter.
 */
import { BadInput } from './errors.ts'

const longestKey = 1024

/** @throws BadInput KEY_UNSUPPORTED; the place is the store's name with the key */
export function checkKey(place: string, key: string): void {
  const problem = keyProblem(key)
  if (problem !== undefined) throw unsupportedKey(`${place}/${printable(key)}`, problem)
}

export function unsupportedKey(place: string, problem: string, remedy = 'Choose another name'): BadInput {
  return new BadInput('KEY_UNSUPPORTED', place, problem, remedy)
}

/** The key with what a terminal would act on made visible. */
export function printable(key: string): string {
  return key.toWellFormed().replace(/\p{Cc}/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

export function keyProblem(key: string): string | undefined {
  if (key === '') return 'the name is empty'
  if (!key.isWellFormed()) return 'the name is not well-formed Unicode'
  if (Buffer.byteLength(key) > longestKey) return `the name is longer than ${longestKey} bytes`
  if (/\p{Cc}/u.test(key)) return 'the name holds a control character'
  if (key.split('/').some((segment) => segment === '.' || segment === '..')) {
    return 'the name has a "." or ".." between its slashes'
  }
  return undefined
}

/** A range is a programmer's number, never a user's: anything but whole non-negative numbers is a mistake in the caller. */
export function checkRange(range: { offset: number; length: number }): void {
  for (const value of [range.offset, range.length, range.offset + range.length]) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`not a byte range: offset ${range.offset}, length ${range.length}`)
    }
  }
}
