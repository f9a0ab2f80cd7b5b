/**
 * The body of a write, whichever store takes it.
 *
 * Trap: a stream may fail while the store is still making folders or asking for an upload; without a listener that ends the
 * process, so the store takes charge of it at once, and destroys it whatever comes.
 */
import type { Readable } from 'node:stream'

export type WriteBody = Uint8Array | Readable

export async function takingCharge<T>(body: WriteBody, act: () => Promise<T>): Promise<T> {
  if (body instanceof Uint8Array) return act()
  body.on('error', () => undefined) // whoever iterates it gets the error
  try {
    return await act()
  } finally {
    body.destroy()
  }
}

/** The body in pieces; an error thrown from here is the body's own, not the store's. */
export async function* piecesOf(body: WriteBody): AsyncGenerator<Uint8Array> {
  if (body instanceof Uint8Array) yield body
  else for await (const piece of body) yield typeof piece === 'string' ? Buffer.from(piece) : piece
}
