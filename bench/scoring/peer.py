"""The peer of bench/scoring: what CellTypist 1.7.1 does between its input and its scores, with numpy and scikit-learn, in a process of
its own. Prints one JSON line.

  peer.py versions
  peer.py score FOLDER            the whole matrix at once, as CellTypist does
  peer.py blocks FOLDER ROWS      the same by blocks of rows, every step in place: as fast as numpy gets it
"""
import json
import os
import resource
import sys
import time

import numpy as np
import scipy.sparse
import sklearn
from sklearn.linear_model import LogisticRegression


def load(folder):
    def numbers(name, dtype):
        return np.fromfile(os.path.join(folder, name), dtype)

    with open(os.path.join(folder, "sizes.json")) as file:
        sizes = json.load(file)
    indptr = np.arange(0, sizes["cells"] * sizes["perCell"] + 1, sizes["perCell"])
    rows = scipy.sparse.csr_matrix((numbers("values", "f4"), numbers("indices", "i4"), indptr), shape=(sizes["cells"], sizes["genes"]), copy=False)
    model = LogisticRegression()
    model.classes_ = np.array(["label%d" % i for i in range(sizes["labels"])])
    model.coef_ = numbers("weights", "f8").reshape(sizes["labels"], sizes["modelGenes"])
    model.intercept_ = numbers("intercept", "f8")
    model.n_features_in_ = sizes["modelGenes"]
    columns = np.where(numbers("target", "i4") >= 0)[0]
    return rows, model, columns, numbers("mean", "f8"), numbers("scale", "f8")


def whole(rows, model, columns, mean, scale):
    started = time.perf_counter()
    selected = rows[:, columns]
    selecting = time.perf_counter() - started
    scaled = (selected - mean) / scale
    scaled[scaled > 10] = 10
    return model.decision_function(np.asarray(scaled)), selecting


def blocks(rows, model, columns, mean, scale, size):
    scores, selecting = np.empty((rows.shape[0], len(model.intercept_))), 0
    for start in range(0, rows.shape[0], size):
        started = time.perf_counter()
        selected = rows[start : start + size][:, columns]
        selecting += time.perf_counter() - started
        scaled = selected.toarray().astype("f8")
        scaled -= mean
        scaled /= scale
        np.minimum(scaled, 10, out=scaled)
        scores[start : start + size] = model.decision_function(scaled)
    return scores, selecting


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "versions":
        return {"numpy": np.__version__, "scipy": scipy.__version__, "sklearn": sklearn.__version__}
    parts = load(arguments[0])
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    scores, selecting = whole(*parts) if command == "score" else blocks(*parts, int(arguments[1]))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best = int(scores.argmax(axis=1).sum())
    return {"seconds": seconds, "select_seconds": selecting, "peak_mib": (peak - base) / 1024, "first": scores[0].tolist(), "best": best}


print(json.dumps(main()))
