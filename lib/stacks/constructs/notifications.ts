/**
 * The topic that tells of finished and failed jobs, alarms, blocked queues and the budget. A topic policy of one's own replaces the one
 * that lets the account's services publish, so they are named here.
 */
import { Stack } from 'aws-cdk-lib'
import { Rule } from 'aws-cdk-lib/aws-events'
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'

export class Notifications extends Construct {
  readonly topic: Topic

  constructor(scope: Construct, id: string, { key, email }: { key: IKey; email: string | undefined }) {
    super(scope, id)
    this.topic = new Topic(this, 'Topic', { displayName: 'Celldrop', masterKey: key, enforceSSL: true })
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'ServicesPublish',
        principals: ['cloudwatch', 'budgets'].map((name) => new ServicePrincipal(`${name}.amazonaws.com`)),
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    )
    if (email !== undefined) this.topic.addSubscription(new EmailSubscription(email))
  }

  /** Batch tells why the job at the head of a queue waits: no metric does. */
  tellOfBlockedQueues(queueArns: string[]): void {
    const rule = new Rule(this, 'BlockedQueues', {
      description: 'Celldrop: jobs that wait for machines',
      eventPattern: {
        source: ['aws.batch'],
        detailType: ['Batch Job Queue Blocked'],
        detail: { jobQueue: queueArns },
      },
    })
    rule.addTarget(new SnsTopic(this.topic))
  }
}
