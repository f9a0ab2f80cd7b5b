"""Highly variable genes, flavour 'seurat', with numpy and pandas: reads rows of logs as JSON on stdin, writes standardised
dispersions of the genes seen in at least `min_cells` cells (null elsewhere) as JSON."""
import json
import sys

import numpy
import pandas

job = json.load(sys.stdin)
logs = numpy.array(job["rows"], dtype=numpy.float64)
kept = numpy.flatnonzero((logs > 0).sum(axis=0) >= job["min_cells"])
values = numpy.expm1(logs[:, kept])
mean = values.mean(axis=0)
variance = values.var(axis=0, ddof=1)
mean[mean == 0] = 1e-12
dispersion = variance / mean
dispersion[dispersion == 0] = numpy.nan
table = pandas.DataFrame({"mean": numpy.log1p(mean), "dispersion": numpy.log(dispersion)})
table["bin"] = pandas.cut(table["mean"], bins=job["bins"])
groups = table.groupby("bin")["dispersion"]
centre, spread = groups.mean(), groups.std(ddof=1)
alone = spread.isnull()
spread[alone] = centre[alone]
centre[alone] = 0
standard = (table["dispersion"].values - centre[table["bin"].values].values) / spread[table["bin"].values].values
out = [None] * logs.shape[1]
for gene, value in zip(kept, standard):
    out[gene] = None if numpy.isnan(value) else float(value)
print(json.dumps(out))
