/**
 * Machines that AWS Batch starts when a job waits and ends when none does (min vCPU 0), behind one queue each. Spot machines are taken
 * where they are least likely to be reclaimed; a job that waits for capacity, or that no machine could ever run, is cancelled, so that
 * the state machine goes on instead of waiting for days.
 *
 * Trap: CloudFormation makes a new version of a changed launch template, but Batch keeps the default one unless the number is named.
 */
import { Duration } from 'aws-cdk-lib'
import {
  AllocationStrategy,
  type CfnComputeEnvironment,
  DefaultInstanceClass,
  EcsMachineImageType,
  JobQueue,
  JobStateTimeLimitActionsAction,
  JobStateTimeLimitActionsReason,
  JobStateTimeLimitActionsState,
  ManagedEc2EcsComputeEnvironment,
} from 'aws-cdk-lib/aws-batch'
import {
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  InstanceClass,
  InstanceSize,
  InstanceType,
  LaunchTemplate,
  MultipartBody,
  MultipartUserData,
  UserData,
} from 'aws-cdk-lib/aws-ec2'
import { type IRole, ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Construct } from 'constructs'
import type { Network } from './network.ts'

export interface MachinesProps {
  network: Network
  maxVcpus: number
  spot: boolean
  gpu: boolean
  template: LaunchTemplate
  role: IRole
}

/** How long a job may wait for machines that are not to be had, before the state machine sends it elsewhere. */
const spotPatience = Duration.minutes(20)
const onDemandPatience = Duration.hours(6)
const misfitPatience = Duration.minutes(10)
/** Machines of one GPU each: no step uses two. */
const gpuSizes = [
  InstanceSize.XLARGE,
  InstanceSize.XLARGE2,
  InstanceSize.XLARGE4,
  InstanceSize.XLARGE8,
  InstanceSize.XLARGE16,
]

export class Machines extends Construct {
  readonly queue: JobQueue
  readonly environment: ManagedEc2EcsComputeEnvironment

  constructor(scope: Construct, id: string, { network, maxVcpus, spot, gpu, template, role }: MachinesProps) {
    super(scope, id)
    const gpuTypes = [InstanceClass.G5, InstanceClass.G6].flatMap((family) =>
      gpuSizes.map((size) => InstanceType.of(family, size)),
    )
    this.environment = new ManagedEc2EcsComputeEnvironment(this, 'Environment', {
      vpc: network.vpc,
      vpcSubnets: network.subnets,
      securityGroups: [network.securityGroup],
      spot,
      minvCpus: 0,
      maxvCpus: maxVcpus,
      allocationStrategy: spot
        ? AllocationStrategy.SPOT_PRICE_CAPACITY_OPTIMIZED
        : AllocationStrategy.BEST_FIT_PROGRESSIVE,
      // unless told so, CDK adds machines without a GPU to a list of others
      ...(gpu
        ? { instanceTypes: gpuTypes, useOptimalInstanceClasses: false }
        : { defaultInstanceClasses: [DefaultInstanceClass.X86_64] }),
      images: [{ imageType: gpu ? EcsMachineImageType.ECS_AL2023_NVIDIA : EcsMachineImageType.ECS_AL2023 }],
      instanceRole: role,
      launchTemplate: template,
      replaceComputeEnvironment: false,
      updateToLatestImageVersion: true,
      terminateOnUpdate: false,
      updateTimeout: Duration.minutes(360),
    })
    const resource = this.environment.node.defaultChild as CfnComputeEnvironment
    resource.addPropertyOverride('ComputeResources.LaunchTemplate.Version', template.latestVersionNumber)
    this.queue = new JobQueue(this, 'Queue', {
      computeEnvironments: [{ computeEnvironment: this.environment, order: 1 }],
      jobStateTimeLimitActions: [
        limit(
          JobStateTimeLimitActionsReason.INSUFFICIENT_INSTANCE_CAPACITY,
          spot ? spotPatience : onDemandPatience,
        ),
        limit(JobStateTimeLimitActionsReason.COMPUTE_ENVIRONMENT_MAX_RESOURCE, misfitPatience),
        limit(JobStateTimeLimitActionsReason.JOB_RESOURCE_REQUIREMENT, misfitPatience),
      ],
    })
  }
}

function limit(reason: JobStateTimeLimitActionsReason, maxTime: Duration) {
  const [action, state] = [JobStateTimeLimitActionsAction.CANCEL, JobStateTimeLimitActionsState.RUNNABLE]
  return { action, state, reason, maxTime }
}

/** What the ECS agent of every machine may do; jobs have roles of their own. */
export function machineRole(scope: Construct): Role {
  const role = new Role(scope, 'MachineRole', {
    assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
    description: 'Celldrop: the ECS agent on machines of AWS Batch',
    managedPolicies: [
      ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonEC2ContainerServiceforEC2Role'),
    ],
  })
  return role
}

/** An encrypted disk, IMDSv2 for the host alone, and the agent told to clear up after each job. */
export function machineTemplate(scope: Construct, { scratchGib }: { scratchGib: number }): LaunchTemplate {
  const commands = UserData.forLinux()
  commands.addCommands(
    // a finished job's scratch volume is removed with its container: the default of three hours fills the disk
    'echo ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=5m >> /etc/ecs/ecs.config',
    // jobs share the host's network: without this the code that reads untrusted files could act as the machine
    'iptables --insert OUTPUT --destination 169.254.169.254 --match owner --uid-owner 10001 --jump REJECT',
  )
  const userData = new MultipartUserData()
  userData.addPart(MultipartBody.fromUserData(commands))
  return new LaunchTemplate(scope, 'MachineTemplate', {
    requireImdsv2: true,
    httpPutResponseHopLimit: 1,
    userData,
    blockDevices: [
      {
        deviceName: '/dev/xvda',
        volume: BlockDeviceVolume.ebs(scratchGib, {
          encrypted: true,
          volumeType: EbsDeviceVolumeType.GP3,
          deleteOnTermination: true,
        }),
      },
    ],
  })
}
