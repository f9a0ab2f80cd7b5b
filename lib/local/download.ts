/**
 * A small file from the web: bounded, and the same coded errors as from a store. A page that asks to sign in is no model: what comes is
 * looked at by who asked for it, and nothing of it is kept unless it is read to its end.
 */
import { BadInput, StoreUnavailable } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'

const patienceMs = 60_000

/** @throws BadInput URL_REFUSED, DOWNLOAD_TOO_LARGE; StoreUnavailable DOWNLOAD_FAILED */
export async function download(
  address: string,
  { mostBytes, signal }: { mostBytes: number; signal: AbortSignal },
): Promise<Uint8Array> {
  const place = printable(address)
  const failed = (problem: string, cause?: unknown) =>
    new StoreUnavailable(
      'DOWNLOAD_FAILED',
      place,
      problem,
      'Try again, or download it by hand and give the file',
      { cause },
    )
  try {
    const answer = await fetch(address, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
    })
    if (answer.status >= 500 || answer.status === 429) throw failed(`the server answered ${answer.status}`)
    if (!answer.ok || answer.body === null) {
      const remedy = 'Check the address in a browser, or download the file by hand and give it'
      throw new BadInput('URL_REFUSED', place, `the server answered ${answer.status}`, remedy)
    }
    const pieces: Uint8Array[] = []
    let size = 0
    for await (const piece of answer.body) {
      size += piece.length
      if (size > mostBytes)
        throw new BadInput(
          'DOWNLOAD_TOO_LARGE',
          place,
          `more than ${mostBytes} bytes came`,
          'Check that it is a model',
        )
      pieces.push(piece)
    }
    const expected = Number(answer.headers.get('content-length') ?? size)
    const isPacked = answer.headers.has('content-encoding')
    if (!isPacked && size !== expected) throw failed(`${size} of ${expected} bytes came`)
    return Buffer.concat(pieces)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BadInput || error instanceof StoreUnavailable) throw error
    throw failed(error instanceof Error ? `${error.message}${causeOf(error)}` : String(error), error)
  }
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? `: ${cause.message}` : ''
}
