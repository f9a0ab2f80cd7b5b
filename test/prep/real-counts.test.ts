/** Contract: for every real h5ad the counts are found where the manifest of the data says they are, by both policies. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { chooseCounts } from '../../lib/prep/choose-counts.ts'
import { detectCounts } from '../../lib/prep/counts-state.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

interface Listed {
  file: string
  /** matrices of raw counts; [] where there is none */
  counts: string[]
  /** of X: values as the manifest describes them */
  values: string
}

/** Rows of the manifest's table of h5ad files that are AnnData. */
function listed(): Listed[] {
  return readFileSync(sharedPath('data', 'MANIFEST.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| [\w./-]+\.h5ad \|/.test(line) && !/lfs_pointer|h5mu_named/.test(line))
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| /, '').trim()))
    .map(([file = '', , , counts = '', values = '']) => ({
      file,
      counts: counts === 'NONE' ? [] : counts.split(' + '),
      values: values.split(';')[0]!,
    }))
}

async function detected(path: string) {
  const file = await openCells(path)
  try {
    const ours = await detectCounts(file, { seed: 1 })
    return { ours, theirs: await detectCounts(file, { seed: 1, policy: 'spatialcore' }) }
  } finally {
    await file.close()
  }
}

describe.runIf(hasShared)('the counts of the real files', () => {
  const files = hasShared ? listed() : []

  it('are listed', () => {
    expect(files.length).toBeGreaterThan(55)
    expect(files.filter(({ counts }) => counts.length === 0).length).toBeGreaterThan(12)
  })

  it.each(files)('of $file are in: $counts', async ({ file, counts, values }) => {
    const { ours: found, theirs } = await detected(sharedPath('data', file))
    expect(found.rawCounts.found).toBe(counts.length > 0)
    if (counts.length > 0) expect(counts).toContain(found.rawCounts.where)
    const { state } = found.normalisation
    if (values.includes(' INT ')) expect(state).toBe('raw')
    else if (values.includes(' neg ')) expect(state).toBe('negative')
    else expect(['log1p_10k', 'log1p_other', 'linear', 'unknown']).toContain(state)
    expect([theirs.rawCounts.where, theirs.normalisation.state]).toEqual([found.rawCounts.where, state])
  })

  it.each([
    ['h5ad_formats/kang_scgen_valid_compound_lognorm.h5ad', 'X', 'log1p_other'],
    ['h5ad_formats/pbmc3k_100_scaledX_log1pRawX.h5ad', 'raw/X', 'log1p_other'],
    ['h5ad_formats/soma_pbmc-small.h5ad', 'raw/X', 'log1p_10k'],
    ['h5ad_formats/zellkonverter_example_v0.7.h5ad', 'X', 'log1p_10k'],
    ['h5ad_formats/pancreas_669x296_3tech_noninteger_allslots.h5ad', 'layers/counts', 'linear'],
    ['pbmc_tenx_seqwell/pbmc_seqwell244_noninteger.h5ad', 'X', 'linear'],
    // logs over the 765 genes that were kept of a scaling over all: what they undo to is far below 10,000
    ['h5ad_formats/pbmc68k_reduced_anndata08_gzip.h5ad', 'raw/X', 'log1p_other'],
  ])('%s holds in %s: %s', async (file, where, state) => {
    const { ours } = await detected(sharedPath('data', file))
    expect(ours.checked.find((matrix) => matrix.where === where)?.state).toBe(state)
  })

  it('normalise to the logs that the same file keeps beside them', async () => {
    const file = await openCells(sharedPath('data/h5ad_formats/zellkonverter_example_v0.7.h5ad'))
    const state = await detectCounts(file, { seed: 1 })
    const { matrix, from } = chooseCounts(state, { place: file.place })
    const logs = (await file.matrix('X')).slabs()[Symbol.asyncIterator]()
    for await (const slab of normalisedRows(await file.matrix(matrix), { from })) {
      const { value: kept } = await logs.next()
      expect(slab.indices).toEqual(kept.indices)
      // scaled over more genes than the file still has: every cell differs from its kept logs by one factor
      for (let row = 0; row < slab.rows; row++) {
        const [start, end] = [slab.indptr[row]!, slab.indptr[row + 1]!]
        const factor = Math.expm1(kept.values[start]) / Math.expm1(slab.values[start]!)
        for (let i = start; i < end; i++)
          expect(Math.expm1(kept.values[i]) / Math.expm1(slab.values[i]!) / factor).toBeCloseTo(1, 4)
      }
    }
    await file.close()
  })

  it.each(['tenx/cr3_filtered_feature_bc_matrix.h5', 'tenx/v3_mtx', 'zarr/10x-10k-subset.zarr'])(
    'of %s are in X',
    async (place) => {
      expect((await detected(sharedPath('data', place))).ours.rawCounts).toEqual({
        found: true,
        where: 'X',
        integerShare: 1,
      })
    },
  )
})
