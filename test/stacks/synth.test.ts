import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { functionStates } from '../../lib/stacks/access.ts'
import { flags, type Resource, root } from '../support/stacks.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const parts = [
  'lib',
  'functions',
  'containers',
  'statemachines',
  'package.json',
  'package-lock.json',
  '.npmrc',
  '.dockerignore',
]

describe('node lib/stacks/app.ts', () => {
  let folder: TemporaryFolder
  /** As `cdk synth` runs it, where there is neither Docker nor an account: nothing is in the PATH, and no variable of AWS is set. */
  const synth = (out: string, context: Record<string, unknown> = {}): void => {
    execFileSync(process.execPath, [join(folder.path, 'lib/stacks/app.ts')], {
      cwd: folder.path,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: '',
        CDK_OUTDIR: join(folder.path, out),
        CDK_CONTEXT_JSON: JSON.stringify({ ...flags, ...context }),
      },
    })
  }
  const template = (name: string, out = 'first'): { Resources: Record<string, Resource> } =>
    JSON.parse(readFileSync(join(folder.path, out, `${name}.template.json`), 'utf8'))
  beforeAll(async () => {
    folder = await temporaryFolder()
    // a copy: nothing else of the repository is needed, and what someone edits meanwhile changes nothing
    for (const part of parts) cpSync(join(root, part), join(folder.path, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(folder.path, 'node_modules'))
    synth('first')
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('synthesises both stacks with all functions bundled, without Docker and without an account', () => {
    const files = readdirSync(join(folder.path, 'first'))
    expect(files).toEqual(
      expect.arrayContaining(['Celldrop.template.json', 'CelldropStorage.template.json', 'manifest.json']),
    )
    const bundles = files.filter(
      (name) =>
        name.startsWith('asset.') && readdirSync(join(folder.path, 'first', name)).includes('index.mjs'),
    )
    expect(bundles.length).toBe(functionStates.length + 1)
    const functions = Object.values(template('Celldrop').Resources).filter(
      ({ Type }) => Type === 'AWS::Lambda::Function',
    )
    const assets = functions.map(
      ({ Properties }) => `asset.${(Properties.Code as { S3Key: string }).S3Key.replace('.zip', '')}`,
    )
    expect(assets.sort()).toEqual(bundles.sort())
  })

  it('gives the same templates and assets when it is run again', () => {
    synth('second')
    expect(template('Celldrop', 'second')).toEqual(template('Celldrop'))
    expect(template('CelldropStorage', 'second')).toEqual(template('CelldropStorage'))
    expect(readdirSync(join(folder.path, 'second'))).toEqual(readdirSync(join(folder.path, 'first')))
  })

  it('puts into the image context what the Batch steps run, and nothing else of the repository', () => {
    const contexts = readdirSync(join(folder.path, 'first'))
      .filter((name) => name.startsWith('asset.'))
      .map((name) => readdirSync(join(folder.path, 'first', name)))
      .filter((names) => names.includes('package.json'))
    expect(contexts.length).toBe(2) // targets cpu and cuda
    for (const names of contexts)
      expect(names.sort()).toEqual(
        ['.dockerignore', '.npmrc', 'containers', 'lib', 'package-lock.json', 'package.json'].sort(),
      )
  })

  it('takes choices as cdk -c gives them, and tells which one is wrong', () => {
    synth('chosen', { stackName: 'Cells', gpu: 'false', maxVcpus: '16', 'aws:cdk:bundling-stacks': [] })
    const { Resources } = template('Cells', 'chosen')
    const environments = Object.values(Resources).filter(
      ({ Type }) => Type === 'AWS::Batch::ComputeEnvironment',
    )
    expect(
      environments.map(({ Properties }) => (Properties.ComputeResources as { MaxvCpus: number }).MaxvCpus),
    ).toEqual([16, 16])
    const wrong = () => synth('wrong', { workDays: '3', 'aws:cdk:bundling-stacks': [] })
    expect(wrong).toThrow(/workDays/)
  })
})
