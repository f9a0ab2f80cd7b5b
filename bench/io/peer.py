"""The peer of bench/io: the same work with h5py, in a process of its own. Prints one JSON line.

  peer.py versions
  peer.py generate PATH CELLS GENES PER_CELL GZIP
  peer.py read PATH                       X by slabs, data and indices
  peer.py anndata PATH                    the whole file with anndata
  peer.py rewrite SOURCE TARGET GZIP [shuffle]   X by slabs into a new file, column numbers shuffled or not
"""
import json
import os
import resource
import sys
import time

import h5py
import numpy as np
from h5py._hl.filters import guess_chunk

SLAB = 2 * 1024 * 1024  # stored entries: 16 MiB of float32 values and int32 columns


def chunked(group, name, dtype, gzip, expected=100_000_000, shuffle=False):
    """As anndata does it: h5py guesses the chunks from the length, here before the length is known."""
    options = dict(compression="gzip", compression_opts=gzip, shuffle=shuffle) if gzip else {}
    chunks = guess_chunk((max(1, expected),), (None,), np.dtype(dtype).itemsize)
    return group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=chunks, **options)


def append(dataset, values):
    start = dataset.shape[0]
    dataset.resize((start + len(values),))
    dataset[start:] = values


def strings(group, name, values):
    group.create_dataset(name, data=np.array(values, dtype=object), dtype=h5py.string_dtype())
    group[name].attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def frame(file, name, index, columns):
    group = file.create_group(name)
    group.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0", "_index": "_index"})
    group.attrs["column-order"] = np.array(list(columns), dtype=object) if columns else np.array([], dtype=float)
    strings(group, "_index", index)
    for key, values in columns.items():
        if isinstance(values, tuple):
            part = group.create_group(key)
            part.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
            part.create_dataset("codes", data=values[0])
            strings(part, "categories", values[1])
        else:
            group.create_dataset(key, data=values)
            group[key].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})


def generate(path, cells, genes, per_cell, gzip):
    random = np.random.default_rng(1)
    weight = random.lognormal(0, 1.5, genes)
    cumulative = np.cumsum(weight / weight.sum())
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array([cells, genes])})
        data, indices = chunked(group, "data", "f4", gzip), chunked(group, "indices", "i4", gzip)
        indptr = [0]
        for start in range(0, cells, 1000):
            columns, values = [], []
            for _ in range(min(1000, cells - start)):
                drawn = np.searchsorted(cumulative, random.random(int(per_cell * 1.6)))
                row = np.unique(np.minimum(drawn, genes - 1))
                columns.append(row)
                indptr.append(indptr[-1] + len(row))
            joined = np.concatenate(columns)
            append(indices, joined.astype("i4"))
            append(data, random.geometric(0.6, len(joined)).astype("f4"))
        group.create_dataset("indptr", data=np.array(indptr, dtype="i8"))
        types = ["type %d" % i for i in range(20)]
        donors = ["donor %d" % i for i in range(12)]
        columns = {"cell_type": (random.integers(0, 20, cells).astype("i1"), types), "donor": (random.integers(0, 12, cells).astype("i1"), donors)}
        columns.update({name: random.random(cells) for name in ("pct_mito", "score_a", "score_b")})
        columns.update({name: random.integers(0, 9999, cells) for name in ("n_genes", "n_counts")})
        columns["is_doublet"] = random.random(cells) < 0.05
        frame(file, "obs", ["CELL%08d-1" % i for i in range(cells)], columns)
        frame(file, "var", ["ENSG%011d" % i for i in range(genes)], {"mean": weight, "gene_name": (np.arange(genes) % 100, [str(i) for i in range(100)])})
        return {"stored": int(indptr[-1])}


def read(path):
    with h5py.File(path) as file:
        data, indices = file["X/data"], file["X/indices"]
        total, count = 0.0, data.shape[0]
        started = time.perf_counter()
        for start in range(0, count, SLAB):
            values, columns = data[start : start + SLAB], indices[start : start + SLAB]
            total += float(values[0]) + float(columns[0])
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "stored": count}


def read_anndata(path):
    import anndata

    started = time.perf_counter()
    cells = anndata.read_h5ad(path)
    return {"seconds": time.perf_counter() - started, "shape": list(cells.shape)}


def rewrite(source, target, gzip, shuffle=False):
    with h5py.File(source) as file, h5py.File(target, "w") as output:
        data, indices = file["X/data"], file["X/indices"]
        group = output.create_group("X")
        new_data, new_indices = chunked(group, "data", data.dtype, gzip), chunked(group, "indices", indices.dtype, gzip, shuffle=shuffle)
        count = data.shape[0]
        started = time.perf_counter()
        for start in range(0, count, SLAB):
            append(new_data, data[start : start + SLAB])
            append(new_indices, indices[start : start + SLAB])
        group.create_dataset("indptr", data=file["X/indptr"][:])
    # on the disk and not only on its way there, as ours is when it appears under its name
    with open(target, "rb+") as output:
        os.fsync(output.fileno())
    return {"seconds": time.perf_counter() - started, "stored": count}


def main():
    command, arguments = sys.argv[1], sys.argv[2:]
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if command == "versions":
        import anndata

        answer = {"h5py": h5py.__version__, "hdf5": h5py.version.hdf5_version, "anndata": anndata.__version__, "python": sys.version.split()[0]}
    elif command == "generate":
        answer = generate(arguments[0], *map(int, arguments[1:]))
    elif command == "read":
        answer = read(arguments[0])
    elif command == "anndata":
        answer = read_anndata(arguments[0])
    else:
        answer = rewrite(arguments[0], arguments[1], int(arguments[2]), "shuffle" in arguments)
    answer["peak_mib"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
    print(json.dumps(answer))


main()
