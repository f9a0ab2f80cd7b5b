/** Everything that works: functions, machines, the state machine and what starts and watches it, around the buckets of the storage stack. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CfnOutput, Duration, Fn, RemovalPolicy, Stack, Tags } from 'aws-cdk-lib'
import type { EcsJobDefinition } from 'aws-cdk-lib/aws-batch'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import { ContainerImage } from 'aws-cdk-lib/aws-ecs'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { codeVersion } from '../job/code-version.ts'
import type { BatchState } from '../job/road.ts'
import {
  access,
  batchStates,
  type FunctionState,
  functionStates,
  sourceReaders,
  synapseReaders,
} from './access.ts'
import { stateFunction } from './constructs/function.ts'
import { Machines, machineRole, machineTemplate } from './constructs/machines.ts'
import { Network } from './constructs/network.ts'
import { Notifications } from './constructs/notifications.ts'
import { Pipeline } from './constructs/pipeline.ts'
import { sourceGrants } from './constructs/source-grants.ts'
import { Starter } from './constructs/starter.ts'
import { jobExecutionRole, type StepJobProps, stepJob, tokenSecret } from './constructs/step-jobs.ts'
import { type Storage, storeGrants } from './constructs/store-grants.ts'
import { UserPolicies } from './constructs/user-policies.ts'
import { Watch } from './constructs/watch.ts'
import { stateTimeouts } from './definition.ts'
import type { CelldropProps } from './props.ts'
import { listSources } from './sources.ts'

const longestFunction = 900
/** MiB. A Lambda has a processor's share by its memory, and one whole at 1769. */
const functionMemory: Record<FunctionState, number> = {
  ValidateJob: 512,
  InspectInput: 3008,
  MapGenes: 3008,
  MatchOntology: 1769,
  PlanCompute: 1024,
  RetryElsewhere: 512,
  ReportFailure: 512,
}

type QueueName = 'cpuSpot' | 'cpuOnDemand' | 'gpuSpot' | 'gpuOnDemand'

export interface CelldropStackProps extends CelldropProps {
  /** the repository */
  root: string
  storage: Storage
}

export class CelldropStack extends Stack {
  private readonly props: CelldropStackProps
  private readonly stores: Record<string, string>
  private readonly timeouts: Map<string, number>

  constructor(scope: Construct, id: string, props: CelldropStackProps) {
    super(scope, id, {
      description: 'Celldrop: drop a single-cell file into a bucket, get it back annotated',
    })
    this.props = props
    const { root, storage, notificationEmail: email, monthlyBudget, logDays } = props
    const { key, buckets } = storage
    Tags.of(this).add('celldrop:stack', id)
    const definition = readFileSync(join(root, 'statemachines/pipeline.asl.json'), 'utf8')
    this.timeouts = stateTimeouts(definition)
    this.stores = {
      CELLDROP_INBOX: `s3://${buckets.inbox.bucketName}`,
      CELLDROP_WORK: `s3://${buckets.work.bucketName}`,
      CELLDROP_MODELS: `s3://${buckets.models.bucketName}`,
      CELLDROP_REFERENCES: `s3://${buckets.references.bucketName}`,
      CELLDROP_OUTBOX: `s3://${buckets.outbox.bucketName}`,
      CELLDROP_CODE: codeVersion(root),
    }
    const notifications = new Notifications(this, 'Notifications', { key, email })
    const { topic } = notifications
    const machines = this.machines()
    const queues = Object.values(machines).map(({ queue }) => queue)
    notifications.tellOfBlockedQueues(queues.map(({ jobQueueArn }) => jobQueueArn))
    const functions = this.functions(machines)
    const jobs = this.jobs()
    const { stateMachine } = new Pipeline(this, 'Pipeline', {
      definition,
      functions,
      jobs,
      queues,
      topic,
      key,
      logDays,
    })
    const starter = new Starter(this, 'Starter', { root, inbox: buckets.inbox, stateMachine, logDays })
    const { deadLetters } = starter
    const watched = { ...functions, StartJob: starter.function }
    new Watch(this, 'Watch', { stateMachine, functions: watched, deadLetters, topic, monthlyBudget })
    const policies = new UserPolicies(this, 'Policies', { storage, stateMachine })
    this.output('Inbox', `s3://${buckets.inbox.bucketName}`, 'drop files here')
    this.output('Outbox', `s3://${buckets.outbox.bucketName}`, 'results appear here')
    this.output('Models', `s3://${buckets.models.bucketName}`, 'store of models')
    this.output('References', `s3://${buckets.references.bucketName}`, 'store of acquired references')
    this.output('StateMachine', stateMachine.stateMachineArn, 'one execution for each job')
    this.output('UserPolicy', policies.user.managedPolicyArn, 'for roles of people who submit jobs')
    this.output(
      'ModelKeeperPolicy',
      policies.modelKeeper.managedPolicyArn,
      'for roles of people who add models',
    )
  }

  /** Without an account and a region CDK would take two and no more. */
  override get availabilityZones(): string[] {
    return Array.from({ length: this.props.zones }, (_, i) => Fn.select(i, Fn.getAzs()))
  }

  private machines(): Partial<Record<QueueName, Machines>> {
    const { natGateways, zones, maxVcpus, scratchGib, gpu: hasGpu } = this.props
    const network = new Network(this, 'Network', { natGateways, zones })
    const role = machineRole(this)
    const template = machineTemplate(this, { scratchGib })
    const make = (name: string, kind: { spot: boolean; gpu: boolean }) =>
      new Machines(this, name, { network, maxVcpus, role, template, ...kind })
    return {
      cpuSpot: make('CpuSpot', { spot: true, gpu: false }),
      cpuOnDemand: make('CpuOnDemand', { spot: false, gpu: false }),
      ...(hasGpu && {
        gpuSpot: make('GpuSpot', { spot: true, gpu: true }),
        gpuOnDemand: make('GpuOnDemand', { spot: false, gpu: true }),
      }),
    }
  }

  private functions(machines: Partial<Record<QueueName, Machines>>): Record<FunctionState, LambdaFunction> {
    const { root, defaultModel, maxVcpus, scratchGib, logDays } = this.props
    const queues = Object.fromEntries(
      Object.entries(machines).map(([name, { queue }]) => [name, queue.jobQueueArn]),
    )
    const makes = functionStates.map((state) => {
      const folder = state.replace(/(?!^)[A-Z]/g, '-$&').toLowerCase()
      const environment = {
        ...this.placesOf(state),
        ...((state === 'PlanCompute' || state === 'RetryElsewhere') && {
          CELLDROP_QUEUES: this.toJsonString(queues),
        }),
        ...(state === 'PlanCompute' && {
          CELLDROP_MAX_VCPUS: String(maxVcpus),
          CELLDROP_DISK_GIB: String(scratchGib),
        }),
        ...(state === 'ValidateJob' &&
          defaultModel !== undefined && { CELLDROP_DEFAULT_MODEL: defaultModel }),
      }
      const made = stateFunction(this, state, {
        root,
        folder,
        description: `Celldrop: ${state}`,
        memory: functionMemory[state],
        timeout: Duration.seconds(Math.min(longestFunction, this.timeoutOf(state))),
        environment,
        statements: this.grantsOf(state),
        logDays,
      })
      return [state, made]
    })
    return Object.fromEntries(makes)
  }

  private jobs(): Record<BatchState, EcsJobDefinition> {
    const { gpu, logDays } = this.props
    const logGroup = new LogGroup(this, 'JobLogs', {
      logGroupName: `/celldrop/${this.stackName}/jobs`,
      retention: logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    })
    const executionRole = jobExecutionRole(this)
    const synapse = this.synapse()
    const cpuImage = this.image('cpu')
    // one definition serves both kinds of machine: the CUDA image computes on CPUs too
    const trainImage = gpu ? this.image('cuda') : cpuImage
    const makes = batchStates.map((state) => [
      state,
      stepJob(this, state, {
        image: state === 'Fit' || state === 'Embed' ? trainImage : cpuImage,
        environment: this.placesOf(state),
        statements: this.grantsOf(state),
        ...(synapse !== undefined && synapseReaders.has(state) ? synapse : { executionRole }),
        logGroup,
        timeout: Duration.seconds(this.timeoutOf(state)),
      }),
    ])
    return Object.fromEntries(makes)
  }

  /** The token is fetched by the role that starts a job: those that get none are started by another. */
  private synapse(): Pick<StepJobProps, 'executionRole' | 'secrets'> | undefined {
    const { synapseSecret } = this.props
    if (synapseSecret === undefined) return undefined
    return {
      executionRole: jobExecutionRole(this, 'SynapseExecutionRole'),
      secrets: { SYNAPSE_AUTH_TOKEN: tokenSecret(this, synapseSecret) },
    }
  }

  private placesOf(state: FunctionState | BatchState): Record<string, string> {
    const { sources } = this.props
    if (sources.length === 0 || !sourceReaders.has(state)) return this.stores
    return { ...this.stores, CELLDROP_SOURCES: listSources(sources) }
  }

  private grantsOf(state: FunctionState | BatchState): PolicyStatement[] {
    const { storage, sources } = this.props
    const own = storeGrants(access[state], storage)
    return sourceReaders.has(state) ? [...own, ...sourceGrants(this, sources)] : own
  }

  private image(target: 'cpu' | 'cuda'): ContainerImage {
    return ContainerImage.fromAsset(this.props.root, {
      file: 'containers/Dockerfile',
      target,
      platform: Platform.LINUX_AMD64,
      assetName: `celldrop-${target}`,
    })
  }

  private timeoutOf(state: string): number {
    const seconds = this.timeouts.get(state)
    if (seconds === undefined) throw new Error(`${state} has no TimeoutSeconds in the state machine`)
    return seconds
  }

  private output(name: string, value: string, description: string): void {
    new CfnOutput(this, name, { value, description })
  }
}
