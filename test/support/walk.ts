/** The Lambdas of the road as functions, one after another, as far as a test wants to go; and what a refusal says. */
import type { RoadState } from '../../lib/job/road.ts'
import type { Environment } from '../../lib/job/stores.ts'
import { inspectInput } from '../../lib/workflows/road/inspect-input.ts'
import { mapGenes } from '../../lib/workflows/road/map-genes.ts'
import { matchOntology } from '../../lib/workflows/road/match-ontology.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'
import type { Installation } from './installation.ts'

const steps: [string, (state: RoadState, environment: Environment) => Promise<RoadState>][] = [
  ['ValidateJob', validateJob],
  ['InspectInput', inspectAll],
  ['MapGenes', mapGenes],
  ['MatchOntology', matchOntology],
  ['PlanCompute', planCompute],
]

/** As the Map state does: every input of the job. */
async function inspectAll(state: RoadState, environment: Environment): Promise<RoadState> {
  const { start, job } = state
  const facts = job!.inputs.map((input) => inspectInput({ start, job: job!, input }, environment))
  return { ...state, facts: await Promise.all(facts) }
}

export async function walk(
  state: RoadState,
  environment: Environment,
  upTo: 'ValidateJob' | 'InspectInput' | 'MapGenes' | 'MatchOntology' | 'PlanCompute',
): Promise<RoadState> {
  let at = state
  for (const [name, step] of steps) {
    at = await step(at, environment)
    if (name === upTo) return at
  }
  return at
}

/** What an object of a store holds. */
export async function readObject<Value>(lab: Installation, key: string): Promise<Value> {
  return JSON.parse(Buffer.from(await lab.stores.work.read(key, { maxBytes: 1 << 30 })).toString()) as Value
}

export function jobFile(lines: Record<string, unknown>): string {
  return JSON.stringify({ workflow: 'annotate', ...lines })
}
