/**
 * The file being written: space is handed out at its end only, small neighbours are written together, in order, and
 * callers wait once too many bytes are queued. The content goes to a file beside the destination, which gets its name when
 * it is whole: a destination is never half a file, and nothing that is there is overwritten.
 *
 * Trap: bytes given to `append` belong to it; changing them afterwards changes what is written.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, type FileHandle, lstat, open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BadInput } from '../../../job/errors.ts'
import { exists, onWriting } from '../../../job/folder-errors.ts'
import { placeNew } from '../../../job/folder-write.ts'

const BATCH_BYTES = 1 << 20
const MOST_QUEUED = 16 << 20

export class OutputFile {
  readonly #handle: FileHandle
  readonly #draft: string
  readonly #destination: string
  #end: number
  #batch: Uint8Array[] = []
  #batchBytes = 0
  #queuedBytes = 0
  #lastWrite: Promise<void> = Promise.resolve()
  #failure: { error: unknown } | undefined

  constructor(options: { handle: FileHandle; draft: string; destination: string; end: number }) {
    this.#handle = options.handle
    this.#draft = options.draft
    this.#destination = options.destination
    this.#end = options.end
  }

  /**
   * Starts empty, or as a copy of another file, which shares its blocks where the file system can.
   * @throws AlreadyExists OBJECT_EXISTS; BadInput FOLDER_MISSING; StoreFailure WRITE_FAILED, ACCESS_DENIED
   */
  static async open(destination: string, options: { copyOf?: string } = {}): Promise<OutputFile> {
    if (await lstat(destination).catch(() => undefined)) throw exists(destination)
    if (!(await stat(dirname(destination)).catch(() => undefined))?.isDirectory()) throw noFolder(destination)
    return onWriting(destination, () => OutputFile.#start(destination, options))
  }

  static async #start(destination: string, options: { copyOf?: string }): Promise<OutputFile> {
    const draft = `${destination}.${randomUUID()}.partial`
    try {
      if (options.copyOf !== undefined) {
        await copyFile(options.copyOf, draft, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
        // a copy has the rights of its source, which may be read-only
        await chmod(draft, (await stat(draft)).mode | 0o600)
      }
      const handle = await open(draft, options.copyOf === undefined ? 'wx' : 'r+')
      const { size } = await handle.stat()
      return new OutputFile({ handle, draft, destination, end: size })
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
  }

  /** bytes so far, all that was handed out */
  get end(): number {
    return this.#end
  }

  /** where the next piece will lie */
  get next(): number {
    return this.#end + (-this.#end & 7)
  }

  get descriptor(): number {
    return this.#handle.fd
  }

  /** Space to be filled by `writeAt` later, at a multiple of eight. */
  reserve(bytes: number): number {
    this.#align()
    this.#sendBatch()
    const address = this.#end
    this.#end += bytes
    return address
  }

  /** Adds bytes at a multiple of eight and says where; who adds many waits for `room` in between. */
  append(bytes: Uint8Array): number {
    this.#align()
    const address = this.#end
    this.#push(bytes)
    if (this.#batchBytes >= BATCH_BYTES) this.#sendBatch()
    return address
  }

  writeAt(address: number, bytes: Uint8Array): void {
    this.#enqueue([bytes], address)
  }

  /** Few enough bytes are queued to give more. @throws the first error of a write */
  async room(): Promise<void> {
    if (this.#queuedBytes > MOST_QUEUED) await this.#lastWrite
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Everything given so far is written. @throws the first error of a write */
  async settled(): Promise<void> {
    this.#sendBatch()
    await this.#lastWrite
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Puts the file in its place. @throws AlreadyExists OBJECT_EXISTS when something has come there meanwhile */
  async commit(): Promise<void> {
    await this.settled()
    await onWriting(this.#destination, async () => {
      await this.#handle.truncate(this.#end)
      await this.#handle.sync()
      await this.#handle.close()
      await placeNew(this.#draft, this.#destination)
      await rm(this.#draft, { force: true })
    })
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    await this.#lastWrite
    await this.#handle.close().catch(() => {})
    await rm(this.#draft, { force: true })
  }

  #align(): void {
    const gap = -this.#end & 7
    if (gap > 0) this.#push(new Uint8Array(gap))
  }

  #push(bytes: Uint8Array): void {
    this.#batch.push(bytes)
    this.#batchBytes += bytes.length
    this.#end += bytes.length
  }

  #sendBatch(): void {
    if (this.#batchBytes > 0) this.#enqueue(this.#batch, this.#end - this.#batchBytes)
    this.#batch = []
    this.#batchBytes = 0
  }

  #enqueue(pieces: Uint8Array[], address: number): void {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.#queuedBytes += bytes
    this.#lastWrite = this.#lastWrite.then(async () => {
      try {
        if (this.#failure === undefined)
          await onWriting(this.#destination, () => writeAll(this.#handle, { pieces, address, bytes }))
      } catch (error) {
        this.#failure ??= { error }
      }
      this.#queuedBytes -= bytes
    })
  }
}

function noFolder(destination: string): BadInput {
  return new BadInput(
    'FOLDER_MISSING',
    dirname(destination),
    'there is no such folder',
    'Make the folder first, or check the path',
  )
}

async function writeAll(
  handle: FileHandle,
  what: { pieces: Uint8Array[]; address: number; bytes: number },
): Promise<void> {
  // few systems take more than 1024 pieces in one call
  let address = what.address
  for (let i = 0; i < what.pieces.length; i += 512) {
    const some = what.pieces.slice(i, i + 512)
    const wanted = some.reduce((sum, piece) => sum + piece.length, 0)
    const { bytesWritten } = await handle.writev(some, address)
    if (bytesWritten < wanted) {
      // a short write is rare (a full disk, a signal): finish it in one plain piece, which reports the cause
      const rest = Buffer.concat(some).subarray(bytesWritten)
      for (let done = 0; done < rest.length; ) {
        done += (await handle.write(rest, done, rest.length - done, address + bytesWritten + done))
          .bytesWritten
      }
    }
    address += wanted
  }
}
