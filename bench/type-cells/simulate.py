"""Two references and a query of thirty types in ten families: counts as a panel gives them, each file with a bias of its own by gene."""
import sys

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

folder, cells_each, query_cells, genes, panel = sys.argv[1], *map(int, sys.argv[2:6])
names = """B cell|memory B cell|naive B cell|plasma cell|plasmablast|IgA plasma cell|CD4-positive, alpha-beta T cell|regulatory T cell
T follicular helper cell|CD8-positive, alpha-beta T cell|CD8-positive, alpha-beta cytotoxic T cell|natural killer cell|macrophage
classical monocyte|non-classical monocyte|conventional dendritic cell|plasmacytoid dendritic cell|mast cell|fibroblast|myofibroblast cell
pericyte|endothelial cell of artery|vein endothelial cell|endothelial cell of lymphatic vessel|enterocyte|goblet cell|enteroendocrine cell
astrocyte|oligodendrocyte|microglial cell""".replace("\n", "|").split("|")
rng = np.random.default_rng(1)
means = np.repeat(rng.lognormal(-1.8, 1.2, (1, genes)), len(names), axis=0)
for family in range(10):
    up = rng.choice(genes, genes // 60, replace=False)
    means[3 * family : 3 * family + 3, up] *= rng.lognormal(1.5, 0.4, len(up))
for kind in range(len(names)):
    up = rng.choice(genes, genes // 40, replace=False)
    means[kind, up] *= rng.lognormal(1.3, 0.4, len(up))
shares = rng.dirichlet(np.full(len(names), 2.0))


def write(path, cells, columns, labelled):
    kinds = rng.choice(len(names), cells, p=shares)
    bias = rng.lognormal(0.0, 0.25, len(columns))
    blocks = []
    for start in range(0, cells, 5000):
        kind = kinds[start : start + 5000]
        depth = rng.lognormal(0.0, 0.35, (len(kind), 1))
        blocks.append(sp.csr_matrix(rng.poisson(means[np.ix_(kind, columns)] * bias * depth).astype(np.float32)))
    made = anndata.AnnData(sp.vstack(blocks).tocsr(), dtype=np.float32)
    made.obs_names = [f"cell-{i}" for i in range(cells)]
    made.var_names = [f"GENE{i + 1}" for i in columns]
    made.obs["cell_type" if labelled else "truth"] = pd.Categorical(np.asarray(names)[kinds])
    if not labelled:
        made.obsm["spatial"] = rng.uniform(0, 5000, (cells, 2))
    made.write_h5ad(path, compression="gzip", compression_opts=1)


every = np.arange(genes)
write(f"{folder}/reference-1.h5ad", cells_each, every, True)
write(f"{folder}/reference-2.h5ad", cells_each, every, True)
write(f"{folder}/query.h5ad", query_cells, np.sort(rng.choice(genes, panel, replace=False)), False)
