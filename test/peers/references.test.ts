/** Oracle: a reference of two datasets is what anndata makes of the same two files, filtered and joined (outer, zeros where absent). */
import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { chooseCells } from '../../lib/references/choose-cells.ts'
import { findFiles } from '../../lib/references/find-files.ts'
import { parseSource } from '../../lib/references/source.ts'
import { writeReference } from '../../lib/references/write-reference.ts'
import { addThree, ids, startCellxgene } from '../references/cellxgene-double.ts'
import { findPython } from '../support/python.ts'

const script = `
import sys, json, warnings
warnings.simplefilter('ignore')
import anndata, numpy, scipy.sparse
ours = anndata.read_h5ad(sys.argv[1])
parts = []
for path in sys.argv[2:]:
    part = anndata.read_h5ad(path)
    if part.raw is not None: part = part.raw.to_adata()
    if 'feature_id' in part.var: part.var_names = part.var['feature_id']
    o = part.obs
    part = part[(o.tissue == 'lung') & (o.disease == 'normal') & o.is_primary_data & (o.tissue_type == 'tissue')]
    parts.append(part.copy())
theirs = anndata.concat(parts, join='outer', fill_value=0, index_unique='-')
theirs = theirs[:, ours.var_names]
dense = lambda x: numpy.asarray(x.todense() if scipy.sparse.issparse(x) else x)
columns = [c for c in theirs.obs.columns if c in ours.obs]
print(json.dumps({
    'names': list(ours.obs_names) == list(theirs.obs_names), 'genes': ours.n_vars == theirs.n_vars,
    'counts': bool((dense(ours.X) == dense(theirs.X)).all()), 'columns': sorted(columns),
    'obs': all(ours.obs[c].astype(str).tolist() == theirs.obs[c].astype(str).tolist() for c in columns),
    'sorted': bool(ours.X.has_sorted_indices), 'datasets': ours.obs['dataset_id'].astype(str).tolist(),
    'uns': sorted(ours.uns['reference'].keys()), 'varm': list(ours.varm['dataset_presence'].sum(0).tolist()),
}))
`

const python = findPython()

it.skipIf(python === undefined)('a query gives what anndata joins, and anndata reads it', async () => {
  await using double = await startCellxgene()
  await addThree(double)
  const { environment, folder } = double
  const source = parseSource('cellxgene://?tissue=lung&disease=normal')
  if (source.kind !== 'query') throw new Error('no query')
  const found = await findFiles(source, { environment })
  const chosen = await chooseCells(found.files, {
    ...{ seed: 1, labelColumn: null, resolveHierarchy: 'none', validateLabels: true },
    ...{ filters: source.filters, environment },
  })
  const path = join(folder.path, 'ours.h5ad')
  await writeReference(path, { ...found, chosen, environment, gzip: 4 })
  const program = join(folder.path, 'compare.py')
  await writeFile(program, script)
  const files = [ids.lungA, ids.lungB].map((id) => join(folder.path, `${id}.h5ad`))
  const told = JSON.parse(execFileSync(python!, [program, path, ...files], { encoding: 'utf8' }))
  expect(told).toMatchObject({
    names: true,
    genes: true,
    counts: true,
    obs: true,
    sorted: true,
    varm: [3, 3],
  })
  expect(told.columns).toEqual(expect.arrayContaining(['cell_type', 'disease', 'tissue', 'is_primary_data']))
  expect(told.datasets).toEqual([...Array(4).fill(ids.lungA), ...Array(3).fill(ids.lungB)])
  expect(told.uns).toEqual(expect.arrayContaining(['census_release', 'dataset_ids', 'source']))
})
