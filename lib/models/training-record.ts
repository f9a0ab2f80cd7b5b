/**
 * What a model was trained on and how, as its card keeps it: enough to train it again, and to fill the files that others read
 * (model-files.ts). Counts and shares are lists, not tables by label: a label may be "__proto__" or "1", and order is kept.
 */
import { z } from 'zod'

const label = z.string().min(1).max(512)
const text = z.string().max(1024)
const count = z.int().min(0)

const isUnique = (entries: readonly { label: string }[]): boolean =>
  new Set(entries.map((entry) => entry.label)).size === entries.length

const reference = z.strictObject({
  name: text.min(1),
  etag: text.nullable().describe('of the file as it was read; null where its store has none'),
  label_column: text.min(1).describe('obs column its labels were taken from'),
  cells_used: count.describe('cells in the training, after every filter and balance'),
})

const parameters = z
  .strictObject({
    C: z.number().positive(),
    alpha: z.number().positive(),
    tolerance: z.number().positive(),
    max_iter: count,
    epochs: count,
    batch_size: count,
    batch_number: count,
    balance_cell_type: z.boolean(),
    feature_selection: z.boolean(),
    top_genes: count,
  })
  .partial()
  .describe('under the names CellTypist has for them; those that the classifier does not have are left out')

export const trainingRecord = z.strictObject({
  references: z.array(reference).max(1000),
  label_column: text.min(1).describe('what the classes are called by, all references together'),
  panel_genes: count.describe('genes of the panel that the model was trained for'),
  cells_by_label: z
    .array(z.strictObject({ label, cells: count }))
    .max(20_000)
    .refine(isUnique, 'a label occurs twice'),
  balance_strategy: z.enum(['proportional', 'equal', 'none']),
  max_cells_per_type: count.nullable(),
  min_cells_per_type: count,
  target_proportions: z
    .array(z.strictObject({ label, share: z.number().min(0).max(1) }))
    .max(20_000)
    .refine(isUnique, 'a label occurs twice'),
  seed: z.int().min(0).max(4294967295),
  classifier: z.enum(['logistic_regression', 'sgd', 'sgd_mini_batch']),
  loss: z.enum(['ovr', 'multinomial']),
  parameters,
  notices: count.describe('how many notices the preparation and the training gave'),
})

export type TrainingRecord = z.infer<typeof trainingRecord>
