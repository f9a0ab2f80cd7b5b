import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { codeVersion } from '../../lib/job/code-version.ts'
import { celldropProps, readProps } from '../../lib/stacks/props.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const given = (values: Record<string, unknown>) => readProps((name) => values[name])

describe('choices of a deployment', () => {
  it('have defaults for all but what only the owner knows', () => {
    expect(given({})).toEqual({
      stackName: 'Celldrop',
      monthlyBudget: 200,
      maxVcpus: 64,
      gpu: true,
      sources: [],
      natGateways: 0,
      zones: 2,
      scratchGib: 100,
      workDays: 30,
      logDays: 90,
      removal: 'retain',
    })
  })

  it('are read from the texts that cdk -c gives', () => {
    const texts = { monthlyBudget: '50', gpu: 'false', logDays: '30', inboxDays: '90', removal: 'destroy' }
    expect(given(texts)).toMatchObject({
      monthlyBudget: 50,
      gpu: false,
      logDays: 30,
      inboxDays: 90,
      removal: 'destroy',
    })
  })

  it.each([
    [{ stackName: 'my stack' }, 'stackName'],
    [{ gpu: 'perhaps' }, 'gpu'],
    [{ maxVcpus: 'many' }, 'maxVcpus'],
    [{ workDays: 7 }, 'workDays'],
    [{ logDays: 8 }, 'logDays'],
    [{ notificationEmail: 'nobody' }, 'notificationEmail'],
    [{ sources: 'ftp://host/file' }, 'sources'],
  ])('are refused by name where they make no sense: %j', (values, name) => {
    expect(() => given(values)).toThrow(name)
  })
})

describe('sources of inputs', () => {
  it('are taken as the text that cdk -c gives or as the list that cdk.json has', () => {
    const expected = ['s3://atlas/references', 'https://example.org/', 'gs://public-cells']
    expect(
      given({ sources: 's3://atlas/references, https://example.org/,gs://public-cells' }).sources,
    ).toEqual(expected)
    expect(given({ sources: expected }).sources).toEqual(expected)
  })

  it('may be the services that references are acquired from, each as a whole', () => {
    expect(given({ sources: 'cellxgene://, synapse://' }).sources).toEqual(['cellxgene://', 'synapse://'])
  })

  it.each([
    ['a part of a service', 'cellxgene://human_lung_cell_atlas', /give https/],
    ['a folder', '/data/references', /give https/],
    ['another scheme', 'ftp://host/file', /give https/],
    ['a bare scheme, which would be every bucket', 's3:', /give https/],
    ['no bucket', 's3://', /not the name of a bucket/],
    ['a bucket by a wildcard', 's3://*/references', /IAM takes/],
    ['a key by a wildcard', 's3://atlas/ref*', /IAM takes/],
    ['a variable of IAM', 's3://atlas/$aws', /IAM takes/],
    ['a bucket in capitals', 's3://Atlas/references', /not the name of a bucket/],
    ['a path that climbs', 's3://atlas/a/../b', /give https/],
    ['a host without encryption', 'http://example.org/', /use https/],
    ['this machine', 'http://localhost/', /use https/],
    ['a signed address', 'https://example.org/a?signature=very-secret', /query/],
    ['a name and a password', 'https://me:secret@example.org/', /give https/],
  ])('are refused where they are %s', (_, source, told) => {
    expect(() => given({ sources: [source] })).toThrow(told)
    expect(() => given({ sources: [source] })).toThrow('sources')
    expect(() => given({ sources: ['s3://atlas/good', source] })).not.toThrow(/very-secret/)
  })

  it('are refused where a comma would make two of one, and where a function could not be told them all', () => {
    expect(() => given({ sources: ['s3://atlas/a,s3://other'] })).toThrow(/comma/)
    const many = Array.from({ length: 100 }, (_, i) => `s3://a-bucket-of-references/${i}`)
    expect(() => given({ sources: many })).toThrow(/longer than 2000/)
  })
})

describe('the version of the code', () => {
  it('changes with every file that a step is made of, and with nothing else', async () => {
    await using folder = await temporaryFolder()
    const write = (path: string, text: string) => writeFileSync(join(folder.path, path), text)
    for (const name of ['lib/job', 'lib/stacks', 'lib/local', 'functions/a', 'containers', 'docs'])
      mkdirSync(join(folder.path, name), { recursive: true })
    write('package-lock.json', '{}')
    write('lib/job/a.ts', 'a')
    const versions = [codeVersion(folder.path)]
    const change = (path: string, text: string) => {
      write(path, text)
      versions.push(codeVersion(folder.path))
    }
    change('lib/job/a.ts', 'b')
    change('lib/job/b.ts', '')
    change('functions/a/handler.ts', '1')
    change('containers/Dockerfile', 'FROM scratch')
    change('package-lock.json', '{ }')
    expect(new Set(versions).size).toBe(versions.length)
    for (const path of ['docs/x.md', 'lib/stacks/x.ts', 'lib/local/x.ts']) {
      write(path, 'x')
      expect(codeVersion(folder.path)).toBe(versions.at(-1))
    }
    expect(versions[0]).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('docs/deploy.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/deploy.md'), 'utf8')

  it.each(Object.entries(celldropProps.shape))('lists the choice %s as it is', (name, field) => {
    const value = field.safeParse(undefined).data
    const isNone = value === undefined || (Array.isArray(value) && value.length === 0)
    const shown = isNone ? 'none' : `\`${value}\``
    expect(page).toContain(`| \`${name}\` | ${shown} | ${field.description} |`)
  })

  it('names no choice that there is not', () => {
    const named = [...page.matchAll(/-c (\w+)=/g)].map(([, name]) => name!)
    expect(named.length).toBeGreaterThan(3)
    expect(named.filter((name) => !Object.hasOwn(celldropProps.shape, name))).toEqual([])
  })

  it('tells the costs that its own formula gives', () => {
    const rows = [...page.matchAll(/^\| (\d+) minutes \| ([\d.]+) \|$/gm)]
    expect(rows.length).toBe(3)
    for (const [, minutes, dollars] of rows)
      expect(Number(dollars)).toBeCloseTo(((Number(minutes) + 15) * 0.056) / 60, 3)
  })
})
