"""scikit-learn's LogisticRegression, to the end: what fitLinear is compared with. Standardises as StandardScaler does and clips above, as
CellTypist does. Arguments: folder, rows, columns, loss, C. Prints objective, intercepts; weights go to weights.bin."""
import json
import sys

import numpy as np
import scipy.sparse
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

folder, rows, columns, loss, strength = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
parts = [np.fromfile(f"{folder}/{name}.bin", dtype) for name, dtype in (("values", "f4"), ("indices", "i4"), ("indptr", "i4"))]
codes = np.fromfile(f"{folder}/codes.bin", "i4")
cells = StandardScaler().fit_transform(scipy.sparse.csr_matrix(tuple(parts), shape=(rows, columns)).astype("f8").toarray())
cells[cells > 10] = 10
# lbfgs gives up at a relative decrease of 2e-9, newton-cg goes on
solver = "newton-cg"
model = LogisticRegression(multi_class=loss, C=strength, solver=solver, tol=1e-6, max_iter=1_000).fit(cells, codes)
scores = cells @ model.coef_.T + model.intercept_
own = np.arange(rows), codes
squares = (model.coef_**2).sum()
if loss == "multinomial":
    # two labels: a row of weights for each, one the other's negative
    both = scores.shape[1] == 1
    scores = np.hstack([-scores, scores]) if both else scores
    objective = (1 if both else 0.5) * squares + strength * (logsumexp(scores, axis=1) - scores[own]).sum()
else:
    signs = np.full(scores.shape, -1.0)
    if scores.shape[1] == 1:
        signs[codes == 1] = 1
    else:
        signs[own] = 1
    objective = 0.5 * squares + strength * np.logaddexp(0, -signs * scores).sum()
model.coef_.astype("f8").tofile(f"{folder}/weights.bin")
print(json.dumps({"objective": objective, "intercept": model.intercept_.tolist()}))
