/**
 * The errors a user can meet. Each names the place, the problem and the remedy under a stable code.
 *
 * `name` is a literal: minified bundles rewrite `constructor.name`, and a state machine's `ErrorEquals` matches `name`.
 * Whoever knows a file or key adds it with `cause`; the text is written for the person who dropped the file.
 */

export interface ErrorReport {
  code: string
  place: string
  problem: string
  remedy: string
}

abstract class CodedError extends Error implements ErrorReport {
  readonly code: string
  readonly place: string
  readonly problem: string
  readonly remedy: string

  constructor(code: string, place: string, problem: string, remedy: string, options?: { cause?: unknown }) {
    super(`${place}: ${problem}. ${remedy}`, options)
    this.code = code
    this.place = place
    this.problem = problem
    this.remedy = remedy
  }

  toJSON(): ErrorReport {
    return { code: this.code, place: this.place, problem: this.problem, remedy: this.remedy }
  }
}

/** The input or the job file is wrong; running again changes nothing until the user changes it. Exit code 2. */
export class BadInput extends CodedError {
  override readonly name = 'BadInput'
}

/** A store answered something that this program cannot go on with (missing object, changed mid-read, refused write). */
export class StoreFailure extends CodedError {
  override readonly name = 'StoreFailure'
}

/** A store did not answer, or asked to be left alone for a while. The one error of ours that a state machine tries again. */
export class StoreUnavailable extends CodedError {
  override readonly name = 'StoreUnavailable'
}

/** The place to write exists already, or another writer was first. Nothing was overwritten. */
export class AlreadyExists extends CodedError {
  override readonly name = 'AlreadyExists'
}

/** Stopped on request (Ctrl-C, SIGTERM). What was finished stays; the same command goes on from there. Exit code 130. */
export class Interrupted extends CodedError {
  override readonly name = 'Interrupted'
}

/** The same error, told of another place. */
export function atPlace(error: Error & ErrorReport, place: string): Error & ErrorReport {
  const { code, problem, remedy } = error
  const Same = error.constructor as new (...parts: ConstructorParameters<typeof BadInput>) => CodedError
  return new Same(code, place, problem, remedy, { cause: error })
}

/** True for the errors above: they carry code, place, problem and remedy. */
export function isCoded(error: unknown): error is Error & ErrorReport {
  return error instanceof CodedError
}
