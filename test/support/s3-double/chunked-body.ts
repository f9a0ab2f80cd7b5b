/**
 * The body of a request as it was meant: plain, or in `aws-chunked` frames with chunk signatures and a trailer.
 *
 * Trap: a server that stores the frames as content, or drops the trailer without checking it, hides damage; every frame, signature,
 * length and checksum is checked before a byte is kept.
 */
import { type Checksum, verifyChecksum } from './checksums.ts'
import { notImplemented, S3Error } from './s3-error.ts'
import { equal, hmac, type Signature, sha256 } from './signature.ts'

export interface Content {
  bytes: Buffer
  checksum?: Checksum
}

export function decodeBody(headers: Map<string, string>, raw: Buffer, signature: Signature): Content {
  const mode = headers.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD'
  if (/^[0-9a-f]{64}$/.test(mode)) {
    if (sha256(raw) !== mode)
      throw new S3Error(400, 'XAmzContentSHA256Mismatch', 'the body is not the one signed')
    return checked(headers, raw)
  }
  if (mode === 'UNSIGNED-PAYLOAD') return checked(headers, raw)
  const signed = mode.startsWith('STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
  if (!signed && mode !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    throw notImplemented(`the payload mode ${mode}`)
  const { bytes, trailer } = unframe(raw, mode.endsWith('-TRAILER'), signed ? signature : undefined)
  if (Number(headers.get('x-amz-decoded-content-length')) !== bytes.length) {
    throw new S3Error(400, 'IncompleteBody', 'the decoded length is not the one announced')
  }
  const announced = headers.get('x-amz-trailer')
  if (announced !== undefined && !trailer.has(announced)) {
    throw new S3Error(400, 'MalformedTrailerError', `the trailer lacks ${announced}`)
  }
  return checked(new Map([...headers, ...trailer]), bytes)
}

function checked(headers: Map<string, string>, bytes: Buffer): Content {
  const checksum = verifyChecksum(headers, bytes)
  return checksum ? { bytes, checksum } : { bytes }
}

/** `signature` is given when each chunk must be signed, in a chain that begins with that of the headers. */
function unframe(raw: Buffer, withTrailer: boolean, signature: Signature | undefined) {
  const chunks: Buffer[] = []
  let previous = signature?.value ?? ''
  let position = 0
  const line = (): string => {
    const end = raw.indexOf('\r\n', position)
    if (end < 0) throw new S3Error(400, 'IncompleteBody', 'a frame has no end')
    const text = raw.toString('latin1', position, end)
    position = end + 2
    return text
  }
  for (;;) {
    const [, size = '', claimed] = /^([0-9a-f]+)(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(line()) ?? []
    if (size === '') throw new S3Error(400, 'InvalidChunkSizeError', 'a frame has no size')
    const length = Number.parseInt(size, 16)
    const chunk = raw.subarray(position, position + length)
    if (chunk.length !== length) throw new S3Error(400, 'IncompleteBody', 'a frame is cut short')
    if (signature) previous = chainLink(signature, previous, { chunk, claimed })
    position += length
    if (length === 0) break
    chunks.push(chunk)
    if (line() !== '') throw new S3Error(400, 'IncompleteBody', 'a frame is longer than it says')
  }
  const trailer = withTrailer ? readTrailer(line, signature, previous) : new Map<string, string>()
  if (!withTrailer) line()
  if (position !== raw.length) throw new S3Error(400, 'IncompleteBody', 'there is more after the end')
  return { bytes: Buffer.concat(chunks), trailer }
}

function chainLink(
  signature: Signature,
  previous: string,
  { chunk, claimed = '' }: { chunk: Buffer; claimed: string | undefined },
) {
  const { key, date, scope } = signature
  const text = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, sha256(''), sha256(chunk)].join('\n')
  return verified(hmac(key, text), claimed)
}

function readTrailer(
  line: () => string,
  signature: Signature | undefined,
  previous: string,
): Map<string, string> {
  const trailer = new Map<string, string>()
  for (let text = line(); text !== ''; text = line()) {
    const colon = text.indexOf(':')
    trailer.set(text.slice(0, colon).toLowerCase(), text.slice(colon + 1).trim())
  }
  const claimed = trailer.get('x-amz-trailer-signature')
  trailer.delete('x-amz-trailer-signature')
  if (signature) {
    const { key, date, scope } = signature
    const hash = sha256([...trailer].map(([name, value]) => `${name}:${value}\n`).join(''))
    verified(hmac(key, ['AWS4-HMAC-SHA256-TRAILER', date, scope, previous, hash].join('\n')), claimed ?? '')
  }
  return trailer
}

function verified(expected: Buffer, claimed: string): string {
  const value = expected.toString('hex')
  if (!equal(value, claimed))
    throw new S3Error(403, 'SignatureDoesNotMatch', 'a part of the body is not the one signed')
  return value
}
