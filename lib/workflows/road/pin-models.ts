/** Models as a job names them become models by their content: what a name means later changes nothing of the job. */
import { BadInput, type ErrorReport, isCoded } from '../../job/errors.ts'
import type { ObjectStore } from '../../job/store.ts'
import { findModel, type ModelSummary } from '../../models/bundle.ts'
import { familyOf, wrongKind } from '../../models/stored-model.ts'
import type { NamedModels } from '../workflow.ts'

/**
 * @param of.otherwise the installation's own model, for a job that names none
 * @returns content ids in the order of the names, and a notice for each model that the job can do without
 * @throws BadInput MODEL_MISSING, MODEL_KIND, MODELS_MIXED, MODELS_MISSING where none is left, MODEL_TWICE for two names of one content, MODEL_CORRUPT
 */
export async function pinModels(
  store: ObjectStore,
  { named, otherwise }: { named: NamedModels; otherwise(): string },
): Promise<{ ids: string[]; notices: ErrorReport[] }> {
  const notices = [...named.notices]
  const names = named.names.length === 0 ? [otherwise()] : named.names
  const nameOf = new Map<string, string>()
  for (const name of names) {
    const found = await findOne(store, name, named)
    if (found === undefined) {
      notices.push(notStored(store, name))
      continue
    }
    if (familyOf(found) === named.alone && names.length > 1) throw notAlone(found)
    const before = nameOf.get(found.id)
    if (before !== undefined) throw namedTwice(before, name)
    nameOf.set(found.id, name)
  }
  if (nameOf.size === 0) throw noneStored(store, names)
  return { ids: [...nameOf.keys()], notices }
}

async function findOne(
  store: ObjectStore,
  name: string,
  { mayLack, family }: NamedModels,
): Promise<ModelSummary | undefined> {
  try {
    const found = await findModel(store, name)
    if (family !== undefined && familyOf(found) !== family)
      throw wrongKind(found, { wanted: family, place: store.place })
    return found
  } catch (error) {
    if (mayLack && isCoded(error) && error.code === 'MODEL_MISSING') return undefined
    throw error
  }
}

const importing = (name: string): string =>
  `Get ${name}.pkl from www.celltypist.org/models, then: celldrop import-model ${name}.pkl --name ${name}`

function notStored({ place }: ObjectStore, name: string): ErrorReport {
  const problem = `"${name}" is one of the models of this tissue, and the model store lacks it: it was left out`
  return { code: 'MODEL_NOT_STORED', place, problem, remedy: importing(name) }
}

function noneStored({ place }: ObjectStore, names: readonly string[]): BadInput {
  const problem = `the model store has none of the models of this tissue: ${names.join(', ')}`
  return new BadInput('MODELS_MISSING', place, problem, importing(names[0] ?? 'NAME'))
}

function notAlone({ name }: ModelSummary): BadInput {
  return new BadInput(
    'MODELS_MIXED',
    'model',
    `"${name}" is a network, and the job names several models: what it says of a cell cannot be compared with what others say`,
    'Name it alone, and run the others under a run_name of their own',
  )
}

function namedTwice(first: string, second: string): BadInput {
  const problem = `"${first}" and "${second}" are one model`
  return new BadInput('MODEL_TWICE', 'model', problem, 'Name it once')
}
