/** `celldrop models`, `import-model`, `export-model`: what is in the model store, and ways in and out of it. */
import { BadInput } from '../job/errors.ts'
import { openStore } from '../job/open-store.ts'
import { listModels, loadStoredModel, type ModelSummary, saveModel } from '../models/bundle.ts'
import { modelName } from '../models/model-card.ts'
import { isNetwork } from '../models/stored-model.ts'
import type { Command } from './command.ts'
import { writeForCelltypist, writeForScviTools } from './model-output.ts'
import { referenceFlags, withReferenceCells } from './model-reference.ts'
import { readModel } from './model-source.ts'
import { modelsFlag, placesOf } from './places.ts'

export const modelsCommand: Command = {
  flags: modelsFlag,
  async run({ positionals, flags, options, environment, print, progress }) {
    if (positionals.length > 0)
      throw usage('models', 'it takes no argument', 'celldrop models [--models DIR]')
    const { models: place } = placesOf(flags, environment)
    const { models, notices } = await listModels(await openStore(place))
    for (const notice of notices) progress(`note: ${notice.place}: ${notice.problem}`)
    if (options.json) return print(JSON.stringify(models))
    const remedy = 'celldrop import-model PATH --name NAME'
    print(models.length === 0 ? `no models in ${place}: ${remedy}` : models.map(describeModel).join('\n'))
  },
}

export const importModelCommand: Command = {
  flags: {
    name: { type: 'string', value: 'NAME', describe: 'name under which jobs ask for it' },
    organism: {
      type: 'string',
      value: '"Homo sapiens"|"Mus musculus"',
      describe: 'without it told from the names of the genes',
    },
    licence: { type: 'string', value: 'TEXT', describe: 'licence of the model, kept with it' },
    source: { type: 'string', value: 'TEXT', describe: 'where the model is from, kept with it' },
    bins: {
      type: 'string',
      value: 'N',
      describe:
        'the model of scvi-tools was trained on counts put into so many bins, as those of scPDAC (50)',
    },
    replace: {
      type: 'boolean',
      describe: 'let the name stand for this model although it stands for another',
    },
    ...referenceFlags,
    ...modelsFlag,
  },
  async run(invocation) {
    const { positionals, flags, options, environment, print, progress } = invocation
    const [path, ...others] = positionals
    const remedy = 'celldrop import-model PATH --name NAME'
    if (path === undefined || others.length > 0) throw usage('import-model', 'one model is needed', remedy)
    if (typeof flags.name !== 'string') throw usage('import-model', 'the model needs a name', remedy)
    const name = modelName.safeParse(flags.name)
    if (!name.success) throw usage('import-model', `"${flags.name}" is no name for a model`, nameRules)
    const found = await readModel(path, { ...invocation, name: name.data })
    const { model, notices } = await withReferenceCells(found, invocation)
    const store = await openStore(placesOf(flags, environment).models)
    const summary = await saveModel(store, model, { replace: flags.replace === true })
    for (const { problem } of notices) progress(`note: ${problem}`)
    print(options.json ? JSON.stringify({ ...summary, notices }) : describeModel(summary))
  },
}

const nameRules = 'A name has letters, digits, ".", "_" and "-", at most 64'

export const exportModelCommand: Command = {
  flags: modelsFlag,
  async run({ positionals, flags, options, environment, print, progress }) {
    const [name, path, ...others] = positionals
    if (name === undefined || path === undefined || others.length > 0)
      throw usage(
        'export-model',
        'a model and the path of the new file or folder are needed',
        'celldrop export-model NAME OUT.pkl, or NAME DIR for a model of scvi-tools',
      )
    const model = await loadStoredModel(await openStore(placesOf(flags, environment).models), name)
    const outputs = isNetwork(model)
      ? await writeForScviTools(model, path)
      : await writeForCelltypist(model, path)
    const { card } = model
    if (isNetwork(model) && model.card.bins !== null)
      progress(
        `note: it wants counts that were put into ${model.card.bins.count} bins, which no file of it says`,
      )
    const reader = isNetwork(model) ? 'scvi-tools' : 'CellTypist'
    const summary = { output: outputs[0], outputs, name: card.name, id: card.id }
    print(
      options.json ? JSON.stringify(summary) : `${card.name} as ${reader} reads it: ${outputs.join(', ')}`,
    )
  },
}

function describeModel(model: ModelSummary): string {
  const { name, id, kind, labels, genes, referenceCells, organism, version, isLatest } = model
  const which = isLatest ? name : `${name}@${id.slice(0, 8)}`
  const told = version === '' ? '' : `, version ${version}`
  const network = kind === 'linear' ? '' : `${kind}, `
  const given = kind === 'scvi' ? 'no labels' : `${labels} labels`
  const kept = referenceCells === 0 ? '' : `, ${referenceCells} reference cells`
  return `${which}  ${network}${given}, ${genes} genes${kept}, ${organism}${told}  (${id.slice(0, 12)})`
}

function usage(command: string, problem: string, remedy: string): BadInput {
  return new BadInput('USAGE', `celldrop ${command}`, problem, remedy)
}
