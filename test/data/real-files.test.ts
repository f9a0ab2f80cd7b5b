import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { CellFile } from '../../lib/data/cells.ts'
import { gatherFacts } from '../../lib/data/facts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

interface Listed {
  file: string
  rows: number
  columns: number | undefined
  kind: string
  obs: string[]
  isWhole: boolean
}

/** Rows of the manifest's table of h5ad files. */
function listed(): Listed[] {
  const text = readFileSync(sharedPath('data', 'MANIFEST.md'), 'utf8')
  return text
    .split('\n')
    .filter((line) => /^\| [\w./-]+\.(h5ad|h5mu) \|/.test(line))
    .map((line) => {
      const cells = line.split(' | ').map((cell) => cell.replace(/^\| /, '').trim())
      const [rows, columns] = cells[2]!.split(' x ')
      const obs = cells[6]!.split(', ').filter((name) => name !== '')
      const last = obs.at(-1)
      const isWhole = last === undefined || !last.endsWith('...')
      return {
        file: cells[0]!,
        rows: Number(rows),
        columns: columns === '?' ? undefined : Number(columns),
        kind: cells[4]!,
        obs: obs.map((name) => name.replace(/ ?\.\.\.$/, '')).filter((name) => name !== ''),
        isWhole,
      }
    })
}

const refused: Record<string, string> = {
  'edge/git_lfs_pointer.h5ad': 'FORMAT_UNKNOWN',
  'h5ad_formats/hubmap_secondary_analysis.h5mu': 'MUDATA',
  'h5ad_formats/muon_h5mu_named_h5ad.h5ad': 'MUDATA',
}

async function sumOf(file: CellFile, name: string): Promise<{ sum: number; stored: number; rows: number }> {
  const total = { sum: 0, stored: 0, rows: 0 }
  for await (const slab of (await file.matrix(name)).slabs({ slabBytes: 2 ** 20 })) {
    expect(slab.start).toBe(total.rows)
    total.rows += slab.rows
    total.stored += slab.values.length
    for (const value of slab.values) total.sum += value
  }
  return total
}

describe.runIf(hasShared)('the real files of the manifest', () => {
  const files = hasShared ? listed() : []

  it('are listed', () => {
    expect(files.length).toBeGreaterThan(55)
  })

  it.each(files.filter(({ file }) => refused[file] === undefined))(
    '$file opens with the shape, columns and kind of X that the manifest says',
    async ({ file, rows, columns, kind, obs, isWhole }) => {
      const opened = await openCells(sharedPath('data', file))
      try {
        const facts = await gatherFacts(opened)
        expect(facts.nObs).toBe(rows)
        if (columns !== undefined) expect(facts.nVars).toBe(columns)
        const names = facts.obs.map((column) => column.name)
        if (isWhole) expect([...names].sort()).toEqual([...obs].sort())
        else expect(names).toEqual(expect.arrayContaining(obs))
        if (kind.startsWith('absent')) {
          expect(facts.x).toBeNull()
        } else {
          const [encoding, type] = kind.split(/[ /]/)
          expect(`${facts.x?.encoding} ${facts.x?.dtype}`).toBe(`${encoding!.toLowerCase()} ${type}`)
          const { rows: seen } = await sumOf(opened, 'X')
          expect(seen).toBe(rows)
        }
      } finally {
        await opened.close()
      }
    },
  )

  it.each(Object.entries(refused))('%s is refused with %s', async (file, code) => {
    await expect(openCells(sharedPath('data', file))).rejects.toMatchObject({ name: 'BadInput', code })
  })

  it.each([
    ['edge/scp_truncated_bad.h5', 'HDF5_TRUNCATED'],
    ['edge/scDCC_10X_PBMC_4271x2000_XY_nogenes.h5', 'NOT_ANNDATA'],
    ['edge/brain_large_pytables_10x_nobarcodes.h5', 'TENX_INCOMPLETE'],
    ['loom/osmFISH_6471x33_labelled.loom', 'LOOM'],
    ['scatac/scc_fragments.tsv.gz', 'FORMAT_UNKNOWN'],
    ['tenx/cr1.2_multiple_genomes.h5', 'TENX_GENOMES'],
  ])('%s is refused with %s', async (file, code) => {
    await expect(openCells(sharedPath('data', file))).rejects.toMatchObject({ name: 'BadInput', code })
  })

  it.each([
    ['kang_ifnb/kang_ctrl.h5ad', 'risc_label', 'unlabelled', 25],
    ['kang_ifnb/kang_stim.h5ad', 'risc_label', 'unlabelled', 36],
    ['pbmc4k_query/pbmc4k_soupx_labelled.h5ad', 'Annotation', '?', 20],
    ['cxg_schema/scc_example_invalid_CL.h5ad', 'cell_type_ontology_term_id', undefined, 320],
  ])('%s counts the labels of %s as the manifest does', async (file, column, label, count) => {
    const opened = await openCells(sharedPath('data', file))
    const facts = await gatherFacts(opened)
    await opened.close()
    const labels = facts.obs.find(({ name }) => name === column)?.labels ?? {}
    const seen = label === undefined ? Object.values(labels).reduce((a, b) => a + b, 0) : labels[label]
    expect(seen).toBe(count)
  })

  it.each([
    ['pbmc_sorted_ref/pbmc_sorted_zheng.h5ad', 'facs_label', 9],
    ['scatac/bm0828_533x35983.h5ad', 'facs_label', 7],
    ['scatac/forebrain_1043x7674.h5ad', 'label', 8],
    ['pancreas_baron/baron_human_175.h5ad', 'cell_type', 5],
    ['cxg_schema/merfish_mouse_brain_1000x1122_cxg.h5ad', 'cell_type', 21],
    ['pbmc68k_reduced/pbmc68k_reduced_counts_700x765.h5ad', 'bulk_labels', 10],
    ['h5ad_formats/kang_scgen_valid_compound_lognorm.h5ad', 'cell_type', 7],
  ])('%s has as many labels in %s as the manifest says', async (file, column, count) => {
    const opened = await openCells(sharedPath('data', file))
    const facts = await gatherFacts(opened)
    await opened.close()
    const labels = facts.obs.find(({ name }) => name === column)?.labels ?? {}
    expect(Object.values(labels).filter((cells) => cells > 0)).toHaveLength(count)
  })

  it('reads LZF as gzip: the same numbers that Python sums', async () => {
    const opened = await openCells(sharedPath('data/h5ad_formats/pbmc5k_200_LZF_filter32000.h5ad'))
    expect((await sumOf(opened, 'X')).sum).toBe(1351231)
    await opened.close()
  })

  it('gives the same 80 cells whether X is CSR, CSC or dense', async () => {
    const sums = []
    for (const name of ['soma_pbmc-small-x-csr', 'soma_pbmc-small-x-csc', 'soma_pbmc-small']) {
      const opened = await openCells(sharedPath(`data/h5ad_formats/${name}.h5ad`))
      const rows: number[][] = []
      for await (const slab of (await opened.matrix('X')).slabs({ slabBytes: 500 })) {
        for (let row = 0; row < slab.rows; row++) {
          const dense = new Array<number>(slab.columns).fill(0)
          for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++)
            dense[slab.indices[i]!] = slab.values[i]!
          rows.push(dense)
        }
      }
      await opened.close()
      sums.push(rows)
    }
    expect(sums[1]).toEqual(sums[0])
    expect(sums[2]).toEqual(sums[0])
  })

  it('finds raw.X of anndata 0.6 and later under one name', async () => {
    const old = (await openCells(
      sharedPath('data/h5ad_formats/pbmc68k_reduced_v0.5_compound_h5sparse.h5ad'),
    )) as AnnDataFile
    const modern = (await openCells(
      sharedPath('data/h5ad_formats/pbmc68k_reduced_anndata08_gzip.h5ad'),
    )) as AnnDataFile
    expect(await sumOf(old, 'raw/X')).toEqual(await sumOf(modern, 'raw/X'))
    expect((await old.rawVar())?.index).toEqual((await modern.rawVar())?.index)
    const [before, after] = [await old.obs(), await modern.obs()]
    expect(before.index).toEqual(after.index)
    expect([...before.columns.keys()].sort()).toEqual([...after.columns.keys()].sort())
    const labels = (table: typeof before) => {
      const column = table.columns.get('bulk_labels')
      return column?.kind === 'categorical'
        ? Array.from(column.codes, (code) => column.categories.values[code])
        : []
    }
    expect(labels(before)).toEqual(labels(after))
    await old.close()
    await modern.close()
  })

  it.each([
    ['tenx/cr3_filtered_feature_bc_matrix.h5', 1107, 507],
    ['tenx/heart_1k_v2_cr2_mm10.h5', 712, 31053],
    ['tenx/cr1.2_filtered_gene_bc_matrices_h5.h5', 12, 343],
    ['tenx/liger_ctrl_300x266_kang_vlenstr.h5', 300, 266],
    ['tenx/liger_stim_300x262_kang_vlenstr.h5', 300, 262],
    ['tenx/seurat_visium_filtered_feature_bc_matrix.h5', 2695, 100],
    ['tenx/visium1_filtered_feature_bc_matrix.h5', 100, 100],
  ])('%s opens as 10x HDF5 with %i cells and %i features', async (file, cells, features) => {
    const opened = await openCells(sharedPath('data', file))
    expect([opened.format, opened.rows, opened.columns]).toEqual(['10x-hdf5', cells, features])
    expect((await opened.obs()).index).toHaveLength(cells)
    expect((await opened.var()).index).toHaveLength(features)
    expect((await sumOf(opened, 'X')).rows).toBe(cells)
    await opened.close()
  })

  it.each(['v0.7.0', 'v0.7.8', 'v0.11.4'])(
    'the archive of anndata %s says the same as zarr and as h5ad',
    async (version) => {
      const zarr = (await openCells(
        sharedPath(`data/zarr/anndata_archive_${version}.zarr.zip`),
      )) as AnnDataFile
      const h5ad = (await openCells(
        sharedPath(`data/h5ad_formats/anndata_archive_${version}.h5ad`),
      )) as AnnDataFile
      expect(zarr.format).toBe('zarr')
      expect(await zarr.obs()).toEqual(await h5ad.obs())
      expect(await zarr.var()).toEqual(await h5ad.var())
      expect(await zarr.rawVar()).toEqual(await h5ad.rawVar())
      expect([...zarr.matrices].sort()).toEqual([...h5ad.matrices].sort())
      for (const name of zarr.matrices) expect(await sumOf(zarr, name)).toEqual(await sumOf(h5ad, name))
      for (const group of ['obsm', 'varm', 'obsp'] as const) {
        expect([...(await zarr.mapping(group)).keys()].sort()).toEqual(
          [...(await h5ad.mapping(group)).keys()].sort(),
        )
      }
      await zarr.close()
      await h5ad.close()
    },
  )

  it.each([['tenx/v3_mtx', 'tenx/cr3_filtered_feature_bc_matrix.h5']])(
    '%s holds the same cells, genes and counts as %s',
    async (folder, file) => {
      const mtx = await openCells(sharedPath('data', folder))
      const h5 = await openCells(sharedPath('data', file))
      expect((await mtx.obs()).index).toEqual((await h5.obs()).index)
      expect((await mtx.var()).index).toEqual((await h5.var()).index)
      expect((await mtx.var()).columns.get('gene_symbols')).toEqual(
        (await h5.var()).columns.get('gene_symbols'),
      )
      const rows = async (opened: CellFile): Promise<unknown[]> => {
        const found: unknown[] = []
        for await (const slab of (await opened.matrix('X')).slabs()) {
          for (let row = 0; row < slab.rows; row++) {
            const [from, to] = [slab.indptr[row]!, slab.indptr[row + 1]!]
            const entries = Array.from(slab.indices.subarray(from, to), (index, i) => [
              index,
              slab.values[from + i]!,
            ])
            found.push(entries.sort((a, b) => a[0]! - b[0]!))
          }
        }
        return found
      }
      expect(await rows(mtx)).toEqual(await rows(h5))
      await mtx.close()
      await h5.close()
    },
  )
})
