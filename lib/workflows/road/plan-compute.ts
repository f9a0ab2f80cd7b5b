/** PlanCompute: from facts to machines. Shards, queue, memory and expected time of every step, and the road file that the Batch steps go by. */
import { hashOf } from '../../job/canonical.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { Settings } from '../../job/manifest.ts'
import type { BatchState, PlanPart, RoadState, StepPlan } from '../../job/road.ts'
import { readJson, type StepRecord, writeJsonOnce } from '../../job/steps.ts'
import { type Environment, openStores, setting } from '../../job/stores.ts'
import { findModel, type ModelSummary } from '../../models/bundle.ts'
import { familyOf } from '../../models/stored-model.ts'
import { afterPrepareOf } from '../rules.ts'
import type { GeneMaps, LabelTerm, Road } from '../workflow.ts'
import { type DecodeWork, decodeWork } from './decode-work.ts'
import { requireDisk } from './disk-room.ts'
import { readFacts } from './facts.ts'
import { missingPart } from './failure.ts'
import { type FitWork, fitWork } from './fit-work.ts'
import type { Queues } from './machines.ts'
import { identityOf, openRoadStep } from './road-steps.ts'
import { type Demand, memoryOf } from './step-memory.ts'
import { learntOf, nothing, type Size, sizeOf, together, typesOf } from './step-sizes.ts'
import { readJob } from './validate-job.ts'

/** Where dollars are known: list price of a vCPU with 2 GiB on Spot, us-east-1, to be checked by who deploys. */
const dollarsPerVcpuHour = 0.02
/** Stored numbers of a matrix that one shard may hold: about a gigabyte of memory while it is scored. */
const numbersPerShard = 60e6
const fewestShards = 2
const mostShards = 10_000
/** Fit shares its cells out among eight threads at most (lib/models/training-memory.ts), and asks for as many where it would take long. */
const mostThreads = 8
const longFit = 600
/** where the installation does not say how many a machine may have */
const fewestVcpus = 2

export async function planCompute(state: RoadState, environment: Environment): Promise<RoadState> {
  const { job, facts = [], genes, ontology } = state
  if (job === undefined || genes === undefined || ontology === undefined) throw missingPart('genes, ontology')
  const stores = await openStores(environment)
  const { work, models } = stores
  const made = await readJob(work, job)
  const { workflow, settings, inputs, documents } = made
  const labels = (await readJson<Record<string, LabelTerm>>(work, ontology.key)) ?? {}
  const all = await Promise.all(facts.map((part) => readFacts(work, part)))
  const matched = inputs.map((pin) => ({ pin, facts: all.find(({ pin: seen }) => seen.role === pin.role)! }))
  const [given = nothing, ...references] = matched.map(({ facts: seen }) => sizeOf(seen))
  // cells of an atlas go the way of those of the query
  const query = settings.workflow === 'map-atlas' ? together([given, ...references]) : given
  const shards = shardsOf(query)
  const types = typesOf(
    matched.map(({ facts: seen }) => seen.labels),
    { settings, terms: labels },
  )
  const afterPrepare = afterPrepareOf(settings)
  const found = await Promise.all(made.models.map((id) => findModel(models, id)))
  const classes = found.length === 0 ? types : found.reduce((sum, model) => sum + model.labels, 0)
  const learnt = learntOf(references, { settings, query: given, labels: classes })
  const fit = fitWork(settings, { learnt, labels: classes })
  const decoded = found[0]?.genes ?? Math.min(learnt.genes, await mappedGenes(work, genes.key))
  const decoding = decodeWork(settings, { query: given, atlas: together(references), genes: decoded })
  const demand: PlanDemand = {
    ...{ query, shards, labels: classes, compute: 'compute' in settings ? settings.compute : 'cpu' },
    references: together(references),
    largestReference: references.reduce((most, { cells }) => Math.max(most, cells), 0),
    learnt,
    writesTraining: settings.workflow === 'type-cells' && settings.write_training,
    scorings: Math.max(1, found.length),
    findsInputs: afterPrepare === 'Publish',
    ...(fit !== undefined && { fit }),
    ...(decoding !== undefined && { decoding }),
    ...networkDemand(settings, { found, genes: (learnt.cells === 0 ? query : learnt).genes }),
    mostVcpus: Number(environment.CELLDROP_MAX_VCPUS ?? fewestVcpus),
  }
  const queues = JSON.parse(setting(environment, 'CELLDROP_QUEUES')) as Queues
  const isLocal = environment.CELLDROP_LOCAL_FILES === '1'
  const expected = demand.findsInputs ? { minutes: null, dollars: null } : expectation(demand, isLocal)
  const notices = [
    ...made.notices,
    ...(await noticesOf(work, genes.key.replace(/genes\.json$/, 'record.json'))),
    ...(await noticesOf(work, ontology.key.replace(/labels\.json$/, 'record.json'))),
  ]
  if (demand.compute === 'gpu' && queues.gpuSpot === undefined) notices.push(noGpu)
  const road: Road = {
    workflow,
    settings,
    inputs: matched,
    documents,
    models: made.models,
    genes: genes.key,
    labels,
    shards,
    notices,
    expected,
  }
  const key = `roads/${hashOf(road)}.json`
  await requireDisk(
    {
      ...{ bytes: decoding?.bytes ?? 0, genes: decoding?.genes ?? 0, inputs, output: state.start.output },
      blocks: openRoadStep(work, {
        ...{ state: 'Embed', code: setting(environment, 'CELLDROP_CODE'), roadKey: key, afterPrepare },
        job: identityOf(state.start, job.name),
      }).prefix,
    },
    { stores, environment },
  )
  await writeJsonOnce(work, key, road)
  const plan: PlanPart = {
    road: key,
    afterPrepare,
    shards,
    steps: stepPlans(demand, queues),
    expected,
    retries: 0,
  }
  return { ...state, plan }
}

/** @param of.genes of which some are those of a model that is yet to be made */
function networkDemand(
  settings: Settings,
  { found, genes }: { found: readonly ModelSummary[]; genes: number },
): Pick<Demand, 'network'> {
  const [model] = found.filter((one) => familyOf(one) === 'network')
  if (model === undefined && settings.workflow !== 'fit-reference') return {}
  const isOwnMap =
    settings.workflow === 'annotate' && (settings.umap_space === 'pca' || settings.majority_voting)
  return {
    network: {
      // the widest layers of encoder and decoder, at their usual width
      weights: 3 * 256 * (model?.genes ?? genes),
      referenceCells: settings.workflow === 'annotate' ? (model?.referenceCells ?? 0) : 0,
      drawsComponents: isOwnMap,
      isOnGpu: 'compute' in settings && settings.compute === 'gpu',
    },
  }
}

const noGpu: ErrorReport = {
  code: 'COMPUTE_NO_GPU',
  place: 'compute',
  problem: 'the job asks for a GPU and this installation has none: it is computed on processors',
  remedy: 'Leave out compute, or deploy the stack with GPUs',
}

interface PlanDemand extends Demand {
  /** models that each cell is scored by */
  scorings: number
  /** where something is trained */
  fit?: FitWork
  /** where a decoder is asked, too */
  decoding?: DecodeWork
  /** that a machine may have */
  mostVcpus: number
  compute: 'auto' | 'cpu' | 'gpu'
}

function shardsOf({ cells, stored }: Size): number {
  const wanted = Math.ceil(stored / numbersPerShard)
  return Math.min(mostShards, Math.max(fewestShards, Math.min(wanted, cells)))
}

function fitVcpus({ fit, mostVcpus }: PlanDemand): number {
  const wanted = fit?.spreads && fit.seconds > longFit ? mostThreads : fewestVcpus
  return Math.max(fewestVcpus, Math.min(wanted, mostVcpus))
}

function stepPlans(demand: PlanDemand, queues: Queues): Record<BatchState, StepPlan> {
  const gpuOf = (state: BatchState) =>
    demand.compute === 'gpu' && (state === 'Fit' || state === 'Embed') ? queues.gpuSpot : undefined
  const plan = (state: BatchState, vcpus = 2): StepPlan => ({
    queue: gpuOf(state) ?? queues.cpuSpot,
    resources: [
      { Type: 'VCPU', Value: String(vcpus) },
      { Type: 'MEMORY', Value: String(memoryOf(state, demand)) },
      ...(gpuOf(state) === undefined ? [] : [{ Type: 'GPU' as const, Value: '1' }]),
    ],
  })
  return {
    Prepare: plan('Prepare'),
    Fit: plan('Fit', fitVcpus(demand)),
    // one thread scores a shard
    Embed: plan('Embed', 1),
    Label: plan('Label'),
    Publish: plan('Publish'),
  }
}

/** Throughput on two vCPUs, from BENCHMARKS.md; a job in the cloud waits about three minutes for each machine besides. */
function expectation(demand: PlanDemand, isLocal: boolean): PlanPart['expected'] {
  const { query, references, shards } = demand
  const seconds = {
    prepare: (query.stored + references.stored) / 6e6,
    fit: demand.fit?.seconds ?? 0,
    embed: (query.stored * demand.scorings) / 40e6 + (demand.decoding?.embed ?? 0),
    label: query.cells / 2500,
    publish: query.stored / 30e6 + query.cells / 50_000 + (demand.decoding?.publish ?? 0),
  }
  const working = seconds.prepare + seconds.fit + seconds.embed + seconds.label + seconds.publish
  if (isLocal) return { minutes: round((working + 5) / 60), dollars: null }
  const waiting = (demand.fit === undefined ? 4 : 5) * 180
  const fit = (seconds.fit * fewestVcpus) / fitVcpus(demand)
  const wall = seconds.prepare + fit + seconds.embed / shards + seconds.label + seconds.publish + waiting
  const dollars = ((working + waiting + shards * 60) / 3600) * 2 * dollarsPerVcpuHour
  return { minutes: round(wall / 60), dollars: Math.ceil(dollars * 100) / 100 }
}

function round(minutes: number): number {
  return Math.ceil(minutes * 10) / 10
}

async function noticesOf(work: Parameters<typeof readJson>[0], key: string) {
  return (await readJson<StepRecord>(work, key))?.notices ?? []
}

/** Those of a panel are fewer than those of the file. */
async function mappedGenes(work: Parameters<typeof readJson>[0], key: string): Promise<number> {
  return (await readJson<Partial<GeneMaps>>(work, key))?.genes?.length ?? Number.POSITIVE_INFINITY
}
