/** Contract: settings of normalised expression mean the same in both workflows, and nothing without it. */
import { describe, expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import { parseArguments } from '../../lib/local/arguments.ts'
import { settingsOfFlags } from '../../lib/local/setting-flags.ts'
import { settingsPage } from '../../lib/local/settings-page.ts'

const jobs = {
  'map-atlas': { workflow: 'map-atlas', query: 'q.h5ad' },
  'fit-reference': { workflow: 'fit-reference', atlas: 'a.h5ad', name: 'n', batch_key: 'b' },
} as const

const given = {
  transform_batch: 'ctrl',
  library_size: 10_000,
  n_samples: 5,
  expression_genes: ['CD3D'],
}

describe.each(['map-atlas', 'fit-reference'] as const)('%s', (workflow) => {
  const job = (more: object) => checkSettings({ ...jobs[workflow], ...more }, 'job.yaml')

  it('writes no expression unless it is asked to', () => {
    expect(job({})).toMatchObject({ normalized_expression: false })
    expect(job({ normalized_expression: true, ...given })).toMatchObject(given)
    expect(job({ normalized_expression: true, library_size: 'latent' })).toMatchObject({
      library_size: 'latent',
    })
  })

  it.each(Object.entries(given))('takes %s for a mistake without it', (name, value) => {
    expect(() => job({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID', place: `job.yaml: ${name}` }),
    )
  })

  it.each([
    { library_size: 0 },
    { library_size: Number.POSITIVE_INFINITY },
    { library_size: 'own' },
    { n_samples: 0 },
    { n_samples: 1.5 },
    { transform_batch: [] },
    { transform_batch: ['a', 'a'] },
    { expression_genes: [] },
    { expression_genes: ['A', 'A'] },
  ])('refuses %j', (wrong) => {
    expect(() => job({ normalized_expression: true, ...wrong })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID' }),
    )
  })

  it.each([
    [['--library-size', '1e4'], { library_size: 10_000 }],
    [['--library-size', 'latent'], { library_size: 'latent' }],
    [['--transform-batch', 'ctrl'], { transform_batch: 'ctrl' }],
    [['--transform-batch', 'ctrl,stim'], { transform_batch: ['ctrl', 'stim'] }],
    [['--normalized-expression', '--n-samples', '25'], { normalized_expression: true, n_samples: 25 }],
  ])('reads %j of the command line', async (argv, settings) => {
    const parsed = await parseArguments([workflow, 'a.h5ad', ...argv])
    expect(settingsOfFlags(workflow, parsed!.flags)).toEqual(settings)
  })

  it('refuses a word of the command line that is no number', async () => {
    const parsed = await parseArguments([workflow, 'a.h5ad', '--library-size', 'own'])
    expect(() => settingsOfFlags(workflow, parsed!.flags)).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID', place: '--library-size' }),
    )
  })
})

it('says in the table of settings that a library size is a number or a word', () => {
  expect(settingsPage()).toContain('| `library_size` | number above 0 to 1000000000000, or `latent` |')
})
