/**
 * A network's training as part of a step: progress as it goes, its state stored every few minutes and when the machine is taken away, and gone on
 * from when the step is run again, to the same weights. A phase that is done leaves its end behind until the whole step is, so that
 * SCANVI, interrupted, does not train its scVI again.
 */

import type { Provider } from '../../graph/session.ts'
import { hashOf } from '../../job/canonical.ts'
import { type ErrorReport, isCoded, StoreFailure } from '../../job/errors.ts'
import type { Settings } from '../../job/manifest.ts'
import { type FittedNetwork, fitNetwork, type NetworkFit } from '../../models/fit-network.ts'
import type { TrainingState } from '../../models/network-training.ts'
import { checkpointBytes, readCheckpoint } from '../../models/training-checkpoint.ts'
import type { StepContext } from '../workflow.ts'

/** milliseconds of training between two states that are stored */
const usualStoreEvery = 180_000
/** weights of 60,000 genes, with their moments */
const mostCheckpoint = 2 ** 31

export interface Phase {
  /** names its checkpoint: 'scvi', 'scanvi', 'surgery' */
  name: string
  /** what the user is told that it does */
  note: string
  /** milliseconds; three minutes unless told */
  storeEvery?: number
}

/** Where a step computes, by the job's `compute`: a GPU when it is asked for, the processor else. */
export function providersOf(settings: Settings): Provider[] {
  const compute = 'compute' in settings ? settings.compute : 'cpu'
  return compute === 'gpu' ? ['cuda', 'webgpu', 'cpu'] : ['cpu']
}

/**
 * @throws StoreFailure TRAINING_DIVERGED; the signal's reason when the step is stopped, after the state was stored
 */
export async function trainPhase(
  context: StepContext,
  { name, note, storeEvery = usualStoreEvery }: Phase,
  fit: Omit<NetworkFit, 'from'>,
): Promise<FittedNetwork> {
  const { signal, stores, step } = context
  signal.throwIfAborted()
  const training = hashOf([
    step.prefix,
    name,
    fit.task,
    fit.schedule,
    fit.optimiser,
    fit.trainShare,
    fit.data.cells,
  ])
  const stored = await storedState(context, { name, training })
  const { epochs } = fit.schedule
  let writing = Promise.resolve()
  let failed: unknown
  const keep = (state: TrainingState, identity: string) => {
    const bytes = checkpointBytes(state, identity)
    writing = writing
      .then(async () => void (await stores.work.write(checkpointKey(context, name), bytes)))
      .catch((error: unknown) => {
        failed = error
      })
  }
  const from = stored.state
  const fitted = await fitNetwork(
    {
      ...fit,
      providers: fit.providers ?? providersOf(context.road.settings),
      // what is done already may have ended early, and goes no further
      ...(stored.isDone && { schedule: { ...fit.schedule, epochs: from!.epoch } }),
      ...(from !== undefined && { from }),
    },
    {
      signal,
      storeEvery,
      onState: (state) => keep(state, training),
      onSteps: ({ epoch, step: done, steps }) => {
        if (!signal.aborted) context.progress(epoch + Math.min(done / steps, 1), epochs, 'epochs', note)
      },
    },
  )
  if (fitted.isDone && !stored.isDone) keep(fitted.state, doneOf(training))
  await writing
  signal.throwIfAborted()
  if (failed !== undefined) throw failed
  if (!fitted.isDone) throw new Error(`training of ${name} ended early`)
  return { ...fitted, notices: [...stored.notices, ...fitted.notices] }
}

/** Removes what phases left, once the step has what it wanted of them. */
export async function forgetPhases(context: StepContext, names: readonly string[]): Promise<void> {
  for (const name of names) await context.stores.work.remove(checkpointKey(context, name))
}

const checkpointKey = ({ step }: StepContext, name: string) => `${step.prefix}${name}.checkpoint`
/** By this a training's end is told from its middle: it may have ended early. */
const doneOf = (training: string) => `${training} done`

interface Stored {
  state?: TrainingState
  isDone: boolean
  notices: ErrorReport[]
}

/** What an earlier run of this step left; what cannot be used is told, and training begins anew. */
async function storedState(
  context: StepContext,
  { name, training }: { name: string; training: string },
): Promise<Stored> {
  const { work } = context.stores
  const key = checkpointKey(context, name)
  const there = await work.head(key)
  if (there === undefined) return { isDone: false, notices: [] }
  const place = `${work.place}/${key}`
  try {
    const bytes = await work.read(key, { maxBytes: mostCheckpoint, pin: there })
    for (const identity of [training, doneOf(training)]) {
      const state = stateOf(bytes, { training: identity, place })
      if (state !== undefined) return { state, isDone: identity !== training, notices: [] }
    }
    throw new StoreFailure('CHECKPOINT_OTHER', place, 'it belongs to another training', 'Remove it')
  } catch (error) {
    if (!isCoded(error)) throw error
    await forgetPhases(context, [name])
    const problem = `the stored state of the training could not be used (${error.problem}): it began anew`
    return {
      isDone: false,
      notices: [
        { code: error.code, place, problem, remedy: 'Nothing need be done: it took longer, no more' },
      ],
    }
  }
}

/** undefined for one of another training */
function stateOf(bytes: Uint8Array, of: { training: string; place: string }): TrainingState | undefined {
  try {
    return readCheckpoint(bytes, of)
  } catch (error) {
    if (isCoded(error) && error.code === 'CHECKPOINT_OTHER') return undefined
    throw error
  }
}
