/**
 * Oracle: the whole road with a real model on 2,170 real blood cells gives what CellTypist 1.7.1 gave (../shared/golden/celltypist):
 * best match, votes on the authors' clusters, every match above one half, scores. Genes are matched as CellTypist does, by equal names.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { arrayOf, numbersOf, textsOf } from '../support/read-h5ad.ts'
import { goldenTable, importRealModel } from '../support/real-models.ts'
import { runRoadOf } from '../support/road-run.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { jobFile } from '../support/walk.ts'

const cells = 2170
const query = 'data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad'

describe.skipIf(!hasShared)('the whole road on real cells', () => {
  let lab: Installation
  let labels: string[]
  let golden: Map<string, string[]>
  beforeAll(async () => {
    lab = await makeInstallation({ CELLDROP_DEFAULT_MODEL: 'pbmc-sorted' })
    labels = await importRealModel(lab.stores, 'pbmc-sorted')
    golden = goldenTable('celltypist/pbmc_sorted_lr.labels.csv.gz')
    await lab.stores.inbox.write('jobs/pbmc/q.h5ad', readFileSync(sharedPath(query)))
  })
  afterAll(() => lab?.folder[Symbol.asyncDispose]())

  async function annotated(name: string, settings: Record<string, unknown>): Promise<AnnDataFile> {
    const job = jobFile({ query: 'q.h5ad', gene_matching: 'exact', umap: false, ...settings })
    // beside the one query
    const { start } = await lab.upload(`jobs/pbmc/job.${name}`, job)
    await runRoadOf(lab, start)
    return (await openCells(join(lab.folder.path, 'outbox', start.output, 'q.annotated.h5ad'))) as AnnDataFile
  }

  /** Share of the cells for which both say the same. */
  function agreement(found: readonly (string | undefined)[], heading: string): number {
    const wanted = golden.get(heading)!
    expect(wanted).toHaveLength(cells)
    return found.filter((label, cell) => label === wanted[cell]).length / cells
  }

  it('gives the labels, votes and scores of CellTypist', async () => {
    const file = await annotated('yaml', { majority_voting: true, over_clustering: 'Cluster' })
    const { index, columns } = await file.obs()
    expect(index).toEqual(golden.get('cell'))
    expect(agreement(textsOf(columns.get('cxg_cell_type_predicted_by_cell')), 'best_match')).toBe(1)
    expect(agreement(textsOf(columns.get('cxg_cell_type_predicted')), 'majority_voting_author_cluster')).toBe(
      1,
    )
    const scores = arrayOf(await file.mapping('obsm'), 'cxg_cell_type', [cells, labels.length])
    const decisions = goldenTable('celltypist/pbmc_sorted_lr.decision.csv.gz')
    const furthest = Math.max(
      ...labels.map((label, k) =>
        Math.max(
          ...decisions
            .get(label)!
            .map((score, cell) => Math.abs(scores[cell * labels.length + k]! - Number(score))),
        ),
      ),
    )
    expect(furthest).toBeLessThan(1e-4)
    await file.close()
  })

  it('gives every match above one half, and how sure it is', async () => {
    const file = await annotated('json', { mode: 'prob_match' })
    const { columns } = await file.obs()
    const found = textsOf(columns.get('cxg_cell_type_predicted'))
    expect(agreement(found, 'prob_match_p0.5')).toBe(1)
    const confidence = golden.get('conf_score')!.map(Number)
    const uncertainty = numbersOf(columns.get('cxg_cell_type_predicted_uncertainty'))
    expect(
      Math.max(...uncertainty.map((value, cell) => Math.abs(1 - value - confidence[cell]!))),
    ).toBeLessThan(1e-5)
    await file.close()
  })
})
