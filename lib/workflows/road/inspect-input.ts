/**
 * InspectInput: looks at one input by range reads and never downloads it. Leaves the facts of the file, where its counts are and what its
 * genes are called; refuses what no later step could use, before a machine is started for it.
 */
import type { Table } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import type { FactsPart, InspectState } from '../../job/road.ts'
import { openStep } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { chooseCounts } from '../../prep/choose-counts.ts'
import { matrixNamed } from '../../prep/counts-state.ts'
import { inspectDataset } from '../../prep/inspect-dataset.ts'
import { rules } from '../rules.ts'
import type { InputFacts } from '../workflow.ts'
import type { GeneNames } from './facts.ts'
import { openInput } from './inputs.ts'
import { readJob } from './validate-job.ts'

/** What looking at one file may cost: a crafted file must not make this service read for ever. */
const budget = { requests: 600, bytes: 256 << 20 }

export async function inspectInput(state: InspectState, environment: Environment): Promise<FactsPart> {
  const stores = await openStores(environment)
  const { settings } = await readJob(stores.work, state.job)
  const { input } = state
  const code = setting(environment, 'CELLDROP_CODE')
  const step = openStep(stores.work, { state: 'InspectInput', code, dependsOn: [input, settings] })
  const part = { role: input.role, key: `${step.prefix}facts.json` }
  if ((await step.record()) !== undefined) return part
  const file = await openInput(input, stores, { budget })
  try {
    const layer = settings.counts_layer
    const inspection = await inspectDataset(file, {
      seed: settings.seed,
      ...(layer !== undefined && { countsLayer: layer }),
    })
    rules[settings.workflow].check(inspection, settings)
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
    const facts: InputFacts = {
      pin: input,
      inspection,
      counts,
      notices: [...inspection.notices, ...counts.notices],
    }
    const names = geneNames(await file.genesOf(counts.matrix))
    await step.write('genes.json', jsonBytes(names))
    await step.write('facts.json', jsonBytes(facts))
    await step.finish({ value: null, notices: facts.notices, seconds: 0, peakMemory: 0 })
    return part
  } finally {
    await file.close()
  }
}

function geneNames(table: Table): GeneNames[] {
  const candidates: GeneNames[] = [{ column: null, names: table.index }]
  for (const [column, content] of table.columns) {
    const names = columnTexts(content)
    // a column of constants or of a few categories names no genes
    if (names !== undefined && new Set(names).size * 2 > names.length) candidates.push({ column, names })
  }
  return candidates
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
