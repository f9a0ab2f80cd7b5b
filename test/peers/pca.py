"""Scales and decomposes a sparse table as scanpy does (scale with max_value, then the singular value decomposition of what is
centred), densely and in float64, with numpy alone. Arguments: folder, rows, columns, components, largest value, scale (1 or 0)."""
import json
import sys

import numpy as np
import scipy.sparse

folder, rows, columns, components, largest, scale = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5]), sys.argv[6] == "1"
parts = [np.fromfile(f"{folder}/{name}.bin", dtype) for name, dtype in (("values", "f4"), ("indices", "i4"), ("indptr", "i4"))]
table = scipy.sparse.csr_matrix(tuple(parts), shape=(rows, columns)).toarray().astype("f8")
if scale:
    table -= table.mean(axis=0)
    sd = np.sqrt(table.var(axis=0, ddof=1))
    sd[sd == 0] = 1
    table = np.clip(table / sd, -largest, largest)
table -= table.mean(axis=0)
left, singular, right = np.linalg.svd(table, full_matrices=False)
most = np.abs(right).argmax(axis=1)
signs = np.sign(right[np.arange(len(right)), most])
(left * singular * signs)[:, :components].tofile(f"{folder}/scores.bin")
variance = singular**2 / (rows - 1)
print(json.dumps({"singular": singular[:components].tolist(), "ratio": (variance / variance.sum())[:components].tolist()}))
