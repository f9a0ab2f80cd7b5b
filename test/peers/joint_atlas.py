"""What anndata makes of a joint file, and whether its counts are those of anndata's own concat: `joint_atlas.py JOINT ATLAS QUERY`."""
import json
import sys

import anndata
import numpy as np

joint, atlas, query = (anndata.read_h5ad(path) for path in sys.argv[1:4])
both = anndata.concat([atlas, query], join="inner")
counts = both[:, joint.var_names].X
logs = counts.multiply(1e4 / np.concatenate([atlas.X.sum(1), query.X.sum(1)])).log1p()
print(
    json.dumps(
        {
            "cells": list(joint.obs_names) == list(both.obs_names),
            "genes": sorted(joint.var_names) == sorted(both.var_names),
            "counts": float(abs(joint.layers["counts"] - counts).max()),
            "logs": float(abs(joint.X - logs).max()),
            "obs": sorted(set(atlas.obs.columns) | set(query.obs.columns)),
            "kept": [column for column in joint.obs.columns if column in atlas.obs or column in query.obs],
            "written": {key: str(joint.obs[key].dtype) for key in joint.obs.columns if key.startswith("predicted")},
            "source": joint.obs["source"].value_counts().to_dict(),
            "obsm": {key: list(value.shape) for key, value in joint.obsm.items()},
            "patient": joint.obs["patient"].isna().sum().item(),
        }
    )
)
