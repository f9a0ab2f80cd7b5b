import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Match, type Template } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { batchStates, functionStates, sourceReaders } from '../../lib/stacks/access.ts'
import { stateTimeouts } from '../../lib/stacks/definition.ts'
import { flat, onlyOne, resources, root, synthesise } from '../support/stacks.ts'

const { celldrop } = synthesise()
const timeouts = stateTimeouts(readFileSync(join(root, 'statemachines/pipeline.asl.json'), 'utf8'))

function named(template: Template, type: string, name: string): Record<string, unknown> {
  const found = resources(template, type).find(([id]) => new RegExp(`^${name}[0-9A-F]{8}$`).test(id))
  if (found === undefined) throw new Error(`no ${type} ${name}`)
  return found[1].Properties
}

describe('machines', () => {
  const kinds = ['CpuSpot', 'CpuOnDemand', 'GpuSpot', 'GpuOnDemand']
  const computeOf = (name: string) =>
    named(celldrop, 'AWS::Batch::ComputeEnvironment', `${name}Environment`).ComputeResources as Record<
      string,
      unknown
    >

  it('are of four kinds, none of which costs anything while nothing runs', () => {
    expect(resources(celldrop, 'AWS::Batch::ComputeEnvironment').length).toBe(4)
    for (const name of kinds) expect(computeOf(name)).toMatchObject({ MinvCpus: 0, MaxvCpus: 64 })
  })

  it('are taken on Spot where they are least likely to be reclaimed, and else on demand', () => {
    expect(kinds.map((name) => [computeOf(name).Type, computeOf(name).AllocationStrategy])).toEqual([
      ['SPOT', 'SPOT_PRICE_CAPACITY_OPTIMIZED'],
      ['EC2', 'BEST_FIT_PROGRESSIVE'],
      ['SPOT', 'SPOT_PRICE_CAPACITY_OPTIMIZED'],
      ['EC2', 'BEST_FIT_PROGRESSIVE'],
    ])
  })

  it('have one GPU of g5 or g6 each where they have any, and run Amazon Linux 2023', () => {
    expect(computeOf('CpuSpot')).toMatchObject({
      InstanceTypes: ['default_x86_64'],
      Ec2Configuration: [{ ImageType: 'ECS_AL2023' }],
    })
    const { InstanceTypes, Ec2Configuration } = computeOf('GpuSpot') as {
      InstanceTypes: string[]
      Ec2Configuration: unknown
    }
    expect(Ec2Configuration).toEqual([{ ImageType: 'ECS_AL2023_NVIDIA' }])
    expect(new Set(InstanceTypes.map((type) => type.split('.')[0]))).toEqual(new Set(['g5', 'g6']))
    expect(InstanceTypes).not.toContain('g5.12xlarge')
  })

  it('follow a changed launch template, and are changed in place without ending jobs at once', () => {
    for (const [, { Properties }] of resources(celldrop, 'AWS::Batch::ComputeEnvironment')) {
      const { LaunchTemplate } = Properties.ComputeResources as { LaunchTemplate: { Version: unknown } }
      expect(flat(LaunchTemplate.Version)).toMatch(/^<MachineTemplate\w+\.LatestVersionNumber>$/)
      expect(Properties.ReplaceComputeEnvironment).toBe(false)
      expect(Properties.UpdatePolicy).toEqual({
        JobExecutionTimeoutMinutes: 360,
        TerminateJobsOnUpdate: false,
      })
    }
  })

  it('ask for IMDSv2 within the host alone, encrypt their disk, and keep jobs from acting as the machine', () => {
    celldrop.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: {
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
        BlockDeviceMappings: [
          {
            DeviceName: '/dev/xvda',
            Ebs: { Encrypted: true, VolumeType: 'gp3', VolumeSize: 100, DeleteOnTermination: true },
          },
        ],
      },
    })
    const script = JSON.stringify(onlyOne(celldrop, 'AWS::EC2::LaunchTemplate'))
    expect(script).toContain('--destination 169.254.169.254 --match owner --uid-owner 10001 --jump REJECT')
    expect(script).toContain('ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=5m')
  })

  it('cancel a job that waits for what is not to be had: soon on Spot, and at once where no machine fits', () => {
    for (const name of kinds) {
      const limits = named(celldrop, 'AWS::Batch::JobQueue', `${name}Queue`).JobStateTimeLimitActions
      expect(limits).toEqual(
        [
          ['CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY', name.endsWith('Spot') ? 1200 : 21_600],
          ['MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE', 600],
          ['MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT', 600],
        ].map(([Reason, MaxTimeSeconds]) => ({
          Action: 'CANCEL',
          State: 'RUNNABLE',
          Reason,
          MaxTimeSeconds,
        })),
      )
    }
  })

  it('without GPU: two queues, no CUDA image', () => {
    const plain = synthesise({ gpu: false }).celldrop
    expect(resources(plain, 'AWS::Batch::JobQueue').length).toBe(2)
    const images = resources(plain, 'AWS::Batch::JobDefinition').map(([, { Properties }]) =>
      flat((Properties.ContainerProperties as { Image: unknown }).Image),
    )
    expect(new Set(images).size).toBe(1)
    expect(flat(named(plain, 'AWS::Lambda::Function', 'PlanCompute').Environment)).not.toContain('Gpu')
  })
})

describe('the network', () => {
  it('lets nothing in, has no NAT gateway and no paid endpoint', () => {
    expect(resources(celldrop, 'AWS::EC2::NatGateway')).toEqual([])
    expect(
      resources(celldrop, 'AWS::EC2::VPCEndpoint').map(([, { Properties }]) => Properties.VpcEndpointType),
    ).toEqual(['Gateway'])
    for (const [, { Properties }] of resources(celldrop, 'AWS::EC2::SecurityGroup'))
      expect(Properties.SecurityGroupIngress).toBeUndefined()
    expect(resources(celldrop, 'AWS::EC2::SecurityGroupIngress')).toEqual([])
  })

  it('moves the machines into private subnets where NAT gateways are asked for, and into as many zones as asked', () => {
    const chosen = synthesise({ natGateways: 1, zones: 3 }).celldrop
    expect(resources(chosen, 'AWS::EC2::NatGateway').length).toBe(1)
    const compute = named(chosen, 'AWS::Batch::ComputeEnvironment', 'CpuSpotEnvironment').ComputeResources
    const subnets = (compute as { Subnets: { Ref: string }[] }).Subnets.map(({ Ref }) => Ref)
    expect(subnets.length).toBe(3)
    for (const subnet of subnets) expect(subnet).toContain('Private')
  })

  it.each([0, 1])(
    'lets machines and functions out to hosts of the internet with %d NAT gateways',
    (natGateways) => {
      const { celldrop: made } = synthesise({ natGateways, sources: ['https://example.org/'] })
      const groups = resources(made, 'AWS::EC2::SecurityGroup').map(([, { Properties }]) => Properties)
      expect(groups.map(({ SecurityGroupEgress }) => SecurityGroupEgress)).toEqual([
        [expect.objectContaining({ CidrIp: '0.0.0.0/0', IpProtocol: '-1' })],
      ])
      // every subnet has a way out: by the internet gateway, or by a NAT gateway
      const subnets = resources(made, 'AWS::EC2::Subnet').length
      const ways = resources(made, 'AWS::EC2::Route').filter(
        ([, { Properties }]) => Properties.DestinationCidrBlock === '0.0.0.0/0',
      )
      expect(ways.length).toBe(subnets)
      // outside of the network a function has the internet
      for (const [, { Properties }] of resources(made, 'AWS::Lambda::Function'))
        expect(Properties.VpcConfig).toBeUndefined()
    },
  )
})

describe('jobs', () => {
  const jobOf = (state: string) => named(celldrop, 'AWS::Batch::JobDefinition', `${state}Job`)

  it.each(batchStates)(
    '%s runs its own main.ts with a read-only root, no rights, and one scratch volume',
    (state) => {
      const { ContainerProperties, PlatformCapabilities } = jobOf(state)
      expect(PlatformCapabilities).toEqual(['EC2'])
      expect(ContainerProperties).toMatchObject({
        Command: [`containers/${state.toLowerCase()}/main.ts`],
        ReadonlyRootFilesystem: true,
        User: '10001:10001',
        LinuxParameters: { InitProcessEnabled: true },
        MountPoints: [{ ContainerPath: '/scratch', SourceVolume: 'scratch' }],
        Volumes: [{ Name: 'scratch', Host: {} }],
      })
      expect(ContainerProperties).not.toHaveProperty('Privileged')
    },
  )

  it.each(batchStates)(
    '%s is tried again for a lost machine, an image and exit code 30, and for nothing else',
    (state) => {
      expect(jobOf(state).RetryStrategy).toEqual({
        Attempts: 3,
        EvaluateOnExit: [
          { Action: 'RETRY', OnStatusReason: 'Host EC2*' },
          { Action: 'RETRY', OnReason: 'CannotPullContainerError:*' },
          { Action: 'RETRY', OnExitCode: '30' },
          { Action: 'EXIT', OnReason: '*' },
        ],
      })
    },
  )

  it.each(batchStates)('%s ends within the time limit of its state, and outlives a deployment', (state) => {
    const { Timeout, ResourceRetentionPolicy } = jobOf(state)
    expect(Timeout).toEqual({ AttemptDurationSeconds: timeouts.get(state) })
    expect(ResourceRetentionPolicy).toEqual({ SkipDeregisterOnUpdate: true })
  })

  it.each(batchStates)(
    '%s is told its stores, its scratch, its region and the version of the code',
    (state) => {
      const { Environment } = jobOf(state).ContainerProperties as {
        Environment: { Name: string; Value: unknown }[]
      }
      const told = Object.fromEntries(Environment.map(({ Name, Value }) => [Name, flat(Value)]))
      expect(told).toEqual({
        CELLDROP_INBOX: 's3://<Inbox>',
        CELLDROP_WORK: 's3://<Work>',
        CELLDROP_MODELS: 's3://<Models>',
        CELLDROP_REFERENCES: 's3://<References>',
        CELLDROP_OUTBOX: 's3://<Outbox>',
        CELLDROP_CODE: expect.stringMatching(/^[0-9a-f]{16}$/),
        CELLDROP_SCRATCH: '/scratch',
        TMPDIR: '/scratch',
        HOME: '/scratch',
        AWS_REGION: '<AWS::Region>',
      })
    },
  )

  it('of Fit and Embed use the CUDA image, the others the smaller one', () => {
    const image = (state: string) => flat((jobOf(state).ContainerProperties as { Image: unknown }).Image)
    expect(image('Fit')).toBe(image('Embed'))
    expect(new Set(['Prepare', 'Label', 'Publish'].map(image)).size).toBe(1)
    expect(image('Fit')).not.toBe(image('Prepare'))
  })
})

describe('functions', () => {
  it.each([...functionStates, 'StarterStartJob'])(
    '%s run on Node 24 and arm64, within the time limit of their state',
    (name) => {
      const { Timeout, ...properties } = named(celldrop, 'AWS::Lambda::Function', name)
      expect(properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Handler: 'index.handler',
        TracingConfig: { Mode: 'Active' },
      })
      expect(properties).toHaveProperty('LoggingConfig.LogGroup')
      expect(Timeout).toBeLessThanOrEqual(Math.min(900, timeouts.get(name) ?? 900))
    },
  )

  it('are told the queues where they choose among them, and the default model where it is used', () => {
    const told = synthesise({ defaultModel: 'pbmc-sorted' }).celldrop
    const environment = (name: string) =>
      (named(told, 'AWS::Lambda::Function', name).Environment as { Variables: Record<string, unknown> })
        .Variables
    const queues = JSON.parse(flat(environment('PlanCompute').CELLDROP_QUEUES)) as Record<string, string>
    expect(Object.keys(queues)).toEqual(['cpuSpot', 'cpuOnDemand', 'gpuSpot', 'gpuOnDemand'])
    expect(queues.gpuSpot).toMatch(/^<GpuSpotQueue\w+\.JobQueueArn>$/)
    expect(environment('RetryElsewhere').CELLDROP_QUEUES).toEqual(environment('PlanCompute').CELLDROP_QUEUES)
    expect(environment('ValidateJob').CELLDROP_DEFAULT_MODEL).toBe('pbmc-sorted')
    for (const name of functionStates.filter((state) => state !== 'ValidateJob'))
      expect(environment(name)).not.toHaveProperty('CELLDROP_DEFAULT_MODEL')
    for (const name of functionStates) expect(environment(name)).not.toHaveProperty('CELLDROP_LOCAL_FILES')
  })

  it('plan with the machines that there are: how many processors they have at once, and how large their disks are', () => {
    const told = synthesise({ maxVcpus: 32, scratchGib: 300 }).celldrop
    const { Variables } = named(told, 'AWS::Lambda::Function', 'PlanCompute').Environment as {
      Variables: Record<string, unknown>
    }
    expect(Variables).toMatchObject({ CELLDROP_MAX_VCPUS: '32', CELLDROP_DISK_GIB: '300' })
    const { BlockDeviceMappings } = named(told, 'AWS::EC2::LaunchTemplate', 'MachineTemplate')
      .LaunchTemplateData as { BlockDeviceMappings: unknown }
    expect(BlockDeviceMappings).toMatchObject([{ Ebs: { VolumeSize: 300 } }])
  })
})

describe('sources of inputs', () => {
  const sources = ['s3://atlas/refs', 'https://example.org/']
  const told = synthesise({ sources }).celldrop
  const expected = (state: string) =>
    sourceReaders.has(state) ? 's3://atlas/refs,https://example.org/' : undefined

  it.each(functionStates)('are told to the function %s if it opens inputs', (state) => {
    const { Variables } = named(told, 'AWS::Lambda::Function', state).Environment as {
      Variables: Record<string, unknown>
    }
    expect(Variables.CELLDROP_SOURCES).toBe(expected(state))
  })

  it.each(batchStates)('are told to the step %s if it opens inputs', (state) => {
    const { ContainerProperties } = named(told, 'AWS::Batch::JobDefinition', `${state}Job`)
    const { Environment } = ContainerProperties as { Environment: { Name: string; Value: unknown }[] }
    expect(Environment.find(({ Name }) => Name === 'CELLDROP_SOURCES')?.Value).toBe(expected(state))
  })

  it('are told to nothing where there are none', () => {
    expect(JSON.stringify(celldrop.toJSON())).not.toContain('CELLDROP_SOURCES')
  })
})

describe('the state machine', () => {
  it('logs what it does without the data, and is traced', () => {
    celldrop.hasResourceProperties('AWS::StepFunctions::StateMachine', {
      LoggingConfiguration: { IncludeExecutionData: false, Level: 'ALL' },
      TracingConfiguration: { Enabled: true },
      StateMachineType: Match.absent(),
    })
  })
})

it('keeps every log for as long as was asked, and none for ever', () => {
  for (const [, { Properties }] of resources(celldrop, 'AWS::Logs::LogGroup'))
    expect(Properties.RetentionInDays).toBe(90)
})

it('has no custom resource and no function but those of the road', () => {
  expect(resources(celldrop).filter(([, { Type }]) => Type.startsWith('Custom::'))).toEqual([])
  expect(resources(celldrop, 'AWS::Lambda::Function').length).toBe(functionStates.length + 1)
})
