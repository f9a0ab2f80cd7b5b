"""scipy's side of bench:prep: the same work on the same matrix, as scanpy and CellTypist do it with scipy and scikit-learn."""
import json
import sys
import time

import numpy
import scipy
import scipy.sparse
import sklearn
from sklearn.utils.sparsefuncs import inplace_row_scale, mean_variance_axis

if sys.argv[1] == "versions":
    print(json.dumps({"scipy": scipy.__version__, "sklearn": sklearn.__version__, "numpy": numpy.__version__}))
    sys.exit()

folder, cells = sys.argv[2], int(sys.argv[3])
columns, per_cell = 33_000, 1_000
indices = numpy.fromfile(f"{folder}/indices", dtype=numpy.int32)
values = numpy.fromfile(f"{folder}/values", dtype=numpy.float32)
target = numpy.fromfile(f"{folder}/target", dtype=numpy.int32)
indptr = numpy.arange(cells + 1, dtype=numpy.int32) * per_cell
x = scipy.sparse.csr_matrix((values, indices, indptr), shape=(cells, columns))
order = numpy.argsort(target[target >= 0])
chosen = numpy.flatnonzero(target >= 0)[order]


def timed(work):
    start = time.perf_counter()
    checksum = work()
    return {"seconds": time.perf_counter() - start, "checksum": float(checksum)}


def logs():
    y = x.copy()
    inplace_row_scale(y, 1e4 / numpy.asarray(y.sum(axis=1)).ravel())
    numpy.log1p(y.data, out=y.data)
    return y


def align():
    y = x[:, chosen]
    y.sort_indices()
    return y.data.sum(dtype=numpy.float64)


def normalise():
    y = logs()[:, chosen]
    y.sort_indices()
    return y.data.sum(dtype=numpy.float64)


def moments():
    y = logs()
    numpy.expm1(y.data, out=y.data)
    _, variance = mean_variance_axis(y.astype(numpy.float64), axis=0)
    return (variance * (cells / (cells - 1))).sum()


print(json.dumps({"align": timed(align), "normalise": timed(normalise), "moments": timed(moments)}))
