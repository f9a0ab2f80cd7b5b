/**
 * InspectInput: looks at one input by range reads and never downloads it. Leaves the facts of the file, where its counts are and what its
 * genes are called; refuses what no later step could use, before a machine is started for it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCells } from '../../data/open-cells.ts'
import { atPlace, isCoded } from '../../job/errors.ts'
import type { CellSettings } from '../../job/manifest.ts'
import type { FactsPart, InputPin, InspectState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, type Stores, setting, storeOf } from '../../job/stores.ts'
import { identityNotice } from '../../job/web-identity.ts'
import { chooseCounts } from '../../prep/choose-counts.ts'
import { matrixNamed } from '../../prep/counts-state.ts'
import { inspectDataset } from '../../prep/inspect-dataset.ts'
import { gatherLabels } from '../parts/label-facts.ts'
import { rulesOf } from '../rules.ts'
import type { InputFacts } from '../workflow.ts'
import { geneNames } from './facts.ts'
import { localInput, openInput } from './inputs.ts'
import { type Job, readJob } from './validate-job.ts'

/** What looking at one file may cost: a crafted file must not make this service read for ever. */
const budget = { requests: 600, bytes: 256 << 20 }

export async function inspectInput(state: InspectState, environment: Environment): Promise<FactsPart> {
  const stores = await openStores(environment)
  const job = await readJob(stores.work, state.job)
  const { inputs } = job
  const settings = cellSettings(job)
  const { input } = state
  const pin = inputs.find(({ role }) => role === input.role) ?? input
  const code = setting(environment, 'CELLDROP_CODE')
  const step = openStep(stores.work, { state: 'InspectInput', code, dependsOn: [input, settings] })
  const part = { role: input.role, key: `${step.prefix}facts.json` }
  if ((await step.record()) !== undefined) return part
  const { file, close, retold } = await lookAt(pin, stores)
  try {
    const layer = settings.counts_layer
    const inspection = await inspectDataset(file, {
      seed: settings.seed,
      ...(layer !== undefined && { countsLayer: layer }),
    })
    const rules = rulesOf(settings)
    const columns = rules.labelColumns(settings, input.role)
    const labels = columns === null ? null : await gatherLabels(file, columns)
    const told = rules.check({ role: input.role, inspection, labels }, settings)
    const { rawCounts, normalisationDetails } = inspection
    const counts = chooseCounts(
      { rawCounts, normalisation: normalisationDetails, checked: normalisationDetails.checked, notices: [] },
      {
        place: file.place,
        prefer: settings.prefer,
        unsafeForce: settings.unsafe_force,
        ...(layer !== undefined && { countsLayer: matrixNamed(file, layer) }),
      },
    )
    const identity = identityNotice(input.etag, file.place)
    const facts: InputFacts = {
      pin: input,
      inspection,
      counts,
      labels,
      notices: [
        ...inspection.notices,
        ...counts.notices,
        ...told,
        ...(identity === undefined ? [] : [identity]),
      ],
    }
    const names = geneNames(await file.genesOf(counts.matrix))
    await step.write('genes.json', jsonBytes(names))
    await step.write('facts.json', jsonBytes(facts))
    await step.finish({ value: null, notices: facts.notices, seconds: 0, peakMemory: 0 })
    return part
  } catch (error) {
    throw retold(error)
  } finally {
    await close()
  }
}

/** A job of another workflow has no inputs to be looked at. */
function cellSettings({ settings }: Job): CellSettings {
  if (settings.workflow === 'acquire') throw new Error('acquire has no inputs')
  return settings
}

/** By ranges; where a server knows none, all of it is fetched once, and kept for the steps. */
async function lookAt(pin: InputPin, stores: Stores) {
  try {
    const file = await openInput(pin, stores, { budget })
    return { file, close: () => file.close(), retold: (error: unknown) => error }
  } catch (error) {
    if (!isCoded(error) || error.code !== 'RANGES_UNSUPPORTED') throw error
  }
  const scratch = await mkdtemp(join(tmpdir(), 'celldrop-'))
  const { path, release } = await localInput(pin, { stores, scratch })
  const copy = await openCells(path)
  const { place } = await storeOf(pin, stores)
  // the copy's own path means nothing to anybody
  const shown = `${place}/${pin.key}`
  const file = { ...copy, place: shown }
  const retold = (error: unknown) =>
    isCoded(error) ? atPlace(error, error.place.replaceAll(path, shown)) : error
  const close = async () => {
    await copy.close()
    await release()
    await rm(scratch, { recursive: true, force: true })
  }
  return { file, close, retold }
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
