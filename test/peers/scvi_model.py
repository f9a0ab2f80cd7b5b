"""Compares a model.pt that was written with the one that it was read from: tensors bit by bit, names, attributes. Prints JSON."""
import json
import sys

import numpy as np
import torch

ours, theirs = (torch.load(path, map_location="cpu") for path in sys.argv[1:3])
differences = []


def same(place, a, b):
    if isinstance(b, dict):
        if not isinstance(a, dict) or set(a) != set(b):
            differences.append(f"{place}: {sorted(a) if isinstance(a, dict) else a} and not {sorted(b)}")
            return
        for key in b:
            same(f"{place}/{key}", a[key], b[key])
    elif type(b).__name__ == "DataFrame":
        equal = (
            type(a) is type(b)
            and list(a.columns) == list(b.columns)
            and list(a.index) == list(b.index)
            and a.index.name == b.index.name
            and np.array_equal(a.to_numpy().astype(float), b.to_numpy().astype(float), equal_nan=True)
        )
        if not equal:
            differences.append(f"{place}: another history")
    elif isinstance(b, np.ndarray):
        equal = isinstance(a, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
        if not equal:
            differences.append(f"{place}: another array")
    elif type(a) is not type(b) or a != b:
        differences.append(f"{place}: {a!r} and not {b!r}")


state, expected = ours["model_state_dict"], theirs["model_state_dict"]
if list(state) != list(expected):
    differences.append(f"names of tensors: {list(state)}")
for name, tensor in expected.items():
    if name == "pyro_param_store":
        same(name, state[name], tensor)
        continue
    mine = state[name]
    equal = mine.dtype == tensor.dtype and mine.shape == tensor.shape and torch.equal(mine, tensor)
    if not equal or not mine.is_contiguous():
        differences.append(f"tensor {name}")
same("var_names", ours["var_names"], theirs["var_names"])

attributes, expected = dict(ours["attr_dict"]), dict(theirs["attr_dict"])
# of another run, or of its cells and not of the model: loading sets it from the cells
for name in ("run_id_", "run_name_", "labels_"):
    attributes.pop(name, None)
    expected.pop(name, None)
for registry in (attributes["registry_"], expected["registry_"]):
    registry.pop("_scvi_uuid")
for name in ("unsupervised_history_", "semisupervised_history_"):
    if name not in expected and attributes.get(name, None) is None:
        attributes.pop(name, None)
same("attr_dict", attributes, expected)
print(json.dumps({"differences": differences, "tensors": len(state), "torch": torch.__version__}))
