"""Compares what Celldrop wrote with what it meant to write, element by element, as anndata and h5py read it.

Answers lines {"task": "written" | "appended", "case": PATH of a JSON file} on standard input, each with a line {"problems": [TEXT ...]}
or {"error": TEXT}, because anndata takes longer to start than to read most files.
"""
import base64
import json
import sys
import traceback
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse


def array(stored):
    return np.frombuffer(base64.b64decode(stored["bytes"]), dtype=stored["type"]).reshape(stored["shape"])


def same(found, wanted):
    """Equal numbers of one type; not-a-number equals itself."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.dtype != wanted.dtype or found.shape != wanted.shape:
        return False
    return bool(((found == wanted) | ((found != found) & (wanted != wanted))).all())


class Check:
    def __init__(self):
        self.problems = []

    def that(self, holds, *what):
        if not holds:
            self.problems.append(" ".join(map(str, what)))

    def column(self, place, series, wanted):
        kind = wanted["kind"]
        if kind == "string":
            self.that(series.dtype == object and series.tolist() == wanted["values"], place, "text", series.head(8).tolist())
        elif kind == "categorical":
            categories = wanted["categories"]
            categories = categories if isinstance(categories, list) else array(categories).tolist()
            self.that(isinstance(series.dtype, pd.CategoricalDtype), place, "is", series.dtype)
            self.that(series.cat.ordered == wanted["ordered"], place, "ordered", series.cat.ordered)
            self.that(series.cat.categories.tolist() == categories, place, "categories", series.cat.categories)
            self.that(same(series.cat.codes.to_numpy().astype("i4"), array(wanted["codes"])), place, "codes")
        elif "mask" in wanted:
            mask = array(wanted["mask"]).astype(bool)
            self.that(same(series.isna().to_numpy(), mask), place, "mask", series.dtype)
            values = series[~mask].to_numpy(dtype=wanted["values"]["type"])
            self.that(same(values, array(wanted["values"])[~mask]), place, "values", series.dtype)
            kinds = "b" if wanted["values"]["type"] == "bool" else "iu"
            self.that(series.dtype.kind in kinds and pd.api.types.is_extension_array_dtype(series), place, series.dtype)
        else:
            self.that(same(series.to_numpy(), array(wanted["values"])), place, "values", series.dtype)

    def table(self, place, frame, wanted):
        self.that(frame.index.tolist() == wanted["index"], place, "index", frame.index[:5])
        self.that(frame.columns.tolist() == list(wanted["columns"]), place, "columns", frame.columns.tolist())
        for name, column in wanted["columns"].items():
            self.column(place + "/" + name, frame[name], column)

    def matrix(self, place, found, wanted):
        if wanted["layout"] == "csr":
            self.that(isinstance(found, sparse.csr_matrix), place, "is", type(found))
            self.that(found.indices.dtype == np.int32 and found.indptr.dtype == np.int32, place, "index type")
            found.check_format()
            found = found.toarray()
        self.that(same(found, array(wanted)), place, "values", found.dtype)

    def plain(self, place, found, wanted):
        if isinstance(wanted, dict) and "bytes" in wanted:
            self.that(same(found, array(wanted)), place, found)
        elif isinstance(wanted, dict):
            self.that(isinstance(found, dict) and sorted(found) == sorted(wanted), place, "keys")
            for name, value in wanted.items():
                self.plain(place + "/" + name, found[name], value)
        elif isinstance(wanted, list):
            self.that(found.tolist() == wanted, place, found)
        else:
            plain = found.item() if isinstance(found, np.generic) else found
            self.that(type(plain) is type(wanted) and plain == wanted, place, repr(found))


def written(case):
    check = Check()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = anndata.read_h5ad(case["path"])
    check.table("obs", data.obs, case["obs"])
    check.table("var", data.var, case["var"])
    check.that((data.obs.index.name or "_index") == case["obs"]["indexName"], "obs index name", data.obs.index.name)
    for name, matrix in case["matrices"].items():
        found = {"X": lambda: data.X, "raw/X": lambda: data.raw.X}.get(name, lambda: data.layers[name.split("/")[1]])()
        check.matrix(name, found, matrix)
    for group in ("obsm", "varm", "obsp"):
        check.that(sorted(getattr(data, group)) == sorted(case[group]), group, "names", list(getattr(data, group)))
        for name, wanted in case[group].items():
            found = getattr(data, group)[name]
            if "layout" in wanted:
                check.matrix(group + "/" + name, found, wanted)
            else:
                check.that(same(found, array(wanted)), group, name, "values")
    check.plain("uns", dict(data.uns), case["uns"])
    extended(case["path"], check)
    return check.problems


def extended(path, check):
    """The library goes on with the file: every object opens, and each kind of change works."""
    with h5py.File(path, "r+") as file:
        before = []
        file.visititems(lambda name, _: before.append(name))
        for place in ("/", "obs", "uns"):
            for i in range(20):
                file[place].attrs["attribute %d" % i] = "x" * 50 * i
        for i in range(200):
            file.create_group("uns/extension/%d" % i)
        file.create_dataset("uns/compressed", data=np.arange(100_000), compression="gzip")
        growing = isinstance(file.get("X"), h5py.Group) and file["X/data"].maxshape == (None,)
        if growing:
            values = file["X/data"]
            length = len(values)
            values.resize((length + 300_000,))
            values[length:] = 1
    with h5py.File(path, "r") as file:
        after = []
        file.visititems(lambda name, _: after.append(name))
        check.that(len(after) == len(before) + 202, "objects", len(before), len(after))
        if growing:
            check.that(file["X/data"][-300_000:].sum() == 300_000, "X cannot be extended")


def appended(case):
    check = Check()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old, new = anndata.read_h5ad(case["source"]), anndata.read_h5ad(case["path"])
    columns = case["columns"]
    wanted = list(old.obs.columns) + [name for name in columns if name not in old.obs]
    check.that(list(new.obs.columns) == wanted, "columns", list(new.obs.columns))
    check.that(new.obs_names.equals(old.obs_names) and new.var.equals(old.var), "names of cells, or genes")
    for name in wanted:
        if name in columns:
            check.column("obs/" + name, new.obs[name], columns[name])
        else:
            check.that(old.obs[name].dtype == new.obs[name].dtype, "type of", name, new.obs[name].dtype)
            check.that(old.obs[name].astype(object).equals(new.obs[name].astype(object)), "values of", name)
    for group in ("obsm", "varm", "obsp", "layers", "uns"):
        for name in getattr(old, group):
            check.that(name in getattr(new, group), group, name, "is gone")
    for name in old.obsm:
        check.that(unchanged(old.obsm[name], new.obsm[name]), "obsm", name)
    check.that(same(new.obsm["X_added"], array(case["obsm"])), "obsm added")
    layer = new.layers["added"]
    check.that(layer.dtype == "float32" and layer.shape == old.shape and bool((layer.data == 1).all()), "layer", layer)
    check.that(same(layer.indices, np.arange(old.n_obs, dtype="i4") % old.n_vars), "layer's columns")
    check.plain("uns/added", new.uns["added"], case["uns"])
    with h5py.File(case["source"], "r") as a, h5py.File(case["path"], "r") as b:
        untouched(a, b, check)
    extended(case["path"], check)
    return check.problems


def unchanged(a, b):
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if sparse.issparse(a):
        return all(getattr(a, part).tobytes() == getattr(b, part).tobytes() for part in ("data", "indices", "indptr"))
    a, b = np.asarray(a), np.asarray(b)
    # texts and references are pointers in memory
    return a.tolist() == b.tolist() if a.dtype.hasobject else a.tobytes() == b.tobytes()


def untouched(a, b, check):
    """X and raw are the same bytes at the same places of the file."""
    def compare(name, item):
        if isinstance(item, h5py.Dataset) and name.split("/")[0] in ("X", "raw", "raw.X"):
            other = b[name]
            check.that(h5py.h5o.get_info(item.id).addr == h5py.h5o.get_info(other.id).addr, name, "moved")
            check.that(unchanged(item[()], other[()]), name, "changed")

    a.visititems(compare)


if __name__ == "__main__":
    tasks = {"written": written, "appended": appended}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            with open(asked["case"]) as case:
                answer = {"problems": tasks[asked["task"]](json.load(case))}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
