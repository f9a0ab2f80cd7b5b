"""The peers of bench/neighbours: one task, printed as one line of JSON. Compilation (numba) and imports are outside of the clock."""
import json
import resource
import sys
import time

import numpy as np

task, folder, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
DIMS, K, GENES = 30, 31, 2000


def points():
    return np.fromfile(f"{folder}/points-{rows}.bin", "f4").reshape(rows, DIMS)


def brute():
    from sklearn.neighbors import NearestNeighbors

    table = points()
    start = time.perf_counter()
    indices = NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=2).fit(table).kneighbors(table)[1]
    seconds = time.perf_counter() - start
    indices.astype("i4").tofile(f"{folder}/peer-{rows}.bin")
    return {"seconds": seconds}


def descent():
    from pynndescent import NNDescent

    table = points()
    NNDescent(table[:2000], n_neighbors=K, random_state=1, n_jobs=2).neighbor_graph
    start = time.perf_counter()
    indices = NNDescent(table, n_neighbors=K, random_state=1, n_jobs=2).neighbor_graph[0]
    seconds = time.perf_counter() - start
    indices.astype("i4").tofile(f"{folder}/peer-{rows}.bin")
    return {"seconds": seconds}


def decompose(solver):
    import scipy.sparse
    from sklearn.decomposition import PCA

    parts = [np.fromfile(f"{folder}/{name}.bin", kind) for name, kind in (("values", "f4"), ("indices", "i4"), ("indptr", "i4"))]
    table = scipy.sparse.csr_matrix(tuple(parts), shape=(rows, GENES))
    start = time.perf_counter()
    # what scanpy does: scale makes it dense, float32, then the decomposition
    dense = table.toarray()
    dense -= dense.mean(axis=0, dtype="f8")
    sd = dense.std(axis=0, ddof=1, dtype="f8")
    sd[sd == 0] = 1
    dense /= sd
    np.clip(dense, -10, 10, out=dense)
    fitted = PCA(50, svd_solver=solver, random_state=0)
    fitted.fit_transform(dense)
    return {"seconds": time.perf_counter() - start, "variance": fitted.explained_variance_.tolist()}


def versions():
    import pynndescent
    import sklearn

    return {"sklearn": sklearn.__version__, "pynndescent": pynndescent.__version__, "numpy": np.__version__}


tasks = {
    "brute": brute,
    "descent": descent,
    "arpack": lambda: decompose("arpack"),
    "randomized": lambda: decompose("randomized"),
    "versions": versions,
}
result = tasks[task]()
print(json.dumps({**result, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
