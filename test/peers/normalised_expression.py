"""What anndata and h5py make of a file of normalised expression beside the mapped cells: `normalised_expression.py EXPRESSION MAPPED`."""
import json
import sys

import anndata
import h5py
import numpy as np

path, mapped = sys.argv[1:3]
data = anndata.read_h5ad(path)
backed = anndata.read_h5ad(path, backed="r")
missing = np.isnan(data.X).all(axis=1)
with h5py.File(path) as file:
    row = file["X"][5]
asked = {
    key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    for key, value in data.uns["normalized_expression"].items()
}
print(
    json.dumps(
        {
            "type": str(data.X.dtype),
            "kind": type(data.X).__name__,
            "shape": list(data.shape),
            "genes": list(data.var_names),
            "sameCells": list(data.obs_names) == list(anndata.read_h5ad(mapped).obs_names),
            "missing": np.flatnonzero(missing).tolist(),
            "sums": data.X[~missing].sum(axis=1).tolist(),
            "row": row.astype(float).tolist(),
            "backed": bool(np.array_equal(backed.X[5], row)),
            "obs": list(data.obs.columns),
            "asked": asked,
        }
    )
)
