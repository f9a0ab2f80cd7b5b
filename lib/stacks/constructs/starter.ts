/**
 * From an upload to an execution: a rule on the inbox, and StartJob behind it. EventBridge cannot name the execution it starts, and without
 * a name one upload that is told of twice would be two jobs. What could not be delivered or started is kept in a dead-letter queue.
 */
import { Duration } from 'aws-cdk-lib'
import { Match, Rule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction as FunctionTarget } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import type { IBucket } from 'aws-cdk-lib/aws-s3'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { stateFunction } from './function.ts'

export interface StarterProps {
  root: string
  inbox: IBucket
  stateMachine: StateMachine
  logDays: number
}

/** Keys that can begin a job; StartJob looks closer (lib/job/uploads.ts). */
export const uploadKeys = [{ prefix: 'annotate/' }, { wildcard: 'jobs/*/job.*' }]

export class Starter extends Construct {
  readonly function: LambdaFunction
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, { root, inbox, stateMachine, logDays }: StarterProps) {
    super(scope, id)
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    })
    this.function = stateFunction(this, 'StartJob', {
      root,
      folder: 'start-job',
      description: 'Celldrop: an upload starts one execution',
      memory: 256,
      timeout: Duration.seconds(30),
      environment: {
        CELLDROP_INBOX: `s3://${inbox.bucketName}`,
        CELLDROP_STATE_MACHINE: stateMachine.stateMachineArn,
      },
      statements: [
        new PolicyStatement({
          actions: ['states:StartExecution'],
          resources: [stateMachine.stateMachineArn],
        }),
      ],
      logDays,
    })
    // EventBridge hands an event over and is done: what fails inside is the function's own to keep
    this.function.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(6),
      onFailure: new SqsDestination(this.deadLetters),
    })
    const rule = new Rule(this, 'Uploads', {
      description: 'Celldrop: uploads to the inbox',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: { bucket: { name: Match.exactString(inbox.bucketName) }, object: { key: uploadKeys } },
      },
    })
    rule.addTarget(
      new FunctionTarget(this.function, {
        deadLetterQueue: this.deadLetters,
        retryAttempts: 185,
        maxEventAge: Duration.hours(24),
      }),
    )
  }
}
