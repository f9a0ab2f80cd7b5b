/**
 * The state machine, from statemachines/pipeline.asl.json as it stands: the same file that a laptop runs. The names in `${...}` are filled
 * in here. CDK grants nothing for a definition that is text, so its role is written out: what it calls, and nothing else (a test compares).
 */
import { RemovalPolicy, Stack } from 'aws-cdk-lib'
import type { EcsJobDefinition, JobQueue } from 'aws-cdk-lib/aws-batch'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import type { BatchState } from '../../job/road.ts'
import { batchStates, type FunctionState, functionStates } from '../access.ts'
import { jobName } from './step-jobs.ts'

export interface PipelineProps {
  /** text of the definition */
  definition: string
  functions: Record<FunctionState, IFunction>
  jobs: Record<BatchState, EcsJobDefinition>
  queues: JobQueue[]
  topic: ITopic
  key: IKey
  logDays: number
}

export class Pipeline extends Construct {
  readonly stateMachine: StateMachine

  constructor(scope: Construct, id: string, props: PipelineProps) {
    super(scope, id)
    const { definition, functions, jobs, topic, logDays } = props
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: 'Celldrop: the state machine',
    })
    this.stateMachine = new StateMachine(this, 'StateMachine', {
      definitionBody: DefinitionBody.fromString(definition),
      definitionSubstitutions: {
        ...Object.fromEntries(functionStates.map((state) => [state, functions[state].functionArn])),
        ...Object.fromEntries(batchStates.map((state) => [`${state}Job`, jobs[state].jobDefinitionArn])),
        NotificationTopic: topic.topicArn,
      },
      role,
      tracingEnabled: true,
      logs: {
        // the log of a state machine with its data would hold names of files and labels
        includeExecutionData: false,
        level: LogLevel.ALL,
        destination: new LogGroup(this, 'Logs', {
          logGroupName: `/aws/vendedlogs/states/${Stack.of(this).stackName}`,
          retention: logDays as RetentionDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      },
    })
    for (const statement of this.statements(props)) role.addToPolicy(statement)
  }

  private statements({ functions, queues, topic, key }: PipelineProps): PolicyStatement[] {
    const arn = (service: string, resource: string) => Stack.of(this).formatArn({ service, resource })
    const revisions = batchStates.flatMap((state) => {
      const name = `job-definition/${jobName(this, state)}`
      return [arn('batch', name), arn('batch', `${name}:*`)]
    })
    const jobs = arn('batch', 'job/*')
    const grant = (actions: string[], resources: string[]) => new PolicyStatement({ actions, resources })
    return [
      grant(
        ['lambda:InvokeFunction'],
        functionStates.map((state) => functions[state].functionArn),
      ),
      grant(['batch:SubmitJob'], [...queues.map(({ jobQueueArn }) => jobQueueArn), ...revisions]),
      // jobs carry the id of the Celldrop job as a tag; which resource is checked for it differs between accounts' settings
      grant(['batch:TagResource'], [jobs, ...revisions]),
      grant(['batch:TerminateJob'], [jobs]),
      grant(['batch:DescribeJobs'], ['*']),
      grant(
        ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
        [arn('events', 'rule/StepFunctionsGetEventsForBatchJobsRule')],
      ),
      grant(['sns:Publish'], [topic.topicArn]),
      new PolicyStatement({
        actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
        resources: [key.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `sns.${Stack.of(this).region}.amazonaws.com` } },
      }),
    ]
  }
}
