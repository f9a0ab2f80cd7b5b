/** Contract and law: flags, SETTINGS.md and the JSON Schema are the settings of the schema, no more and no less. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkSettings, type WorkflowName, workflowSettings } from '../../lib/job/manifest.ts'
import { parseArguments } from '../../lib/local/arguments.ts'
import { settingFacts, settingFlags, settingsOfFlags } from '../../lib/local/setting-flags.ts'
import { jobSchema, settingsPage } from '../../lib/local/settings-page.ts'
import { workflowCommand } from '../../lib/local/workflow-command.ts'

const docs = resolve(import.meta.dirname, '../../docs')
const keys = Object.keys(workflowSettings.annotate.shape)

async function settingsFrom(...argv: string[]): Promise<Record<string, unknown>> {
  const parsed = await parseArguments(['annotate', 'q.h5ad', ...argv])
  return settingsOfFlags('annotate', parsed!.flags)
}

describe('flags of settings', () => {
  it('are there for every setting but the workflow and the query, which the command says itself', () => {
    const flags = Object.keys(settingFlags('annotate', ['workflow', 'query']))
    expect(flags).toEqual(
      keys.filter((key) => !['workflow', 'query'].includes(key)).map((key) => key.replaceAll('_', '-')),
    )
    for (const flag of flags) expect(workflowCommand('annotate', 'H5AD').flags).toHaveProperty([flag])
  })

  it('clash with no other flag of the command', () => {
    const others = ['out', 'models', 'reference-store', 'work', 'inbox', 'json', 'help']
    for (const workflow of Object.keys(workflowSettings) as WorkflowName[])
      expect(settingFacts(workflow).filter(({ flag }) => others.includes(flag))).toEqual([])
  })

  it('give numbers, switches, lists and tables as a job file would', async () => {
    expect(
      await settingsFrom(
        ...['--min-counts', '100', '--p-threshold', '0.25', '--no-umap', '--write-second'],
        ...['--show-genes', 'CD3D,MS4A1', '--show-genes', 'LYZ', '--run-name', 'second'],
        ...['--ontology', 'T cell=CL:0000084', '--ontology', 'a=b=CL:0000236'],
      ),
    ).toEqual({
      min_counts: 100,
      p_threshold: 0.25,
      umap: false,
      write_second: true,
      show_genes: ['CD3D', 'MS4A1', 'LYZ'],
      run_name: 'second',
      ontology: { 'T cell': 'CL:0000084', 'a=b': 'CL:0000236' },
    })
    expect(await settingsFrom()).toEqual({})
  })

  it('say for every number what the schema says of it', () => {
    const numbers = settingFacts('annotate').filter(({ type }) => type === 'number' || type === 'integer')
    expect(numbers.length).toBeGreaterThan(5)
    fc.assert(
      fc.property(
        fc.constantFrom(...numbers),
        fc
          .oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
          .map((number) => number + 0),
        ({ key, flag }, number) => {
          const { values } = parseArgs({
            args: [`--${flag}=${number}`],
            options: { [flag]: { type: 'string' } },
          })
          const read = settingsOfFlags('annotate', values)
          expect(read).toEqual({ [key]: number })
          const whole = { workflow: 'annotate', query: 'q', ...read }
          const isAllowed = workflowSettings.annotate.safeParse(whole).success
          if (isAllowed) expect(checkSettings(whole, 'x')).toHaveProperty([key], number)
          else expect(() => checkSettings(whole, 'x')).toThrow(key)
        },
      ),
    )
  })

  it.each([
    [['--min-counts', 'many'], 'SETTING_INVALID', '"many" is no number'],
    [['--min-counts', ''], 'SETTING_INVALID', 'is no number'],
    [['--ontology', 'T cell'], 'SETTING_INVALID', 'has no "="'],
    [['--min-count', '3'], 'USAGE', '--min-counts'],
    [['--modle', 'x'], 'USAGE', '"--model"'],
    [['--no-umpa'], 'USAGE', '"--umap"'],
    [['--umap', '--model'], 'USAGE', 'model'],
  ])('refuse %j with %s', async (argv, code, told) => {
    await expect(settingsFrom(...argv)).rejects.toMatchObject({
      name: 'BadInput',
      code,
      message: expect.stringContaining(told),
    })
  })
})

describe('the pages made from the settings', () => {
  it('are what node scripts/settings.ts would write', () => {
    expect(readFileSync(resolve(docs, 'SETTINGS.md'), 'utf8')).toBe(settingsPage())
    expect(readFileSync(resolve(docs, 'job.schema.json'), 'utf8')).toBe(jobSchema())
  })

  it('name every setting, and the schema refuses what no setting is called', () => {
    for (const key of keys) expect(settingsPage()).toContain(`| \`${key}\` |`)
    const [annotate] = JSON.parse(jobSchema()).oneOf
    expect(Object.keys(annotate.properties)).toEqual(keys)
    expect(annotate).toMatchObject({ required: ['workflow', 'query'], additionalProperties: false })
  })
})
