/** A Lambda function of ours: Node 24 on arm64, bundled here without Docker, a role and a log group of its own. */
import { join } from 'node:path'
import { AssetHashType, DockerImage, type Duration, RemovalPolicy } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Architecture, Code, Function as LambdaFunction, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { bundleFunction } from '../bundle-function.ts'

export interface FunctionProps {
  root: string
  /** folder below functions/ */
  folder: string
  description: string
  memory: number
  timeout: Duration
  environment: Record<string, string>
  statements: PolicyStatement[]
  logDays: number
}

export function stateFunction(scope: Construct, id: string, props: FunctionProps): LambdaFunction {
  const { root, folder, memory, timeout, description, environment, statements, logDays } = props
  const logGroup = new LogGroup(scope, `${id}Logs`, {
    retention: logDays as RetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  const writeLogs = new PolicyStatement({
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [logGroup.logGroupArn],
  })
  const role = new Role(scope, `${id}Role`, {
    assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
    description: `Celldrop: ${id}`,
    inlinePolicies: { Access: new PolicyDocument({ statements: [writeLogs, ...statements] }) },
  })
  const made = new LambdaFunction(scope, id, {
    description,
    runtime: Runtime.NODEJS_24_X,
    architecture: Architecture.ARM_64,
    handler: 'index.handler',
    code: bundledCode(root, folder),
    memorySize: memory,
    timeout,
    environment,
    role,
    logGroup,
    tracing: Tracing.ACTIVE,
  })
  return made
}

/** The folder of the handler is only a name here: what is hashed and uploaded is the bundle. */
function bundledCode(root: string, folder: string): Code {
  return Code.fromAsset(join(root, 'functions', folder), {
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('not-used'),
      local: {
        tryBundle(outputFolder) {
          bundleFunction(`functions/${folder}/handler.ts`, { root, folder: outputFolder })
          return true
        },
      },
    },
  })
}
