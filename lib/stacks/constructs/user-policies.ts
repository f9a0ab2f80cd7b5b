/** Managed policies for people: attach one to a role of yours. Celldrop makes no users and no roles for people. */
import { Stack } from 'aws-cdk-lib'
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions'
import { Construct } from 'constructs'
import { modelKeeperAccess, userAccess } from '../access.ts'
import { type Storage, storeGrants } from './store-grants.ts'

export class UserPolicies extends Construct {
  readonly user: ManagedPolicy
  readonly modelKeeper: ManagedPolicy

  constructor(
    scope: Construct,
    id: string,
    { storage, stateMachine }: { storage: Storage; stateMachine: StateMachine },
  ) {
    super(scope, id)
    const { stateMachineArn, stateMachineName } = stateMachine
    const executions = Stack.of(this).formatArn({
      service: 'states',
      resource: `execution:${stateMachineName}:*`,
    })
    this.user = new ManagedPolicy(this, 'User', {
      description: 'Celldrop: submit jobs, follow them, fetch results',
      statements: [
        ...storeGrants(userAccess, storage),
        new PolicyStatement({ actions: ['states:ListExecutions'], resources: [stateMachineArn] }),
        new PolicyStatement({
          actions: ['states:DescribeExecution', 'states:GetExecutionHistory'],
          resources: [executions],
        }),
      ],
    })
    this.modelKeeper = new ManagedPolicy(this, 'ModelKeeper', {
      description: 'Celldrop: add models to the store of models',
      statements: storeGrants(modelKeeperAccess, storage),
    })
  }
}
