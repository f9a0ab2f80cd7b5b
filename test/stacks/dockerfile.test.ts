import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { batchStates } from '../../lib/stacks/access.ts'
import { root } from '../support/stacks.ts'

interface Stage {
  name: string
  base: string
  instructions: { keyword: string; rest: string }[]
}

const text = readFileSync(join(root, 'containers/Dockerfile'), 'utf8')

function stagesOf(file: string): Stage[] {
  const lines = file
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const stages: Stage[] = []
  for (const line of lines) {
    const [keyword = '', rest = ''] = line.split(/\s+(.*)/s)
    const [, base = '', name = ''] = /^(\S+) AS (\S+)$/.exec(rest) ?? []
    if (keyword === 'FROM') stages.push({ name, base, instructions: [] })
    else stages.at(-1)?.instructions.push({ keyword, rest })
  }
  return stages
}

const stages = stagesOf(text)
const stage = (name: string) => stages.find((one) => one.name === name)!
const last = (name: string, keyword: string) =>
  stage(name).instructions.findLast((one) => one.keyword === keyword)?.rest

/** Dockerfile and .dockerignore are as they were built by; no container engine is needed to read them, and none builds here. */
describe('the image', () => {
  it('has the targets that the stack asks for, made of packages without and with CUDA', () => {
    expect(stages.map(({ name }) => name)).toEqual(['packages', 'packages-cuda', 'cuda', 'cpu'])
    expect(stage('packages-cuda').base).toBe('packages')
    const argument = (name: string) => new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(text)?.[1]
    expect(argument('NODE_IMAGE')).toMatch(/^node:24-/)
    expect(argument('CUDA_IMAGE')).toMatch(/^nvidia\/cuda:12\..*-cudnn-runtime-/)
  })

  it.each(['cpu', 'cuda'])(
    '%s runs node itself, as a user without rights and without a shell in between',
    (name) => {
      expect(last(name, 'USER')).toBe('10001:10001')
      expect(last(name, 'ENTRYPOINT')).toBe('["node"]') // exec form: SIGTERM reaches the process
      expect(last(name, 'CMD')).toBeUndefined()
      expect(last(name, 'HEALTHCHECK')).toBe('NONE')
      expect(last(name, 'WORKDIR')).toBe('/app')
    },
  )

  it.each(['cpu', 'cuda'])('%s has a scratch volume that the user owns, made before the volume', (name) => {
    const order = stage(name).instructions.map(({ keyword, rest }) => `${keyword} ${rest}`)
    const made = order.findIndex((line) =>
      /install --directory --owner=10001 --group=10001 \/scratch/.test(line),
    )
    const mounted = order.indexOf('VOLUME ["/scratch"]')
    const user = order.findIndex((line) => line.startsWith('USER'))
    expect(made).toBeGreaterThanOrEqual(0)
    expect(mounted).toBeGreaterThan(made)
    expect(user).toBeGreaterThan(made)
    expect(order[made]).toContain('chmod a-s')
  })

  it.each(['cpu', 'cuda'])('%s gets the same code, and its packages from the stage of its name', (name) => {
    const copies = stage(name)
      .instructions.filter(({ keyword }) => keyword === 'COPY')
      .map(({ rest }) => rest)
    expect(copies).toEqual(expect.arrayContaining(['package.json ./', 'lib lib', 'containers containers']))
    const from = name === 'cuda' ? 'packages-cuda' : 'packages'
    expect(copies).toContain(`--from=${from} /app/node_modules node_modules`)
  })

  it('copies nothing that is not there or that .dockerignore holds back', () => {
    const sources = stages
      .flatMap(({ instructions }) => instructions)
      .filter(({ keyword, rest }) => keyword === 'COPY' && !rest.startsWith('--from'))
      .flatMap(({ rest }) => rest.split(/\s+/).slice(0, -1))
    expect(sources.length).toBeGreaterThan(5)
    const admitted = readFileSync(join(root, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
    for (const source of new Set(sources)) {
      expect(existsSync(join(root, source))).toBe(true)
      expect(admitted).toContain(`!${source}`)
    }
  })

  it('fetches the CUDA provider for its own target alone, and makes sure that it came', () => {
    const run = last('packages-cuda', 'RUN')!
    expect(run).toContain('ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install')
    expect(run).toContain('libonnxruntime_providers_cuda.so')
    expect(last('packages', 'RUN')).toMatch(
      /ONNXRUNTIME_NODE_INSTALL=skip npm ci --omit=dev --ignore-scripts/,
    )
  })

  it('removes only what is there to be removed', () => {
    const folders = [...last('packages', 'RUN')!.matchAll(/node_modules\/\S+/g)].map(([path]) => path)
    expect(folders.length).toBe(4)
    for (const folder of folders) expect(existsSync(join(root, folder))).toBe(true)
  })

  it('holds no secret and asks for none', () => {
    expect(text).not.toMatch(
      /ARG .*(?:TOKEN|SECRET|PASSWORD|KEY)|ENV .*(?:TOKEN|SECRET|PASSWORD|AWS_)|--mount=type=secret|_authToken/i,
    )
    expect(readFileSync(join(root, '.npmrc'), 'utf8')).not.toMatch(/_auth|token|password/i)
  })

  it.each(batchStates)('has the step %s', (state) => {
    expect(existsSync(join(root, 'containers', state.toLowerCase(), 'main.ts'))).toBe(true)
  })
})
