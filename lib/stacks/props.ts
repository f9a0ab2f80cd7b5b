/**
 * What can be chosen when the stacks are deployed. The only place where a choice or its default is written: `cdk deploy -c name=value`
 * is read by it, the stacks are typed by it, and docs/deploy.md lists what stands here (a test compares).
 */
import { z } from 'zod'
import { sourcesProblem } from './sources.ts'

/** Step Functions ends an execution after a week: what its steps hand on must live longer. */
const executionDays = 7

const yes = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
const days = z.coerce.number().int()
/** `-c` gives one text with commas, cdk.json a list. */
const places = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(','))])
  .transform((given) => given.map((source) => source.trim()).filter((source) => source !== ''))
  .superRefine((sources, { addIssue }) => {
    const message = sourcesProblem(sources)
    if (message !== undefined) addIssue({ code: 'custom', message })
  })

/** A name as Secrets Manager takes it, or the ARN of a secret. */
const secretName = /^(?:arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,512}$/

export const celldropProps = z.strictObject({
  stackName: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,39}$/, 'letters, digits and "-", at most 40')
    .default('Celldrop')
    .describe('name of the stack; that of the buckets is this and "Storage"'),
  notificationEmail: z.email().optional().describe('who is told of finished and failed jobs and of alarms'),
  monthlyBudget: z.coerce
    .number()
    .positive()
    .default(200)
    .describe(
      'US dollars a month, of the whole account, at which AWS Budgets sends a warning; nothing is stopped',
    ),
  defaultModel: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('model for files that are dropped without a job file'),
  sources: places
    .default([])
    .describe(
      'places beside the inbox that inputs may be read from, with commas between: s3://bucket/prefix, gs://bucket/prefix (public), https://host/path/; cellxgene:// and synapse:// for references to be acquired',
    ),
  synapseSecret: z
    .string()
    .regex(secretName, 'the name or the ARN of a secret of Secrets Manager')
    .optional()
    .describe('secret of Secrets Manager that holds a token of Synapse as plain text: its name, or its ARN'),
  maxVcpus: z.coerce
    .number()
    .int()
    .min(2)
    .max(10_000)
    .default(64)
    .describe('vCPUs that each kind of machine (Spot, On-Demand, and both again with GPU) may have at once'),
  gpu: yes.default(true).describe('queues of GPU machines, and the CUDA image for Fit and Embed'),
  natGateways: z.coerce
    .number()
    .int()
    .min(0)
    .max(3)
    .default(0)
    .describe(
      '0: machines in public subnets that nothing can connect to; more: private subnets, paid by the hour',
    ),
  zones: z.coerce
    .number()
    .int()
    .min(2)
    .max(6)
    .default(2)
    .describe(
      'availability zones to look for machines in: more find Spot machines sooner; the region must have them',
    ),
  scratchGib: z.coerce
    .number()
    .int()
    .min(50)
    .max(16_000)
    .default(100)
    .describe('GiB of disk of each machine, for the image, copies of inputs and results as they are written'),
  workDays: days
    .min(executionDays + 1)
    .default(30)
    .describe(
      'days after which what the steps hand on is removed; a job run again starts from the first step then',
    ),
  inboxDays: days
    .min(executionDays + 1)
    .optional()
    .describe('days after which uploads are removed; without it never'),
  outboxDays: days.min(1).optional().describe('days after which results are removed; without it never'),
  logDays: z.coerce
    .number()
    .pipe(z.literal([7, 14, 30, 60, 90, 180, 365]))
    .default(90)
    .describe('days that logs are kept'),
  removal: z
    .enum(['retain', 'destroy'])
    .default('retain')
    .describe('whether `cdk destroy` of the storage stack keeps the buckets and their key'),
})

export type CelldropProps = z.infer<typeof celldropProps>

/** @param context what `cdk -c` and cdk.json say; keys of feature flags are left alone */
export function readProps(context: (name: string) => unknown): CelldropProps {
  const given: Record<string, unknown> = {}
  for (const name of Object.keys(celldropProps.shape)) {
    const value = context(name)
    if (value !== undefined && value !== '') given[name] = value
  }
  const checked = celldropProps.safeParse(given)
  if (checked.success) return checked.data
  throw new Error(`-c ${z.prettifyError(checked.error)}`)
}
