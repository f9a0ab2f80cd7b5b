"""What is prepared for models of counts, with numpy: reads a job as JSON on stdin, writes as JSON the bins of each cell (dense rows of counts) and the
order of each list of numbers from largest to smallest."""
import json
import sys

import numpy


def binned(row, bins):
    row = numpy.array(row, dtype=numpy.float64)
    out = numpy.zeros(len(row), dtype=int)
    some = row.nonzero()[0]
    if len(some):
        edges = numpy.quantile(row[some], numpy.linspace(0, 1, bins - 1))
        out[some] = numpy.digitize(row[some], edges)
    return out.tolist()


job = json.load(sys.stdin)
print(json.dumps({
    "binned": [binned(row, job["bins"]) for row in job["cells"]],
    "orders": [numpy.argsort(-numpy.array(values, dtype=numpy.float64)).tolist() for values in job["lists"]],
}))
