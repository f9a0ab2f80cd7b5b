"""The peer of bench/training: scikit-learn's LogisticRegression (lbfgs) on dense cells, standardised and clipped as CellTypist does it,
in a process of its own. The clock runs during fit alone. Prints one JSON line.

  peer.py versions
  peer.py fit FOLDER LOSS TOL JOBS
"""
import json
import os
import resource
import sys
import time

import numpy as np
import scipy.sparse
import sklearn
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression


def load(folder):
    def numbers(name, dtype):
        return np.fromfile(os.path.join(folder, name), dtype)

    with open(os.path.join(folder, "sizes.json")) as file:
        sizes = json.load(file)
    sparse = scipy.sparse.csr_matrix((numbers("values", "f4"), numbers("indices", "i4"), numbers("indptr", "i4")), shape=(sizes["rows"], sizes["columns"]))
    dense = sparse.astype("f8").toarray()
    dense -= dense.mean(axis=0)
    for gene in range(dense.shape[1]):
        sd = dense[:, gene].std()
        dense[:, gene] /= sd if sd > 0 else 1
    np.minimum(dense, 10, out=dense)
    return dense, numbers("codes", "i4")


def objective(model, dense, codes, loss):
    scores = dense @ model.coef_.T + model.intercept_
    rows = np.arange(len(codes))
    penalty = 0.5 * (model.coef_**2).sum()
    if loss == "multinomial":
        return penalty + (logsumexp(scores, axis=1) - scores[rows, codes]).sum()
    signs = np.full(scores.shape, -1.0)
    signs[rows, codes] = 1
    return penalty + np.logaddexp(0, -signs * scores).sum()


def fit(folder, loss, tol, jobs):
    dense, codes = load(folder)
    model = LogisticRegression(multi_class=loss, tol=float(tol), max_iter=100_000, n_jobs=int(jobs))
    started = time.perf_counter()
    model.fit(dense, codes)
    seconds = time.perf_counter() - started
    # of the processes that n_jobs starts, which share the cells, the largest alone counts
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": seconds, "objective": objective(model, dense, codes, loss), "steps": int(model.n_iter_.sum()), "peak_mib": peak / 1024}


def versions():
    return {"numpy": np.__version__, "sklearn": sklearn.__version__}


print(json.dumps({"fit": fit, "versions": versions}[sys.argv[1]](*sys.argv[2:])))
