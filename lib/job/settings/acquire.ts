/**
 * Every setting of the `acquire` workflow: what SpatialCore's `acquire_reference` takes, under its names. This is the only place where a
 * setting or its default is written.
 *
 * Trap: `auth_token` is refused by name. A job file is kept, copied and mailed; a secret must never stand in one.
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'
import { columnName, jobName, location, seed } from './fields.ts'

export const acquireSettings = z.strictObject({
  workflow: z.literal('acquire').describe('which workflow this job is'),
  name: jobName,
  source: location.describe(
    'where the cells are: cellxgene://KEY (`celldrop references` lists them), cellxgene://UUID of any dataset, cellxgene://?tissue=...&disease=...&cell_type=...&assay=..., synapse://synNNN, or an h5ad as a path, s3://, gs:// or https://',
  ),
  output: location
    .optional()
    .describe(
      'the h5ad to write: a path, s3:// or gs://; in an AWS account a key in the store of references. Without it NAME.h5ad in that store',
    ),
  force: z
    .boolean()
    .default(false)
    .describe(
      'fetch again and replace an output that is there already; without it that one is kept, wherever it lies',
    ),
  overwrite: z
    .boolean()
    .default(false)
    .describe('replace the report of another job of the same name; the file itself is replaced by force'),
  max_cells: z
    .int()
    .min(1)
    .optional()
    .describe('at most so many cells, drawn evenly from all that fit; without it all'),
  random_state: seed.default(42).describe('seed of that draw'),
  label_column: columnName
    .optional()
    .describe('obs column with the labels; without it the one known of the dataset, or cell_type'),
  resolve_hierarchy: z
    .enum(['none', 'remove_parents'])
    .default('none')
    .describe(
      'leave out cells whose label is only a wider name of another one ("T cell" beside "CD4 T cell")',
    ),
  validate_labels: z
    .boolean()
    .default(true)
    .describe(
      'look for labels with several Cell Ontology ids and for several names in one label; only warns',
    ),
  census_version: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,40}$/, 'a name such as stable or 2025-01-30')
    .default('stable')
    .describe('release of the CELLxGENE Census: stable, latest or a date'),
  gzip: z
    .int()
    .min(0)
    .max(9)
    .default(4)
    .describe('compression of a file that is put together, 0 to 9; one that is taken whole stays as it is'),
})

export type AcquireSettings = z.infer<typeof acquireSettings>

/** @throws BadInput SECRET_IN_JOB */
export function refuseSecrets(given: object, place: string): void {
  if (!('auth_token' in given)) return
  throw new BadInput(
    'SECRET_IN_JOB',
    `${place}: auth_token`,
    'a token must not stand in a job file, which is kept and passed on',
    'Take it out, and set the environment variable SYNAPSE_AUTH_TOKEN; in an AWS account deploy with synapseSecret',
  )
}
