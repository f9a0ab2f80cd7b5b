/**
 * Settings of the expression that a model's decoder gives cells, under the names of scvi-tools' `get_normalized_expression`, for every workflow whose
 * model has a decoder. None of them has a default of its own in the schema: what is given without `normalized_expression` is a mistake, and a
 * default could not be told from it.
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'

const category = z.string().min(1).max(1000)
const isUnique = (names: readonly string[]) => new Set(names).size === names.length

export const expressionFields = {
  normalized_expression: z
    .boolean()
    .default(false)
    .describe(
      "also write each gene's expression as the model's decoder has it, cells x genes, as normalized_expression.h5ad",
    ),
  transform_batch: z
    .union([category, z.array(category).min(1).max(10_000).refine(isUnique, 'a batch is named twice')])
    .optional()
    .describe(
      'of normalized_expression: as if all cells were of this batch, or in the mean over several; each as of its own unless told',
    ),
  library_size: z
    .union([z.number().gt(0).max(1e12), z.literal('latent')])
    .optional()
    .describe(
      'of normalized_expression: counts that each cell has in all, or latent for as many as the model takes it to have; 1 unless told',
    ),
  n_samples: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'of normalized_expression: the mean over so many draws of the place in latent space; 1, unless told, takes the mean place',
    ),
  expression_genes: z
    .array(z.string().min(1).max(1000))
    .min(1)
    .max(100_000)
    .refine(isUnique, 'a gene is named twice')
    .optional()
    .describe('of normalized_expression: genes by the names that the model has for them; all unless told'),
} as const

export interface ExpressionSettings {
  normalized_expression: boolean
  transform_batch?: string | readonly string[] | undefined
  library_size?: number | 'latent' | undefined
  n_samples?: number | undefined
  expression_genes?: readonly string[] | undefined
}

/** Settings that mean nothing without the one. @throws BadInput SETTING_INVALID */
export function checkExpression(settings: ExpressionSettings, place: string): void {
  if (settings.normalized_expression) return
  const without = (['transform_batch', 'library_size', 'n_samples', 'expression_genes'] as const).find(
    (name) => settings[name] !== undefined,
  )
  if (without === undefined) return
  throw new BadInput(
    'SETTING_INVALID',
    `${place}: ${without}`,
    'it says how normalized_expression is computed, and the job does not ask for that',
    'Set normalized_expression: true, or leave it out',
  )
}
