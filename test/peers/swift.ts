/**
 * OpenStack Swift with its S3 interface, on loopback: a server that is not ours, from the Debian packages
 * swift-proxy, swift-account, swift-container and swift-object.
 *
 * One process of each kind, one device, one replica, no cache. Traps: an object server that waits less than a second for the
 * listing's database forgets to list under load, so all waits are long; files need extended attributes, which old tmpfs lack.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { S3Client } from '@aws-sdk/client-s3'
import { temporaryFolder } from '../support/temporary-folder.ts'

export interface Swift {
  client(): S3Client
  [Symbol.asyncDispose](): Promise<void>
}

const run = promisify(execFile)
const stores = ['account', 'container', 'object'] as const
const filters = [
  'catch_errors',
  'gatekeeper',
  'healthcheck',
  'listing_formats',
  'bulk',
  's3api',
  'tempauth',
  'slo',
  'dlo',
  'versioned_writes',
  'symlink',
]
const startTries = 150
const pollMs = 200

/** Which program of Swift this machine lacks; undefined when all are there. */
export async function missingProgram(): Promise<string | undefined> {
  const programs = [
    'swift-ring-builder',
    'swift-proxy-server',
    ...stores.map((name) => `swift-${name}-server`),
  ]
  for (const program of programs) {
    const found = await run('sh', ['-c', `command -v ${program}`]).catch(() => undefined)
    if (!found) return program
  }
  return undefined
}

export async function startSwift(): Promise<Swift> {
  const folder = await temporaryFolder()
  const running: ChildProcess[] = []
  const killAll = () => running.forEach((child) => void child.kill('SIGKILL'))
  process.on('exit', killAll)
  const stop = async () => {
    await Promise.all(running.map(ended))
    process.off('exit', killAll)
    await folder[Symbol.asyncDispose]()
  }
  try {
    const [proxyPort = 0, ...storePorts] = await freePorts(1 + stores.length)
    await writeConfiguration(folder.path, { proxyPort, storePorts })
    for (const name of [...stores, 'proxy']) running.push(await startServer(folder.path, name))
    await healthy(folder.path, proxyPort, running)
    const clients: S3Client[] = []
    return {
      client() {
        const client = new S3Client({
          endpoint: `http://127.0.0.1:${proxyPort}`,
          region: 'us-east-1',
          credentials: { accessKeyId: 'test:tester', secretAccessKey: 'testing' },
          maxAttempts: 5,
        })
        clients.push(client)
        return client
      },
      async [Symbol.asyncDispose]() {
        for (const client of clients) client.destroy()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Held all at once, so that they differ; given up before the servers take them. */
async function freePorts(count: number): Promise<number[]> {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = holders.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(holders.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

type Section = [name: string, settings: Record<string, string | number | boolean>]

function ini(sections: Section[]): string {
  const text = sections.map(([name, settings]) => {
    return [`[${name}]`, ...Object.entries(settings).map(([key, value]) => `${key} = ${value}`)].join('\n')
  })
  return `${text.join('\n\n')}\n`
}

async function writeConfiguration(
  folder: string,
  { proxyPort, storePorts }: { proxyPort: number; storePorts: number[] },
): Promise<void> {
  await mkdir(join(folder, 'devices', 'd1'), { recursive: true })
  const common = {
    bind_ip: '127.0.0.1',
    workers: 0,
    user: userInfo().username,
    swift_dir: folder,
    log_level: 'WARNING',
  }
  const patience = { conn_timeout: 30, node_timeout: 60, container_update_timeout: 60 }
  const write = (name: string, sections: Section[]) => writeFile(join(folder, `${name}.conf`), ini(sections))
  await write('swift', [
    ['swift-hash', { swift_hash_path_prefix: 'celldrop', swift_hash_path_suffix: 'test' }],
    ['storage-policy:0', { name: 'only', default: true }],
  ])
  for (const [index, name] of stores.entries()) {
    const port = storePorts[index] ?? 0
    const place = {
      devices: join(folder, 'devices'),
      mount_check: false,
      fallocate_reserve: 0,
      disable_fallocate: true,
    }
    await write(`${name}-server`, [
      ['DEFAULT', { ...common, ...place, bind_port: port }],
      ['pipeline:main', { pipeline: `${name}-server` }],
      [`app:${name}-server`, { use: `egg:swift#${name}`, ...patience }],
    ])
    await buildRing(folder, name, port)
  }
  const users = { user_test_tester: 'testing .admin' }
  await write('proxy-server', [
    ['DEFAULT', { ...common, bind_port: proxyPort }],
    ['pipeline:main', { pipeline: [...filters, 'proxy-server'].join(' ') }],
    ['app:proxy-server', { use: 'egg:swift#proxy', account_autocreate: true, ...patience }],
    ...filters.map((name): Section => {
      return [`filter:${name}`, { use: `egg:swift#${name}`, ...(name === 'tempauth' && users) }]
    }),
  ])
}

/** Two partitions on the one device, kept once. */
async function buildRing(folder: string, name: string, port: number): Promise<void> {
  const builder = join(folder, `${name}.builder`)
  await run('swift-ring-builder', [builder, 'create', '1', '1', '1'])
  await run('swift-ring-builder', [builder, 'add', `r1z1-127.0.0.1:${port}/d1`, '1'])
  await run('swift-ring-builder', [builder, 'rebalance'])
}

async function startServer(folder: string, name: string): Promise<ChildProcess> {
  const log = await open(join(folder, `${name}.log`), 'a')
  const child = spawn(`swift-${name}-server`, [join(folder, `${name}-server.conf`)], {
    stdio: ['ignore', log.fd, log.fd],
  })
  await log.close()
  return child
}

/** @throws with the servers' own words when one of them ends, or none answers in half a minute */
async function healthy(folder: string, port: number, running: ChildProcess[]): Promise<void> {
  for (let tried = 0; tried < startTries; tried++) {
    if (running.some((child) => child.exitCode !== null)) break
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`).catch(() => undefined)
    if (answer?.ok) return
    await wait(pollMs)
  }
  const logs = [...stores, 'proxy'].map((name) => readFile(join(folder, `${name}.log`), 'utf8'))
  throw new Error(`Swift did not start: ${(await Promise.all(logs)).join('\n').slice(-4000)}`)
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const late = AbortSignal.timeout(10_000)
  late.addEventListener('abort', () => child.kill('SIGKILL'))
  await exit
}
