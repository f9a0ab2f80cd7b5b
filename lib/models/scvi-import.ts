/**
 * Reads a model directory of scvi-tools (SCVI or SCANVI, saved by 0.15 to 1.5): `[prefix]model.pt`, of which nothing is run. What the tensors show
 * is taken from them; registry and settings say the rest.
 *
 * Trap: SCANVI before 1.1 has a softmax in its classifier. Its prediction, the softmax of logits, is the same.
 */
import { openStoreSource } from '../data/file-source.ts'
import type { ByteSource } from '../data/source.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { ObjectStore } from '../job/store.ts'
import { corrupt, shown, unsupported } from './model-errors.ts'
import { readSeries, readTexts } from './pickle-numpy.ts'
import { entriesOf, type PickleValue } from './pickle-values.ts'
import { priorMeans, priorVariances } from './scvi-encoder.ts'
import { readHistory } from './scvi-history.ts'
import type { ScviModel, ScviTraining } from './scvi-model.ts'
import { type Entries, readScviRegistry, type ScviRegistry } from './scvi-registry.ts'
import { readSettings, type ScviSettings } from './scvi-settings.ts'
import { scanviShapeOf, scviShapeOf } from './scvi-shape.ts'
import { checkWeights } from './scvi-weights.ts'
import type { Weight } from './state-dict.ts'
import { openTorchArchive, type TorchArchive } from './torch-archive.ts'

export interface ImportedScvi {
  model: ScviModel
  /** what was decided that the file does not say, and what of it cannot be used */
  notices: ErrorReport[]
}

/**
 * The bytes of a model: the key itself where it ends in `.pt`, else `[prefix]model.pt` in the folder of that name.
 * @throws BadInput FILE_MISSING, MODEL_OLD for a directory as versions before 0.15 wrote it
 */
export async function openScviModel(
  store: ObjectStore,
  key: string,
  { prefix = '' }: { prefix?: string } = {},
): Promise<ByteSource> {
  if (key.endsWith('.pt')) return openStoreSource(store, key)
  const folder = key === '' || key.endsWith('/') ? key : `${key}/`
  const file = `${folder}${prefix}model.pt`
  if ((await store.head(file)) === undefined && (await store.head(`${folder}${prefix}model_params.pt`)))
    throw old(`${store.place.replace(/\/$/, '')}/${folder}`)
  return openStoreSource(store, file)
}

/**
 * The source is read and left open.
 * @throws BadInput MODEL_KIND for other models than SCVI and SCANVI, MODEL_OLD, MODEL_UNSUPPORTED where cells are encoded in a way that is not
 * computed here, MODEL_NOT_FINITE, MODEL_CORRUPT, MODEL_TOO_LARGE, MODEL_UNSAFE, ZIP_DAMAGED
 */
export async function importScvi(source: ByteSource): Promise<ImportedScvi> {
  const archive = await openTorchArchive(source)
  const { place } = archive
  const root = entriesOf(archive.root)
  const tensors = entriesOf(root?.get('model_state_dict'))
  const attributes = entriesOf(root?.get('attr_dict'))
  if (root === undefined || tensors === undefined || attributes === undefined)
    throw corrupt(place, 'it is no model of scvi-tools: model_state_dict or attr_dict is missing')
  const registered = entriesOf(attributes.get('registry_'))
  if (registered === undefined) throw old(place)
  const registry = kindChecked(registered, place)
  const settings = readSettings(attributes.get('init_params_'), place)
  const { weights, batchesTracked } = await readTensors(archive, tensors)
  const reasons = [
    ...settings.decoderReasons,
    // a size factor stands in place of the library, learned or not
    ...(registry.hasSizeFactor ? ['it takes size factors'] : librarianReasons(settings, weights)),
  ]
  const parts = { weights, setup: registry.setup, settings, place }
  const plain = scviShapeOf(parts)
  const genes = genesOf(root.get('var_names'), { count: plain.genes, place })
  const { training, unread } = trainingOf(attributes, { registry, place })
  const common = {
    ...{ weights, batchesTracked, genes, training },
    setup: registry.setup,
    version: registry.version,
    decoder: reasons.length === 0 ? ('computed' as const) : ('not-computed' as const),
  }
  const model: ScviModel =
    registry.kind === 'SCVI'
      ? { kind: 'scvi', shape: plain, ...common }
      : {
          ...{ kind: 'scanvi', shape: scanviShapeOf(plain, parts), ...common },
          unlabelled: unlabelledOf(registry, place),
          hasSoftmaxWithin: isBefore(registry.version, [1, 1]),
        }
  checkWeights(model, place)
  return { model, notices: noticesOf({ archive, model, reasons, settings, unread }) }
}

function librarianReasons({ learnsLibrary }: ScviSettings, weights: ReadonlyMap<string, Weight>): string[] {
  if (!learnsLibrary) return []
  if (!weights.has(priorMeans))
    return ['it learns library sizes, and what is usual of them in each batch is missing']
  const variances = weights.get(priorVariances)?.data ?? []
  return variances.every((variance) => variance > 0)
    ? []
    : ['it learns library sizes, which in one of its batches do not vary at all']
}

function kindChecked(registered: Entries, place: string): ScviRegistry {
  const name = registered.get('model_name')
  if (name !== 'SCVI' && name !== 'SCANVI')
    throw new BadInput(
      'MODEL_KIND',
      place,
      `it is a model of the kind "${shown(String(name))}"`,
      'Give a model of the kind SCVI or SCANVI',
    )
  return readScviRegistry(registered, `${place}, registry_`)
}

function old(place: string): BadInput {
  const remedy = 'Save it anew with scvi-tools: `Model.convert_legacy_save(folder, new_folder)`'
  return new BadInput('MODEL_OLD', place, 'scvi-tools before 0.15 wrote this model', remedy)
}

async function readTensors(
  archive: TorchArchive,
  tensors: Entries,
): Promise<Pick<ScviModel, 'weights' | 'batchesTracked'>> {
  const weights = new Map<string, Weight>()
  const batchesTracked = new Map<string, number>()
  for (const [name, value] of tensors) {
    if (name === 'pyro_param_store') continue
    const { type, shape, data } = await archive.tensor(value, shown(name))
    if (type === 'float32') weights.set(name, { shape, data })
    else if (type === 'int64' && name.endsWith('.num_batches_tracked') && data.length === 1)
      batchesTracked.set(name, Number(data[0]))
    else
      throw unsupported(
        archive.place,
        `the tensor "${shown(name)}" is of the type ${type}`,
        'Save the model in float32, as scvi-tools does',
      )
  }
  return { weights, batchesTracked }
}

function genesOf(
  value: PickleValue | undefined,
  { count, place }: { count: number; place: string },
): string[] {
  const genes = readTexts(value, `${place}, var_names`)
  if (genes.length !== count)
    throw corrupt(place, `${genes.length} genes are named, and the model takes ${count}`)
  return genes
}

function unlabelledOf({ unlabelled, setup }: ScviRegistry, place: string): string {
  if (unlabelled === null || setup.labels.categories.at(-1) !== unlabelled)
    throw corrupt(place, 'the last of its labels is not the one of cells without a label')
  return unlabelled
}

function trainingOf(
  attributes: Entries,
  { registry, place }: { registry: ScviRegistry; place: string },
): { training: ScviTraining; unread: string[] } {
  const rows = (name: string): Int32Array | null => {
    const value = attributes.get(name)
    return value === undefined || value === null
      ? null
      : Int32Array.from(readSeries(value, `${place}, ${name}`))
  }
  const { history, unread } = readHistory(attributes.get('history_'), `${place}, history_`)
  return {
    unread,
    training: {
      cells: registry.cells,
      isTrained: attributes.get('is_trained_') === true,
      trainIndices: rows('train_indices_'),
      validationIndices: rows('validation_indices_'),
      history,
    },
  }
}

/** Whether 'a.b.c' comes before a.b */
function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, ours, second] = /^(\d+)\.(\d+)/.exec(version) ?? []
  if (ours === undefined) return false
  return Number(ours) < major || (Number(ours) === major && Number(second) < minor)
}

interface NoticeParts {
  archive: TorchArchive
  model: ScviModel
  reasons: readonly string[]
  settings: ScviSettings
  unread: readonly string[]
}

/** What files of scvi-tools name and what only holds values. */
const usual = [
  /^torch\.(\w+Storage|Size|device|float32|int64|_utils\._rebuild_\w+)$/,
  /^numpy\.(ndarray|dtype|_?core\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer))$/,
  /^pandas\.(core\.(frame|series|indexes|internals|arrays|dtypes)|_libs\.(internals|arrays|tslibs))\b/,
  /^collections\.(OrderedDict|defaultdict)$/,
  /^(__builtin__|builtins)\.(dict|list|tuple|set|frozenset|bytes|bytearray|slice|object|int|long|float|bool|str|unicode)$/,
  /^(_codecs\.encode|copy_?reg\._reconstructor|datetime\.\w+|scvi\..+)$/,
]

function noticesOf({ archive, model, reasons, settings, unread }: NoticeParts): ErrorReport[] {
  const { place, names } = archive
  const notices: ErrorReport[] = []
  const tell = (code: string, problem: string, remedy: string) =>
    notices.push({ code, place, problem, remedy })
  const foreign = [...names].filter((name) => !usual.some((one) => one.test(name)))
  if (foreign.length > 0)
    tell(
      'MODEL_FOREIGN',
      `the file names what no model needs (${foreign.slice(0, 5).map(shown).join(', ')}); nothing was run`,
      'Do not load it in Python unless you trust its authors',
    )
  if (reasons.length > 0)
    tell(
      'MODEL_DECODER',
      `only its encoder can be used: ${reasons.join(', ')}`,
      'Cells can be embedded; for expression or surgery use scvi-tools itself',
    )
  if (settings.unknown.length > 0)
    tell(
      'MODEL_SETTING_UNKNOWN',
      `settings were not looked at: ${settings.unknown.slice(0, 10).map(shown).join(', ')}`,
      'Compare a few embedded cells with what scvi-tools gives',
    )
  if (model.version === '')
    tell('MODEL_VERSION', 'it does not say which version of scvi-tools wrote it', 'Nothing need be done')
  if (unread.length > 0)
    tell('MODEL_HISTORY', `${unread.length} figures of its history could not be read`, 'Nothing need be done')
  if (!model.training.isTrained)
    tell('MODEL_UNTRAINED', 'it says that it was not trained', 'Train it, or take the model that was')
  const repeated = model.genes.length - new Set(model.genes).size
  if (repeated > 0)
    tell(
      'MODEL_GENES_REPEATED',
      `${repeated} of its genes have the name of another`,
      'Only one of each can be found in a file',
    )
  return notices
}
