/**
 * Findings of cdk-nag that stay, each with the reason. The test wants every finding to be among them, and every one of them to be found:
 * an exception that is no longer needed must go.
 */
export interface NagException {
  /** of the finding, as cdk-nag names it */
  finding: RegExp
  /** of the construct's path */
  at: RegExp
  reason: string
}

const function_ = /^Celldrop\/(?:Starter\/)?\w+Role\/DefaultPolicy\//

export const nagExceptions: NagException[] = [
  {
    finding: /^AwsSolutions-SQS3$/,
    at: /^Celldrop\/Starter\/DeadLetters\//,
    reason: 'It is the dead-letter queue',
  },
  {
    finding: /^AwsSolutions-VPC7$/,
    at: /^Celldrop\/Network\/Vpc\//,
    reason:
      'Nothing can connect to the machines, and flow logs of what they exchange with S3 cost more than they tell',
  },
  {
    finding: /^AwsSolutions-IAM4\[.*AmazonEC2ContainerServiceforEC2Role\]$/,
    at: /^Celldrop\/MachineRole\//,
    reason:
      "AWS's own policy for the ECS agent, which AWS changes as the agent does; jobs have roles of their own",
  },
  {
    finding:
      /^AwsSolutions-IAM5\[Resource::CelldropStorage:\w+?(?:Inbox|Work|Models|References|Outbox)\w+\/(?:[A-Za-z/]*\*|jobs\/\*\/(?:failures\/\*|publishing\.json|error\.json|\*\.annotated\.h5ad|training\.h5ad|report\.html|umap\.png|(?:predictions|training_cells|ontology_review|cells_by_label|datasets)\.csv|celltyping_\*|\*\.pkl|\*_(?:celltypist|colors)\.json))\]$/,
    at: /^Celldrop\/(?:\w+Role|Policies\/\w+)\/Resource$/,
    reason: 'Objects are granted by bucket and prefix; the names below a prefix are those of jobs to come',
  },
  {
    finding: /^AwsSolutions-IAM5\[Resource::arn:.*:s3:::atlas\/references\/\*\]$/,
    at: /^Celldrop\/(?:ValidateJob|InspectInput|Prepare|Publish)Role\/Resource$/,
    reason: 'What lies below a prefix that the owner names as a source of inputs, to be read only',
  },
  {
    finding: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    at: function_,
    reason: 'X-Ray segments (functions) and ecr:GetAuthorizationToken (JobExecutionRole) know no resource',
  },
  {
    finding: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    at: /^Celldrop\/Pipeline\/Role\//,
    reason: 'batch:DescribeJobs, delivery of logs and X-Ray know no resource',
  },
  {
    finding: /^AwsSolutions-IAM5\[Resource::arn:.*:(?:job-definition\/Celldrop-\w+:|job\/)\*\]$/,
    at: /^Celldrop\/Pipeline\/Role\//,
    reason: 'Revisions of our job definitions and ids of jobs are given by AWS Batch',
  },
  {
    finding: /^AwsSolutions-IAM5\[Resource::arn:.*:execution:<PipelineStateMachine\w+\.Name>:\*\]$/,
    at: /^Celldrop\/Policies\/User\//,
    reason: 'Executions of this state machine are named by the jobs to come',
  },
]
