/**
 * Bytes at offsets: what a file is to the readers, whether it lies on disk, in a folder store or in S3.
 * A source is pinned when it is opened: all reads see one content or fail.
 */
export interface ByteSource {
  /** how a person would name it, for error messages */
  readonly place: string
  /** bytes */
  readonly size: number
  /** an open descriptor of a local file: the worker that parses it reads it without a round trip. Absent for remote ones */
  readonly descriptor?: number
  /** Exactly `length` bytes at `offset`, or an error. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** The same into memory of the caller's, where that saves a copy. */
  readInto?(target: Uint8Array, offset: number): Promise<void>
  close(): Promise<void>
}
