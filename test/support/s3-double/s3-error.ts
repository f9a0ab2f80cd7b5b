/** An answer of the double that is not a success: the status and code of S3's own error, and nothing was changed. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** Whatever the double does not know, it refuses: a server that ignored it would make a wrong client look right. */
export function notImplemented(what: string): S3Error {
  return new S3Error(501, 'NotImplemented', `the double does not know ${what}`)
}
