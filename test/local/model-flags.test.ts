/** Contract: one model is given as before, several with commas or several times, and the pages say that both will do. */
import { expect, it } from 'vitest'
import { parseArguments } from '../../lib/local/arguments.ts'
import { settingFacts, settingsOfFlags } from '../../lib/local/setting-flags.ts'
import { jobSchema, settingsPage } from '../../lib/local/settings-page.ts'

it.each([
  [['--model', 'blood'], { model: 'blood' }],
  [['--model', 'blood,lung@0123abcd'], { model: ['blood', 'lung@0123abcd'] }],
  [['--model', 'blood', '--model', 'lung'], { model: ['blood', 'lung'] }],
  [['--tissue', 'lung', '--no-ensemble-mode'], { tissue: 'lung', ensemble_mode: false }],
])('%j is %j', async (argv, settings) => {
  const parsed = await parseArguments(['annotate', 'q.h5ad', ...argv])
  expect(settingsOfFlags('annotate', parsed!.flags)).toEqual(settings)
})

it('is one text or a list of texts for a reader and for an editor', () => {
  expect(settingFacts('annotate').find(({ key }) => key === 'model')).toMatchObject({
    type: 'array',
    orOne: true,
  })
  expect(settingsPage()).toContain('| `model` | text, or list of texts |')
  const { oneOf } = JSON.parse(jobSchema())
  expect(oneOf[0].properties.model.anyOf).toMatchObject([
    { type: 'string' },
    { type: 'array', maxItems: 16, items: { type: 'string' } },
  ])
})
