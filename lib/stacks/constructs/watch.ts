/** Alarms on what nobody would notice by themselves, a dashboard, and a budget that warns. */
import { Duration } from 'aws-cdk-lib'
import { CfnBudget } from 'aws-cdk-lib/aws-budgets'
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  type Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'

export interface WatchProps {
  stateMachine: StateMachine
  /** by the name of their state */
  functions: Record<string, LambdaFunction>
  deadLetters: Queue
  topic: ITopic
  monthlyBudget: number
}

const period = Duration.minutes(5)

export class Watch extends Construct {
  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id)
    this.addAlarms(props)
    this.addDashboard(props)
    this.addBudget(props)
  }

  private addAlarms({ stateMachine, functions, deadLetters, topic }: WatchProps): void {
    const raise = (name: string, metric: Metric, alarmDescription: string) =>
      new Alarm(this, name, {
        metric,
        alarmDescription,
        threshold: 1,
        evaluationPeriods: 1,
        comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treatMissingData: TreatMissingData.NOT_BREACHING,
      }).addAlarmAction(new SnsAction(topic))
    raise('ExecutionsFailed', stateMachine.metricFailed({ period }), 'A job failed: its error.json says why')
    raise('ExecutionsTimedOut', stateMachine.metricTimedOut({ period }), 'A job took longer than a week')
    raise(
      'ExecutionsThrottled',
      stateMachine.metricThrottled({ period }),
      'Step Functions was asked too much at once',
    )
    raise(
      'DeadLetters',
      deadLetters.metricApproximateNumberOfMessagesVisible({ period, statistic: 'Maximum' }),
      'An upload started no job: the message in the queue is its event',
    )
    for (const [name, made] of Object.entries(functions)) {
      raise(`${name}Throttles`, made.metricThrottles({ period }), `${name} was throttled`)
      // a job with a bad input is an error of the function that says so; the starter has no such errors
      if (name === 'StartJob')
        raise(`${name}Errors`, made.metricErrors({ period }), 'An upload could not start its job')
    }
  }

  private addDashboard({ stateMachine, functions, deadLetters }: WatchProps): void {
    const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 12 })
    const all = Object.entries(functions)
    new Dashboard(this, 'Dashboard', {
      widgets: [
        [
          graph('Jobs', [
            stateMachine.metricStarted({ label: 'started' }),
            stateMachine.metricSucceeded({ label: 'done' }),
            stateMachine.metricFailed({ label: 'failed' }),
            stateMachine.metricTimedOut({ label: 'timed out' }),
          ]),
          graph('Time of a job', [
            stateMachine.metricTime({ statistic: 'p50' }),
            stateMachine.metricTime({ statistic: 'Maximum' }),
          ]),
        ],
        [
          graph(
            'Functions: errors',
            all.map(([label, made]) => made.metricErrors({ label })),
          ),
          graph(
            'Functions: time',
            all.map(([label, made]) => made.metricDuration({ label, statistic: 'p95' })),
          ),
        ],
        [graph('Uploads without a job', [deadLetters.metricApproximateNumberOfMessagesVisible()])],
      ],
    })
  }

  /** Of the account: a filter by tag stays at zero until someone activates the tag for billing, which would be a silent failure. */
  private addBudget({ monthlyBudget, topic }: WatchProps): void {
    const warn = (notificationType: 'ACTUAL' | 'FORECASTED', threshold: number) => ({
      notification: {
        notificationType,
        comparisonOperator: 'GREATER_THAN',
        threshold,
        thresholdType: 'PERCENTAGE',
      },
      subscribers: [{ subscriptionType: 'SNS', address: topic.topicArn }],
    })
    new CfnBudget(this, 'Budget', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: monthlyBudget, unit: 'USD' },
      },
      notificationsWithSubscribers: [warn('ACTUAL', 80), warn('FORECASTED', 100)],
    })
  }
}
