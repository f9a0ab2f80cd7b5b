/** `celldrop models`, `import-model`, `export-model`: what is in the model store, and ways in and out of it. */
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { AlreadyExists, BadInput, type ErrorReport } from '../job/errors.ts'
import { hasCode } from '../job/folder-errors.ts'
import { openObject, openStore } from '../job/open-store.ts'
import { detectGeneIds } from '../knowledge/gene-ids.ts'
import { matchLabels } from '../knowledge/ontology-match.ts'
import { listModels, loadModel, loadModelFolder, type ModelSummary, saveModel } from '../models/bundle.ts'
import { type ImportOptions, importCelltypist } from '../models/celltypist-import.ts'
import { type LinearModel, type ModelCard, modelName, type OntologyTerm } from '../models/linear-model.ts'
import { filesOfModel } from '../workflows/parts/model-files.ts'
import type { Command, Flags, Invocation } from './command.ts'
import { download } from './download.ts'
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
    replace: {
      type: 'boolean',
      describe: 'let the name stand for this model although it stands for another',
    },
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
    const { model, notices } = await readModel(path, { ...invocation, name: name.data })
    const store = await openStore(placesOf(flags, environment).models)
    const summary = await saveModel(store, model, { replace: flags.replace === true })
    for (const { problem } of notices) progress(`note: ${problem}`)
    print(options.json ? JSON.stringify({ ...summary, notices }) : describeModel(summary))
  },
}

const nameRules = 'A name has letters, digits, ".", "_" and "-", at most 64'

export const exportModelCommand: Command = {
  flags: modelsFlag,
  async run({ positionals, flags, options, environment, print }) {
    const [name, path, ...others] = positionals
    if (name === undefined || path === undefined || others.length > 0)
      throw usage(
        'export-model',
        'a model and the path of the new file are needed',
        'celldrop export-model NAME OUT.pkl',
      )
    const model = await loadModel(await openStore(placesOf(flags, environment).models), name)
    const outputs = await writeModelFiles(model, path)
    const { card } = model
    const summary = { output: outputs[0], outputs, name: card.name, id: card.id }
    print(
      options.json ? JSON.stringify(summary) : `${card.name} as CellTypist reads it: ${outputs.join(', ')}`,
    )
  },
}

/** OUT.pkl with OUT_celltypist.json and OUT_colors.json beside it; all of them or none. */
async function writeModelFiles(model: LinearModel, path: string): Promise<string[]> {
  const { place, key } = splitPath(path)
  const store = await openStore(place)
  const stem = key.replace(/\.pkl$/i, '')
  const files = filesOfModel(model).map(({ name, bytes }) => ({
    key: `${stem}${name.slice(model.card.name.length)}`,
    bytes,
  }))
  for (const file of files)
    if ((await store.head(file.key)) !== undefined)
      throw new AlreadyExists(
        'OBJECT_EXISTS',
        `${place}/${file.key}`,
        'there is such a file already',
        'Choose another name',
      )
  for (const file of files) await store.write(file.key, file.bytes, { onlyIfAbsent: true })
  return files.map((file) => `${path.slice(0, path.length - key.length)}${file.key}`)
}

const mostBytes = 2 ** 30
const tooLarge = (path: string) =>
  new BadInput('MODEL_TOO_LARGE', path, `it has more than ${mostBytes} bytes`, 'Check that it is a model')

interface Reading extends Invocation {
  name: string
}

/** A .pkl of CellTypist, or a folder with a model of ours. */
async function readModel(
  path: string,
  reading: Reading,
): Promise<{ model: LinearModel; notices: ErrorReport[] }> {
  const { flags, name } = reading
  if (!isRemote(path) && !isAddress(path) && (await lookAt(path)).isDirectory()) {
    const model = await loadModelFolder(path)
    if (model.card.name === name) return { model, notices: [] }
    const problem = `the model in this folder is called "${model.card.name}"`
    throw new BadInput('MODEL_NAME', path, problem, `Import it with --name ${model.card.name}`)
  }
  const bytes = await readBytes(path, reading)
  const options: ImportOptions = {
    name,
    organism: textOf(flags, 'organism') ?? 'unknown',
    licence: textOf(flags, 'licence') ?? '',
    source: textOf(flags, 'source') ?? plainSource(path),
    ontology: new Map(),
    created: new Date(reading.clock()).toISOString(),
    place: path,
  }
  // what the file itself says decides what it is told besides
  const { card } = importCelltypist(bytes, options).model
  const ontology = await termsOf(card.labels)
  const { organism, notices } = await organismOf(card, { said: textOf(flags, 'organism'), path })
  const imported = importCelltypist(bytes, { ...options, organism, ontology })
  const terms = `${ontology.size} of ${card.labels.length} labels have a Cell Ontology id`
  const told = {
    code: 'ONTOLOGY_MATCHED',
    place: path,
    problem: terms,
    remedy: 'Jobs can give others under "ontology"',
  }
  return { model: imported.model, notices: [...imported.notices, ...notices, told] }
}

async function termsOf(labels: readonly string[]): Promise<Map<string, OntologyTerm>> {
  const matches = await matchLabels(labels)
  return new Map(
    matches.flatMap(({ label, id, name, tier }) =>
      id === null ? [] : [[label, { id, name: name ?? label, tier }]],
    ),
  )
}

async function organismOf(
  { genes }: ModelCard,
  { said, path }: { said: string | undefined; path: string },
): Promise<{ organism: string; notices: ErrorReport[] }> {
  if (said !== undefined) return { organism: said, notices: [] }
  const { species } = await detectGeneIds(genes)
  if (species === null) {
    const problem = 'the names of its genes do not tell of which organism it is'
    throw new BadInput('ORGANISM_UNKNOWN', path, problem, 'Say it with --organism "Homo sapiens"')
  }
  const problem = `the names of its genes are those of ${species}`
  const remedy = 'If that is wrong, say it with --organism'
  return { organism: species, notices: [{ code: 'ORGANISM_DETECTED', place: path, problem, remedy }] }
}

async function readBytes(path: string, reading: Reading): Promise<Uint8Array> {
  if (isAddress(path)) return download(path, { mostBytes, signal: reading.listenForStop() })
  if (isRemote(path)) {
    const { store, key } = await openObject(path, {
      environment: { ...reading.environment, CELLDROP_LOCAL_FILES: '1' },
    })
    return store.read(key, { maxBytes: mostBytes })
  }
  const { size } = await lookAt(path)
  if (size > mostBytes) throw tooLarge(path)
  return readFile(path)
}

function isRemote(path: string): boolean {
  return /^(?:s3|gs):\/\//i.test(path)
}

function isAddress(path: string): boolean {
  return /^https?:\/\//i.test(path)
}

/** Where it is from, without what may be secret in an address. */
function plainSource(path: string): string {
  return isAddress(path) ? `${new URL(path).origin}${new URL(path).pathname}` : basename(path)
}

async function lookAt(path: string) {
  const found = await stat(path).catch((error) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (found?.isFile() || found?.isDirectory()) return found
  throw new BadInput('FILE_MISSING', path, 'there is no such file', 'Check the name and the folder')
}

/** The store that a file lies in, and its key there. */
function splitPath(path: string): { place: string; key: string } {
  const [, bucket, key] = /^(s3:\/\/[^/]+)\/(.+)$/i.exec(path) ?? []
  return bucket !== undefined && key !== undefined
    ? { place: bucket, key }
    : { place: dirname(path), key: basename(path) }
}

function describeModel({ name, id, labels, genes, organism, version, isLatest }: ModelSummary): string {
  const which = isLatest ? name : `${name}@${id.slice(0, 8)}`
  const told = version === '' ? '' : `, version ${version}`
  return `${which}  ${labels} labels, ${genes} genes, ${organism}${told}  (${id.slice(0, 12)})`
}

function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}

function usage(command: string, problem: string, remedy: string): BadInput {
  return new BadInput('USAGE', `celldrop ${command}`, problem, remedy)
}
