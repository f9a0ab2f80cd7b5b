/**
 * OpenStack Swift with its S3 interface, on loopback: a server that is not ours, from the Debian packages
 * swift-proxy, swift-account, swift-container, swift-object and memcached.
 *
 * One process of each kind, one device, one replica. Traps: an object server that waits less than a second for the listing's
 * database forgets to list under load, so all waits are long; the servers leave our process group, and would outlive a killed test; a
 * proxy that asks before the only server of a kind listens answers 503, and then leaves that server alone for a minute.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdir, open as openFile, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { S3Client } from '@aws-sdk/client-s3'
import { temporaryFolder } from '../support/temporary-folder.ts'

export interface Swift {
  endpoint: string
  client(): S3Client
  [Symbol.asyncDispose](): Promise<void>
}

export const swiftCredentials = { accessKeyId: 'test:tester', secretAccessKey: 'testing' }

const run = promisify(execFile)
const stores = ['account', 'container', 'object'] as const
const filters = [
  'catch_errors',
  'gatekeeper',
  'healthcheck',
  'cache',
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
  const servers = [...stores, 'proxy'].map((name) => `swift-${name}-server`)
  for (const program of ['memcached', 'swift-ring-builder', ...servers]) {
    const found = await run('sh', ['-c', `command -v ${program}`]).catch(() => undefined)
    if (!found) return program
  }
  return undefined
}

export async function startSwift(): Promise<Swift> {
  const folder = await temporaryFolder()
  const running: Running[] = []
  const clients: S3Client[] = []
  const stop = async () => {
    for (const client of clients) client.destroy()
    await Promise.all(running.map((program) => program.stop()))
    await folder[Symbol.asyncDispose]()
  }
  try {
    const [proxy = 0, cache = 0, ...storePorts] = await freePorts(2 + stores.length)
    await writeConfiguration(folder.path, { proxy, cache, storePorts })
    const memory = ['memcached', '-u', userInfo().username, '-l', '127.0.0.1', '-p', String(cache)]
    running.push(await startProgram(folder.path, memory))
    const server = (name: string) =>
      startProgram(folder.path, [`swift-${name}-server`, join(folder.path, `${name}-server.conf`), '-v'])
    for (const name of stores) running.push(await server(name))
    for (const port of storePorts) await answers(port, running)
    running.push(await server('proxy'))
    await answers(proxy, running)
    const endpoint = `http://127.0.0.1:${proxy}`
    const client = () => {
      const made = new S3Client({ endpoint, region: 'us-east-1', credentials: swiftCredentials })
      clients.push(made)
      return made
    }
    return { endpoint, client, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Running {
  log: string
  ended(): boolean
  stop(): Promise<void>
}

/** Ends the program when its own input closes: on request, or because the test's process is no more. */
const tied = 'exec 3<&0; "$@" & child=$!; { read _ <&3; kill $child; } & wait $child'

async function startProgram(folder: string, command: string[]): Promise<Running> {
  const log = join(folder, `${command[0]}.log`)
  const output = await openFile(log, 'a')
  const shell = spawn('sh', ['-c', tied, 'sh', ...command], { stdio: ['pipe', output.fd, output.fd] })
  await output.close()
  const exit = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
  return {
    log,
    ended: () => shell.exitCode !== null || shell.signalCode !== null,
    stop() {
      shell.stdin?.end()
      return exit
    },
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
  { proxy, cache, storePorts }: { proxy: number; cache: number; storePorts: number[] },
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
  const settings: Record<string, Section[1]> = {
    cache: { memcache_servers: `127.0.0.1:${cache}` },
    tempauth: { user_test_tester: 'testing .admin' },
  }
  await write('proxy-server', [
    ['DEFAULT', { ...common, bind_port: proxy }],
    ['pipeline:main', { pipeline: [...filters, 'proxy-server'].join(' ') }],
    [
      'app:proxy-server',
      { use: 'egg:swift#proxy', account_autocreate: true, error_suppression_limit: 1_000_000, ...patience },
    ],
    ...filters.map((name): Section => {
      return [
        `filter:${name}`,
        { use: `egg:swift#${name === 'cache' ? 'memcache' : name}`, ...settings[name] },
      ]
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

/** Anything at all: the stores know no such path. @throws with the programs' own words when one of them ends, or none answers in half a minute */
async function answers(port: number, running: Running[]): Promise<void> {
  for (let tried = 0; tried < startTries && !running.some((program) => program.ended()); tried++) {
    const answer = await fetch(`http://127.0.0.1:${port}/healthcheck`).catch(() => undefined)
    if (answer !== undefined) return
    await wait(pollMs)
  }
  const logs = await Promise.all(running.map(({ log }) => readFile(log, 'utf8')))
  throw new Error(`Swift did not start: ${logs.join('\n').slice(-4000)}`)
}
