/**
 * Oracle: real files of other people's programs as queries of real models. A handful here, refused ones by each kind of reason and
 * annotated ones in rare layouts; all of them in test/peers/real-queries.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { importRealModel } from '../support/real-models.ts'
import { realQueries, taken } from '../support/real-queries.ts'
import { expectAnnotated, expectOutcome, outcomeOf } from '../support/real-query-run.ts'
import { hasShared } from '../support/shared.ts'

describe.skipIf(!hasShared)('a real file', () => {
  let lab: Installation
  beforeAll(async () => {
    lab = await makeInstallation()
    await importRealModel(lab.stores, 'pbmc-sorted')
    await importRealModel(lab.stores, 'lung31')
  })
  afterAll(() => lab?.folder[Symbol.asyncDispose]())

  it.each([
    'cxg_schema/merfish_mouse_brain_1000x1122_cxg.h5ad',
    'cxg_schema/scc_example_valid.h5ad',
    'edge/git_lfs_pointer.h5ad',
    'edge/scp_indexed_by_gene_id.h5ad',
    'edge/scp_truncated_bad.h5',
    'edge/soma_xnone.h5ad',
    'h5ad_formats/kang_scgen_valid_compound_lognorm.h5ad',
    'h5ad_formats/muon_h5mu_named_h5ad.h5ad',
    'scatac/bm0828_533x35983.h5ad',
    'tenx/cr1.2_multiple_genomes.h5',
  ])('%s is taken or refused as it should be', async (name) => {
    const [blood] = realQueries[name]!
    expectOutcome(await outcomeOf(lab, name, 'pbmc-sorted'), blood)
  })

  it.each([
    ['old layout, counts in raw, logs in X', 'h5ad_formats/soma_pbmc-small.h5ad', 'pbmc-sorted'],
    ['genes in a folder of MTX files', 'tenx/soupx_filtered_mtx', 'lung31'],
  ] as const)('with %s is annotated along the whole road: %s', async (_, name, model) => {
    const [blood, lung] = realQueries[name]!
    expect(taken(model === 'lung31' ? lung : blood)).toBeDefined()
    await expectAnnotated(lab, name, model)
  })
})
