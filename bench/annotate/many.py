"""The cells of a file over and over, each time with half to all of its counts, as one large h5ad: real sparsity at size."""
import sys

import anndata
import numpy as np
import scipy.sparse as sp

source, target, cells = sys.argv[1], sys.argv[2], int(sys.argv[3])
given = anndata.read_h5ad(source)
rng = np.random.default_rng(0)
blocks = []
while sum(block.shape[0] for block in blocks) < cells:
    block = given.X.tocsr(copy=True)
    kept = rng.uniform(0.5, 1.0, block.shape[0])[np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))]
    block.data = rng.binomial(block.data.astype(np.int64), kept).astype(np.float32)
    block.eliminate_zeros()
    blocks.append(block)
x = sp.vstack(blocks).tocsr()[:cells]
made = anndata.AnnData(x, dtype=np.float32)
made.obs_names = [f"cell-{i}" for i in range(cells)]
made.var_names = given.var_names
made.write_h5ad(target, compression="gzip", compression_opts=1)
