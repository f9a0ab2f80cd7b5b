"""Writes FILE, one small AnnData whose matrices and texts are compressed in every way that this machine's HDF5 can.

filters.py FILE
"""
import sys

import h5py
import numpy as np

CELLS, GENES = 200, 150
BLOSC, LZ4, BZIP2 = 32001, 32004, 307
ways = {
    "blosc-blosclz": dict(compression=BLOSC, compression_opts=(0, 0, 0, 0, 5, 0, 0)),
    "blosc-lz4-shuffled": dict(compression=BLOSC, compression_opts=(0, 0, 0, 0, 5, 1, 1)),
    "blosc-zlib": dict(compression=BLOSC, compression_opts=(0, 0, 0, 0, 5, 1, 4)),
    "blosc-zstd-bits": dict(compression=BLOSC, compression_opts=(0, 0, 0, 0, 5, 2, 5)),
    "lz4": dict(compression=LZ4, compression_opts=(4096,)),
    "bzip2": dict(compression=BZIP2, compression_opts=(9,)),
    "lzf": dict(compression="lzf"),
    "lzf-shuffled": dict(compression="lzf", shuffle=True),
    "gzip": dict(compression="gzip", compression_opts=9, shuffle=True),
    "checked": dict(compression="gzip", fletcher32=True),
    "scaled": dict(scaleoffset=4),
}
for name, way in list(ways.items()):
    if isinstance(way.get("compression"), int) and not h5py.h5z.filter_avail(way["compression"]):
        del ways[name]
random = np.random.default_rng(3)
counts = random.poisson(0.5, (CELLS, GENES)).astype("f4")
names = np.array(["cell %d" % i for i in range(CELLS)], dtype=object)

with h5py.File(sys.argv[1], "w") as file:
    file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
    for table, index in (("obs", names), ("var", np.array(["gene %d" % i for i in range(GENES)], dtype=object))):
        group = file.create_group(table)
        group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
        group.create_dataset("_index", data=index, dtype=h5py.string_dtype(), **(ways["lzf"] if table == "obs" else {}))
        group.attrs["column-order"] = np.array([], dtype=float)
    for name, way in ways.items():
        layer = file.create_dataset("layers/" + name, data=counts, chunks=(64, 50), **way)
        layer.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        if name == "scaled":  # lossy for whole numbers
            continue
        group = file.create_group("layers/sparse-" + name)
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": counts.shape})
        rows, columns = counts.nonzero()
        group.create_dataset("data", data=counts[rows, columns], chunks=(1000,), **way)
        group.create_dataset("indices", data=columns.astype("i4"), chunks=(1000,), **way)
        group["indptr"] = np.concatenate([[0], np.cumsum((counts != 0).sum(1))]).astype("i4")
        # HDF5 itself cannot apply these to text of variable length
        if name.startswith("blosc") or name == "checked":
            continue
        text = file.create_dataset("uns/" + name, data=names, dtype=h5py.string_dtype(), chunks=(64,), **way)
        text.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})
