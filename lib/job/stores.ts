/**
 * The five stores of an installation, from the environment: folders on a laptop, buckets in an account.
 * CELLDROP_INBOX what users drop, CELLDROP_WORK what steps hand on, CELLDROP_MODELS model bundles,
 * CELLDROP_REFERENCES labelled files to learn from, CELLDROP_OUTBOX results.
 */
import { BadInput } from './errors.ts'
import { openStore } from './open-store.ts'
import type { InputPin } from './road.ts'
import type { ObjectStore } from './store.ts'

export interface Stores {
  inbox: ObjectStore
  work: ObjectStore
  models: ObjectStore
  references: ObjectStore
  outbox: ObjectStore
  /** what they were opened from: it says how other places may be read */
  environment?: Environment
}

export type Environment = Readonly<Record<string, string | undefined>>

/** @throws BadInput CONFIGURATION where a variable is not set */
export async function openStores(environment: Environment): Promise<Stores> {
  const open = (name: string) => openStore(setting(environment, name))
  const [inbox, work, models, references, outbox] = await Promise.all([
    open('CELLDROP_INBOX'),
    open('CELLDROP_WORK'),
    open('CELLDROP_MODELS'),
    open('CELLDROP_REFERENCES'),
    open('CELLDROP_OUTBOX'),
  ])
  return { inbox, work, models, references, outbox, environment }
}

export function setting(environment: Environment, name: string): string {
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  throw new BadInput(
    'CONFIGURATION',
    name,
    'this environment variable is not set',
    'Start Celldrop through its command line or its stack, which set it',
  )
}

/** The store that a pinned input lies in. */
export function storeOf(pin: Pick<InputPin, 'place' | 'access'>, stores: Stores): Promise<ObjectStore> {
  if (pin.place === 'inbox') return Promise.resolve(stores.inbox)
  const { environment = process.env } = stores
  return openStore(pin.place, { environment, ...(pin.access !== undefined && { access: pin.access }) })
}
