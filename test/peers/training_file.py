"""Opens training.h5ad as a user would and trains scikit-learn on it, as CellTypist does: standardised, one class against the rest, C = 1.

usage: training_file.py TRAINING.h5ad QUERY.h5ad ANNOTATED.h5ad. Prints what was found as JSON.
"""
import json
import sys
import warnings

import anndata
import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("error")
training_path, query_path, annotated_path = sys.argv[1:]
training = anndata.read_h5ad(training_path)
query = anndata.read_h5ad(query_path)
annotated = anndata.read_h5ad(annotated_path)


def logs_of(counts):
    counts = np.asarray(counts.todense() if sparse.issparse(counts) else counts, dtype=float)
    return np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)


x = np.asarray(training.X.todense(), dtype=float)
scaler = StandardScaler().fit(x)


def scaled(logs):
    return np.minimum(scaler.transform(logs), 10)


warnings.simplefilter("default")  # newer versions of scikit-learn announce that multi_class goes
model = LogisticRegression(C=1, multi_class="ovr", solver="lbfgs", tol=1e-10, max_iter=10000)
model.fit(scaled(x), training.obs["cell_type"])
rows = scaled(logs_of(query[:, training.var_names].X))
scores = model.decision_function(rows)
ours = annotated.obsm["cell_type_decision_scores"]
columns = [list(annotated.uns["cell_type_cell_types"]).index(name) for name in model.classes_]
print(
    json.dumps(
        {
            "cells": training.n_obs,
            "names_unique": bool(training.obs_names.is_unique and training.var_names.is_unique),
            "dtypes": {name: str(dtype) for name, dtype in training.obs.dtypes.items()},
            "missing": {name: int(training.obs[name].isna().sum()) for name in training.obs},
            "x_from_counts": float(np.abs(logs_of(training.layers["counts"]) - x).max()),
            "x_within_counts": not bool(((x > 0) & (training.layers["counts"].toarray() == 0)).any()),
            "validation": json.loads(training.uns["validation_results"]),
            "predicted": model.predict(rows).tolist(),
            "ours": annotated.obs["cell_type_predicted"].astype(str).tolist(),
            "largest_difference": float(np.abs(scores - ours[:, columns]).max()),
        }
    )
)
