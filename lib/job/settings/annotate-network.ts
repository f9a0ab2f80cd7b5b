/**
 * The settings of `annotate` that are about scVI and SCANVI models: how the query is placed among the cells of the reference, and what labels it from
 * there. Defaults of the surgery are those of CELLxGENE Annotate's reference-mapping model (TrainingPlan and early stopping of scvi-tools
 * under its names), those of neighbours scArches'.
 */
import { z } from 'zod'
import { columnName } from './fields.ts'

const epochs = z.int().min(1).max(100_000)

export const networkFields = {
  classifier: z
    .enum(['default', 'scanvi', 'knn', 'logistic'])
    .default('default')
    .describe(
      "what labels cells in the latent space of a network: its own classifier (scanvi), the nearest cells of its reference (knn) or a logistic regression on where they lie (logistic); default is its own classifier, knn of a scVI. A linear model has no other than 'default'",
    ),
  label_columns: z
    .array(columnName)
    .min(1)
    .max(20)
    .refine((names) => new Set(names).size === names.length, 'a column is named twice')
    .optional()
    .describe(
      'for knn and logistic: which label columns of the reference to give, the first as the label and others beside it; all that the model keeps unless told',
    ),
  knn_neighbors: z
    .int()
    .min(1)
    .max(1000)
    .default(50)
    .describe('for knn: how many cells of the reference label a cell, as scArches has it'),
  knn_weights: z
    .enum(['scarches', 'uniform'])
    .default('scarches')
    .describe(
      'for knn: near cells count more, by the kernel of scArches and the Human Lung Cell Atlas, or all alike',
    ),
  mapping: z
    .enum(['frozen', 'surgery'])
    .default('frozen')
    .describe(
      'of a network: place the cells with the model as it is, or first let it learn the batches of the query (scArches surgery), as CELLxGENE Annotate does',
    ),
  batch_key: columnName
    .optional()
    .describe('of a network: obs column with the batch of each cell; without it the file is one batch'),
  max_epochs: epochs.default(500).describe('for surgery: epochs of training at most'),
  early_stopping_patience: epochs
    .default(10)
    .describe('for surgery: epochs without a better training ELBO after which it ends'),
  early_stopping_min_delta: z
    .number()
    .min(0)
    .max(1e6)
    .default(0.001)
    .describe('for surgery: what counts as better'),
  training_batch_size: z.int().min(2).max(100_000).default(128).describe('for surgery: cells of a minibatch'),
  train_size: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('for surgery: share of the cells to train on, the others validate; 0.9 unless told'),
  lr: z.number().gt(0).max(10).default(1e-3).describe('for surgery: learning rate of Adam'),
  lr_patience: epochs
    .default(8)
    .describe('for surgery: epochs without a better validation ELBO after which the rate is lowered'),
  lr_factor: z.number().gt(0).lt(1).default(0.1).describe('for surgery: by this factor'),
  weight_decay: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("for surgery: Adam's weight decay, added to gradients"),
  n_epochs_kl_warmup: z
    .int()
    .min(0)
    .max(100_000)
    .default(400)
    .describe(
      'for surgery: epochs over which the divergence gets its whole weight; 0 gives it from the start',
    ),
} as const
