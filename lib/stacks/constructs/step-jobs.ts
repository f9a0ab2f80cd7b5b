/**
 * The job definition of each Batch state: its image and command, a role of its own, a read-only root with one scratch volume, and which
 * ends are tried again at once on the same queue: a machine that was taken, an image that could not be pulled, and exit code 30 (a store
 * did not answer). Everything else goes to the state machine, which decides.
 */
import { type Duration, Size, Stack } from 'aws-cdk-lib'
import {
  Action,
  EcsEc2ContainerDefinition,
  EcsJobDefinition,
  EcsVolume,
  Secret as JobSecret,
  LinuxParameters,
  Reason,
  RetryStrategy,
} from 'aws-cdk-lib/aws-batch'
import { type ContainerImage, LogDriver } from 'aws-cdk-lib/aws-ecs'
import { PolicyDocument, type PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import type { BatchState } from '../../job/road.ts'

export interface StepJobProps {
  image: ContainerImage
  environment: Record<string, string>
  statements: PolicyStatement[]
  executionRole: Role
  /** by the variable that the job finds it in */
  secrets?: Record<string, ISecret>
  logGroup: ILogGroup
  /** of one attempt */
  timeout: Duration
}

const attempts = 3
const scratch = '/scratch'
/** as in containers/Dockerfile */
const user = '10001:10001'

export function stepJob(scope: Construct, state: BatchState, props: StepJobProps): EcsJobDefinition {
  const { image, environment, statements, executionRole, secrets, logGroup, timeout } = props
  const jobRole = new Role(scope, `${state}Role`, {
    assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
    description: `Celldrop: ${state}`,
    inlinePolicies: { Access: new PolicyDocument({ statements }) },
  })
  const container = new EcsEc2ContainerDefinition(scope, `${state}Container`, {
    image,
    command: [`containers/${state.toLowerCase()}/main.ts`],
    // PlanCompute decides for each job; these stand where it says nothing
    cpu: 2,
    memory: Size.gibibytes(2),
    jobRole,
    executionRole,
    user,
    readonlyRootFilesystem: true,
    volumes: [EcsVolume.host({ name: 'scratch', containerPath: scratch })],
    linuxParameters: new LinuxParameters(scope, `${state}Linux`, { initProcessEnabled: true }),
    logging: LogDriver.awsLogs({ logGroup, streamPrefix: state.toLowerCase() }),
    environment: {
      ...environment,
      CELLDROP_SCRATCH: scratch,
      TMPDIR: scratch,
      HOME: scratch,
      // ECS on EC2 sets none, and the job cannot ask its machine
      AWS_REGION: Stack.of(scope).region,
    },
    ...(secrets !== undefined && { secrets: jobSecrets(secrets) }),
  })
  return new EcsJobDefinition(scope, `${state}Job`, {
    jobDefinitionName: jobName(scope, state),
    container,
    retryAttempts: attempts,
    retryStrategies: [
      RetryStrategy.of(Action.RETRY, Reason.SPOT_INSTANCE_RECLAIMED),
      RetryStrategy.of(Action.RETRY, Reason.CANNOT_PULL_CONTAINER),
      RetryStrategy.of(Action.RETRY, Reason.custom({ onExitCode: '30' })),
      RetryStrategy.of(Action.EXIT, Reason.custom({ onReason: '*' })),
    ],
    timeout,
    // executions under way go on with the definition that they began with
    skipDeregisterOnUpdate: true,
  })
}

function jobSecrets(secrets: Record<string, ISecret>): Record<string, JobSecret> {
  const entries = Object.entries(secrets)
  return Object.fromEntries(entries.map(([name, secret]) => [name, JobSecret.fromSecretsManager(secret)]))
}

/** Known beforehand, so that the state machine's role can name all revisions of the definition and no other one. */
export function jobName(scope: Construct, state: BatchState): string {
  return `${Stack.of(scope).stackName}-${state}`
}

/** What the ECS agent does for a job before it runs: pull its image, open its log. */
export function jobExecutionRole(scope: Construct, id = 'JobExecutionRole'): Role {
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
    description: 'Celldrop: pulls images and writes logs for jobs of AWS Batch',
  })
  return role
}

/** A secret that is there already, by its name or ARN; an ARN may lack the six characters that Secrets Manager adds. */
export function tokenSecret(scope: Construct, named: string): ISecret {
  const id = 'SynapseToken'
  if (!named.startsWith('arn:')) return Secret.fromSecretNameV2(scope, id, named)
  return /-[A-Za-z0-9]{6}$/.test(named)
    ? Secret.fromSecretCompleteArn(scope, id, named)
    : Secret.fromSecretPartialArn(scope, id, named)
}
