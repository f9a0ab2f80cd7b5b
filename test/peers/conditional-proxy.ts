/**
 * A loopback proxy in front of a store that answers NotImplemented to conditional writes (OpenStack Swift's S3 interface): it alone
 * answers `If-None-Match: *`, by a look whether the object is there, and hands everything else on, signed anew without that header.
 *
 * Look and write are not one step here; one writer after another passes through, in the order in which they came.
 */
import { createHash, createHmac } from 'node:crypto'
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ConditionalProxy {
  endpoint: string
  /** conditional writes that were refused because the object was there */
  refused(): number
  [Symbol.asyncDispose](): Promise<void>
}

interface Target {
  host: string
  port: number
  accessKeyId: string
  secretAccessKey: string
  region: string
}

export async function startConditionalProxy(target: Target): Promise<ConditionalProxy> {
  let turn: Promise<unknown> = Promise.resolve()
  let refused = 0
  const server = createServer((incoming, outgoing) => {
    const isConditional = incoming.headers['if-none-match'] === '*'
    const work = async () => {
      if (isConditional && (await isThere(incoming.url!, target))) {
        refused++
        incoming.resume()
        outgoing.writeHead(412, { 'content-type': 'application/xml' })
        outgoing.end('<Error><Code>PreconditionFailed</Code><Message>it is there</Message></Error>')
        return
      }
      await handOn(incoming, outgoing, target)
    }
    const done = isConditional ? turn.then(work) : work()
    if (isConditional) turn = done.catch(() => {})
    done.catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused: () => refused,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isThere(url: string, target: Target): Promise<boolean> {
  const path = url.split('?')[0]!
  const headers = signed({ method: 'HEAD', url: path, headers: {}, target })
  return new Promise((resolve, reject) => {
    const call = ask({ host: target.host, port: target.port, method: 'HEAD', path, headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    call.on('error', reject).end()
  })
}

function handOn(incoming: IncomingMessage, outgoing: ServerResponse, target: Target): Promise<void> {
  const { method = 'GET', url = '/' } = incoming
  const kept = Object.fromEntries(
    Object.entries(incoming.headers).filter(
      ([name]) => !['if-none-match', 'authorization', 'host'].includes(name),
    ),
  ) as Record<string, string>
  const headers = signed({ method, url, headers: kept, target })
  return new Promise((resolve, reject) => {
    const call = ask({ host: target.host, port: target.port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing).on('finish', resolve).on('error', reject)
    })
    call.on('error', reject)
    incoming.pipe(call)
  })
}

/** AWS Signature Version 4; the body keeps the checksum or the form that it was sent with. */
function signed(given: {
  method: string
  url: string
  headers: Record<string, string>
  target: Target
}): Record<string, string> {
  const { method, url, target } = given
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '')
  const headers: Record<string, string> = {
    ...given.headers,
    host: `${target.host}:${target.port}`,
    'x-amz-date': date,
    'x-amz-content-sha256': given.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
  }
  const names = Object.keys(headers)
    .filter((name) => name === 'host' || name.startsWith('x-amz-') || name === 'content-type')
    .sort()
  const [path = '/', query = ''] = url.split('?')
  const canonical = [
    method,
    path,
    canonicalQuery(query),
    ...names.map((name) => `${name}:${headers[name]!.trim()}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n')
  const scope = `${date.slice(0, 8)}/${target.region}/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join(
    '\n',
  )
  const key = scope
    .split('/')
    .reduce<string | Buffer>(
      (secret, part) => createHmac('sha256', secret).update(part).digest(),
      `AWS4${target.secretAccessKey}`,
    )
  const signature = createHmac('sha256', key).update(text).digest('hex')
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${target.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return headers
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => (part.includes('=') ? part : `${part}=`))
    .sort()
    .join('&')
}
