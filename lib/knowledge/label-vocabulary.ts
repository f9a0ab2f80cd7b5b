/** Words that a reader of cell type labels must know beside the names: short forms, states, signs of a tissue, and labels of nothing. */
import type { Tissue } from './ontology-aliases.ts'

/** Short forms inside longer labels: "cycling DCs" is read as "cycling dendritic cells" too. */
export const shortForms: Readonly<Record<string, readonly string[]>> = {
  dc: ['dendritic'],
  nk: ['natural', 'killer'],
  mono: ['monocyte'],
  mac: ['macrophage'],
  mph: ['macrophage'],
  ec: ['endothelial'],
  fibro: ['fibroblast'],
  smc: ['smooth', 'muscle'],
  gdt: ['gamma', 'delta', 't'],
  astro: ['astrocyte'],
  oligo: ['oligodendrocyte'],
}

/** Labels that only occur together in one tissue: two of them tell what a short one such as "stellate" means. */
export const tissueSigns: Partial<Record<Tissue, readonly string[]>> = {
  pancreas: ['alpha', 'beta', 'delta', 'epsilon', 'acinar', 'ductal', 'pp'],
  liver: ['hepatocyte', 'cholangiocyte', 'kupffer', 'lsec'],
}

/** Words that say what a cell is doing, not what it is; dropped, with a reason, only when nothing fits with them. */
export const stateWords: ReadonlySet<string> = new Set(
  (
    'activated active resting quiescent proliferating proliferative cycling dividing stimulated unstimulated stressed ' +
    'ifn ifnneg interferon isg responsive response inflamed inflammatory mki67 top2a'
  ).split(' '),
)

/** Labels that name no cell type, in lower case. */
export const noCellType: ReadonlySet<string> = new Set([
  '',
  '?',
  '-',
  'unknown',
  'unassigned',
  'unlabelled',
  'unlabeled',
  'unannotated',
  'unclassified',
  'undefined',
  'undetermined',
  'unidentified',
  'na',
  'n/a',
  'nan',
  'none',
  'null',
  'other',
  'others',
  'doublet',
  'doublets',
  'multiplet',
  'multiplets',
  'low quality',
  'low-quality',
  'low count',
  'filtered',
  'debris',
  'ambiguous',
  'heterogeneous',
  'mixed',
])
