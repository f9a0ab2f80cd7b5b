"""Everything that anndata reads in a file, for comparison: OUT/manifest.json, and numbers as raw little-endian files beside it.

Answers lines {"file": FILE, "out": OUT, "strict": BOOLEAN} on standard input, each with a line {} or {"error": TEXT}, because anndata
takes longer to start than to read most files. Strict: a warning of anndata is an error, but for names of cells that occur twice.
"""
import json
import pathlib
import sys
import traceback
import warnings

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sparse

out = pathlib.Path()
count = 0


def numbers(values):
    """Booleans as bytes, everything else as it is stored."""
    global count
    values = np.asarray(values)
    kind = "boolean" if values.dtype == bool else values.dtype.name
    data = values.astype("u1") if values.dtype == bool else values.astype(values.dtype.newbyteorder("<"))
    count += 1
    name = "%d.bin" % count
    (out / name).write_bytes(np.ascontiguousarray(data).tobytes())
    return {"kind": "numbers", "type": kind, "shape": list(values.shape), "file": name}


def matrix(value):
    """Rows, columns and values of what is not zero, in row-major order, as float64."""
    rows = sparse.csr_matrix(value, dtype="f8")
    rows.sum_duplicates()
    rows.sort_indices()
    rows.eliminate_zeros()
    return {
        "kind": "matrix",
        "shape": list(rows.shape),
        "data": numbers(rows.data),
        "indices": numbers(rows.indices.astype("i4")),
        "indptr": numbers(rows.indptr.astype("f8")),
    }


def text(values):
    return {"kind": "text", "shape": list(np.shape(values)), "values": [v.decode() if isinstance(v, bytes) else str(v) for v in np.ravel(values)]}


def column(series):
    if isinstance(series.dtype, pd.CategoricalDtype):
        categories = series.cat.categories
        plain = text(categories) if categories.dtype == object else numbers(categories.to_numpy())
        codes = numbers(series.cat.codes.to_numpy().astype("i4"))
        return {"kind": "categorical", "ordered": bool(series.cat.ordered), "categories": plain, "codes": codes}
    if series.dtype == object or series.dtype == "string":
        return text(series.to_numpy())
    if pd.api.types.is_extension_array_dtype(series.dtype):
        mask = series.isna().to_numpy()
        known = series.fillna(False if series.dtype == "boolean" else 0).to_numpy(dtype=series.dtype.numpy_dtype)
        return {"kind": "nullable", "values": numbers(known), "mask": numbers(mask)}
    return numbers(series.to_numpy())


def table(frame):
    columns = {name: column(frame[name]) for name in frame.columns}
    return {"kind": "table", "index": [str(name) for name in frame.index], "columns": columns}


def element(value):
    if isinstance(value, dict) or hasattr(value, "items") and not isinstance(value, pd.DataFrame):
        return {"kind": "dict", "entries": {key: element(item) for key, item in value.items()}}
    if isinstance(value, pd.DataFrame):
        return table(value)
    if sparse.issparse(value):
        return matrix(value)
    if isinstance(value, (str, bytes, np.str_)):
        return text(value)
    if isinstance(value, pd.Categorical):
        return column(pd.Series(value))
    if isinstance(value, np.ndarray) and value.dtype.names:
        return {"kind": "records", "fields": {name: element(value[name]) for name in value.dtype.names}}
    value = np.asarray(value)
    if value.dtype.kind in "OSU":
        return text(value)
    return numbers(value) if value.dtype.kind in "biuf" else {"kind": "other", "type": str(value.dtype)}


def read(file, strict):
    with warnings.catch_warnings():
        warnings.simplefilter("error" if strict else "ignore")
        if strict:
            warnings.filterwarnings("ignore", "Observation names are not unique")
        return anndata.read_h5ad(file)


def dump(file, to, strict):
    global out, count
    out, count = pathlib.Path(to), 0
    out.mkdir(parents=True)
    cells = read(file, strict)
    matrices = {"layers/" + name: matrix(value) for name, value in cells.layers.items()}
    if cells.X is not None:
        matrices["X"] = matrix(cells.X)
    if cells.raw is not None:
        matrices["raw/X"] = matrix(cells.raw.X)
    manifest = {
        "shape": list(cells.shape),
        "obs": table(cells.obs),
        "var": table(cells.var),
        "matrices": matrices,
        "obsm": {name: element(value) for name, value in cells.obsm.items()},
        "varm": {name: element(value) for name, value in cells.varm.items()},
        "obsp": {name: element(value) for name, value in cells.obsp.items()},
        "uns": {name: element(value) for name, value in cells.uns.items()},
    }
    if cells.raw is not None:
        manifest["rawVar"] = table(cells.raw.var)
    (out / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dump(asked["file"], asked["out"], asked["strict"])
            answer = {}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
