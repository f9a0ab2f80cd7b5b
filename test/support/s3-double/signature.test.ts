/**
 * Oracle: the worked examples of Signature Version 4 in Amazon's S3 documentation, with their signatures.
 */
import { describe, expect, test } from 'vitest'
import { decodeBody } from './chunked-body.ts'
import { type SignedRequest, verifySignature } from './signature.ts'

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
}
const now = new Date('2013-05-24T00:00:00Z')
const credential = `${credentials.accessKeyId}/20130524/us-east-1/s3/aws4_request`

function authorization(signedHeaders: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signedHeaders},Signature=${signature}`
}

const noBody = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const getSignature = 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'
const getRequest: SignedRequest = {
  method: 'GET',
  path: '/test.txt',
  query: [],
  headers: new Map([
    ['host', 'examplebucket.s3.amazonaws.com'],
    ['range', 'bytes=0-9'],
    ['x-amz-content-sha256', noBody],
    ['x-amz-date', '20130524T000000Z'],
    ['authorization', authorization('host;range;x-amz-content-sha256;x-amz-date', getSignature)],
  ]),
}

const linkRequest: SignedRequest = {
  method: 'GET',
  path: '/test.txt',
  query: [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', credential],
    ['X-Amz-Date', '20130524T000000Z'],
    ['X-Amz-Expires', '86400'],
    ['X-Amz-SignedHeaders', 'host'],
    ['X-Amz-Signature', 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404'],
  ],
  headers: new Map([['host', 'examplebucket.s3.amazonaws.com']]),
}

describe('a request', () => {
  test('signed in its header is accepted, and nothing in it may be another', () => {
    expect(verifySignature(getRequest, credentials, now).value).toBe(getSignature)
    const changed = new Map([...getRequest.headers, ['range', 'bytes=0-10']])
    expect(() => verifySignature({ ...getRequest, headers: changed }, credentials, now)).toThrow(
      /signature is not/,
    )
    expect(() => verifySignature({ ...getRequest, path: '/other.txt' }, credentials, now)).toThrow(
      /signature is not/,
    )
    expect(() => verifySignature({ ...getRequest, query: [['versionId', 'x']] }, credentials, now)).toThrow(
      /signature is not/,
    )
    const wrong = { ...credentials, secretAccessKey: 'wrong' }
    expect(() => verifySignature(getRequest, wrong, now)).toThrow(/signature is not/)
  })

  test('with a header of Amazon’s that is not signed is refused', () => {
    const headers = new Map([...getRequest.headers, ['x-amz-meta-added', 'x']])
    expect(() => verifySignature({ ...getRequest, headers }, credentials, now)).toThrow(
      /x-amz-meta-added is not signed/,
    )
  })

  test('is refused unsigned, or when its time is not now', () => {
    const headers = new Map([...getRequest.headers].filter(([name]) => name !== 'authorization'))
    expect(() => verifySignature({ ...getRequest, headers }, credentials, now)).toThrow(/not signed/)
    const later = new Date(now.getTime() + 16 * 60 * 1000)
    expect(() => verifySignature(getRequest, credentials, later)).toThrow(/clocks/)
  })

  test('signed in a link is accepted until the link expires', () => {
    const soon = new Date(now.getTime() + 86_000_000)
    expect(verifySignature(linkRequest, credentials, soon).date).toBe('20130524T000000Z')
    const late = new Date(now.getTime() + 86_401_000)
    expect(() => verifySignature(linkRequest, credentials, late)).toThrow(/expired/)
    expect(() => verifySignature({ ...linkRequest, method: 'DELETE' }, credentials, now)).toThrow(
      /signature is not/,
    )
  })
})

/** 66 560 letters a, in frames of 64 KiB, 1 KiB and none. */
function frames(signatures: string[], ending: string): Buffer {
  const framed = [65536, 1024, 0].map((size, index) => {
    return `${size.toString(16)};chunk-signature=${signatures[index]}\r\n${'a'.repeat(size)}${size > 0 ? '\r\n' : ''}`
  })
  return Buffer.from(framed.join('') + ending)
}

function streamed(
  mode: string,
  more: [string, string][],
  [signed, signature]: [string, string],
): SignedRequest {
  const headers: [string, string][] = [
    ['host', 's3.amazonaws.com'],
    ['x-amz-date', '20130524T000000Z'],
    ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
    ['x-amz-content-sha256', mode],
    ['content-encoding', 'aws-chunked'],
    ['x-amz-decoded-content-length', '66560'],
    ['authorization', authorization(signed, signature)],
    ...more,
  ]
  return { method: 'PUT', path: '/examplebucket/chunkObject.txt', query: [], headers: new Map(headers) }
}

const chunkedRequest = streamed(
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  [['content-length', '66824']],
  [
    'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
    '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  ],
)
const chunkSignatures = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
]

const trailerRequest = streamed(
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  [['x-amz-trailer', 'x-amz-checksum-crc32c']],
  [
    'content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer',
    '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  ],
)
const trailerSignatures = [
  'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
  '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
  '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
]
// what other servers and clients compute for this example's trailer
const trailerSignature = 'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435'
const trailer = `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${trailerSignature}\r\n\r\n`

describe('a body in signed frames', () => {
  const decode = (request: SignedRequest, raw: Buffer) =>
    decodeBody(request.headers, raw, verifySignature(request, credentials, now))

  test('is put together, each frame being the one signed', () => {
    const { bytes } = decode(chunkedRequest, frames(chunkSignatures, '\r\n'))
    expect(bytes.equals(Buffer.alloc(66560, 'a'))).toBe(true)
  })

  test('carries its checksum in a signed trailer', () => {
    const { bytes, checksum } = decode(trailerRequest, frames(trailerSignatures, trailer))
    expect(bytes).toHaveLength(66560)
    expect(checksum).toEqual({ algorithm: 'crc32c', value: 'sOO8/Q==' })
  })

  test('is refused when anything in it is another', () => {
    const good = frames(trailerSignatures, trailer)
    const broken = (change: (text: string) => string) => Buffer.from(change(good.toString()))
    const cases: [Buffer, RegExp][] = [
      [broken((text) => text.replace('aaaa', 'aaab')), /not the one signed/],
      [broken((text) => text.replace('sOO8', 'sOO9')), /not the one signed/],
      [broken((text) => text.replace('x-amz-checksum-crc32c', 'x-amz-checksum-crc32')), /not the one signed/],
      [
        broken((text) => text.replace(`x-amz-trailer-signature:${trailerSignature}\r\n`, '')),
        /not the one signed/,
      ],
      [broken((text) => text.replace('10000;', '20000;')), /cut short/],
      [broken((text) => `${text}more`), /more after the end/],
      [good.subarray(0, 60_000), /cut short/],
      [good.subarray(0, good.length - 2), /no end/],
    ]
    for (const [index, [raw, problem]] of cases.entries())
      expect(() => decode(trailerRequest, raw), `case ${index}`).toThrow(problem)
  })
})
