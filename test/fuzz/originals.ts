/** Sound files of every layout, small enough to be broken a thousand times: our fixtures, and real files where they are at hand. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { hasShared, sharedPath } from '../support/shared.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')

const real = [
  'cxg_schema/scc_example_valid.h5ad',
  'edge/scp_test.h5ad',
  'edge/soma_categorical_int_nan.h5ad',
  'h5ad_formats/anndata_archive_v0.7.0.h5ad',
  'h5ad_formats/mini_mat.anndata-v0.6.22.h5ad',
  'h5ad_formats/soma_pbmc-small-x-csc.h5ad',
  'h5ad_formats/hubmap_3x15_int_leiden.h5ad',
  'pbmc3k_small/pbmc3k_1000cells_1000randomgenes.h5ad',
  'tenx/cr3_filtered_feature_bc_matrix.h5',
  'tenx/liger_ctrl_300x266_kang_vlenstr.h5',
]

export function soundFiles(): string[] {
  const paths = ['latest', 'compound', 'references'].map((name) => resolve(fixtures, `${name}.h5ad`))
  if (hasShared) paths.push(...real.map((name) => sharedPath('data', name)))
  return paths.filter((path) => statSync(path).size > 0)
}
