/**
 * Where things lie on a laptop, unless a flag or the environment says otherwise: what is being worked on in ./.celldrop, models in
 * ./models, references in ./references, results in ./results. Each of the five stores may be a folder or s3://bucket/prefix.
 */
import { join, resolve } from 'node:path'
import type { Environment } from '../job/stores.ts'
import type { Flag, Flags } from './command.ts'

export interface Places {
  inbox: string
  work: string
  models: string
  references: string
  outbox: string
  /** of this machine alone: logs, scratch space, how jobs stand */
  home: string
}

export const modelsFlag = {
  models: { type: 'string', value: 'DIR', describe: 'model store (default ./models, or CELLDROP_MODELS)' },
} as const satisfies Record<string, Flag>

export const referencesFlag = {
  'reference-store': {
    type: 'string',
    value: 'DIR',
    describe: 'store of acquired references (default ./references, or CELLDROP_REFERENCES)',
  },
} as const satisfies Record<string, Flag>

export const placeFlags = {
  ...modelsFlag,
  ...referencesFlag,
  work: { type: 'string', value: 'DIR', describe: 'store of what is being worked on (CELLDROP_WORK)' },
  inbox: { type: 'string', value: 'DIR', describe: 'store of job files (CELLDROP_INBOX)' },
} as const satisfies Record<string, Flag>

const home = '.celldrop'

export function placesOf(flags: Flags, environment: Environment): Places {
  const place = (flag: string, variable: string, otherwise: string) =>
    wholePlace(textOf(flags[flag]) ?? (environment[variable] || otherwise))
  return {
    inbox: place('inbox', 'CELLDROP_INBOX', join(home, 'inbox')),
    work: place('work', 'CELLDROP_WORK', join(home, 'work')),
    models: place('models', 'CELLDROP_MODELS', 'models'),
    references: place('reference-store', 'CELLDROP_REFERENCES', 'references'),
    outbox: wholePlace(environment.CELLDROP_OUTBOX || 'results'),
    home: resolve(home),
  }
}

/** Children may have another working folder one day: a folder is named in full. */
export function wholePlace(place: string): string {
  return isRemote(place) ? place.replace(/\/+$/, '') : resolve(place)
}

export function isRemote(place: string): boolean {
  return /^s3:\/\//i.test(place)
}

/** A place within a place. */
export function within(place: string, name: string): string {
  return isRemote(place) ? `${place}/${name}` : join(place, name)
}

function textOf(value: Flags[string]): string | undefined {
  return typeof value === 'string' ? value : undefined
}
