/**
 * Where objects live: one small interface over a folder, S3 and Google Cloud Storage, so that the same code runs on a laptop and in an
 * account; web servers have it too, to read from only (their writes throw STORE_READ_ONLY).
 *
 * Keys are opaque, `/`-separated UTF-8. A version is pinned when it is first seen (`head`) and every later read names it,
 * so that an object overwritten in the middle of a read is an error and never a mixture of two files.
 */
import type { Readable } from 'node:stream'

export interface ObjectInfo {
  key: string
  /** bytes */
  size: number
  /** opaque identity of these bytes; equal etags of one key mean the same content */
  etag: string
  /** present where the store keeps versions */
  versionId?: string
  /** hexadecimal MD5 of the content, where the store says that it is one; an etag that looks like one need not be */
  md5?: string
  /** milliseconds since 1970; 0 where a web server does not say */
  modified: number
}

/** Which content of a key is meant: what `head` answered. */
export type Pin = Pick<ObjectInfo, 'etag' | 'versionId'>

export interface WriteOptions {
  /** refuse with AlreadyExists when the key exists; the check and the write are one atomic step */
  onlyIfAbsent?: boolean
  contentType?: string
}

export interface ObjectStore {
  /** how a person would name it, and what opens it again: a folder's path, `s3://bucket/prefix`, `gs://bucket`, `https://host` */
  readonly place: string
  /** of a web server: objects can be named, and `list` throws LISTING_UNSUPPORTED */
  readonly unlisted?: true
  /** undefined when there is no such object */
  head(key: string): Promise<ObjectInfo | undefined>
  /**
   * Bytes [offset, offset + length) of the pinned content; fewer only where the object ends.
   * @throws StoreFailure OBJECT_MISSING, OBJECT_CHANGED when the content is no longer the pinned one, READ_FAILED, and
   * RANGES_UNSUPPORTED where a web server gives files only whole
   */
  readRange(key: string, range: { offset: number; length: number }, pin: Pin): Promise<Uint8Array>
  /**
   * A whole small object. @throws StoreFailure OBJECT_MISSING, or OBJECT_TOO_LARGE above `maxBytes`
   */
  read(key: string, options: { maxBytes: number; pin?: Pin }): Promise<Uint8Array>
  /** The content from start to end. Errors destroy the stream. @throws StoreFailure OBJECT_MISSING, OBJECT_CHANGED */
  openRead(key: string, pin?: Pin): Promise<Readable>
  /**
   * Writes all of the body or nothing: readers see the old content or the new one. Streams are sent in parts.
   * @throws AlreadyExists OBJECT_EXISTS with onlyIfAbsent; StoreFailure WRITE_FAILED
   */
  write(key: string, body: Uint8Array | Readable, options?: WriteOptions): Promise<ObjectInfo>
  /** Every object under a key prefix, in key order (UTF-8 bytes). */
  list(prefix: string): AsyncIterable<ObjectInfo>
  /** Removes one object; no error when it is not there. */
  remove(key: string): Promise<void>
}
