"""Ten steps of torch.optim.Adam or AdamW with gradients that are given. Reads JSON from standard input, prints the weights as JSON."""
import json
import sys

import torch

given = json.load(sys.stdin)
weights = {name: torch.tensor(values, dtype=torch.float64, requires_grad=True) for name, values in given["first"].items()}
kind = torch.optim.AdamW if given["kind"] == "decoupled" else torch.optim.Adam
adam = kind(weights.values(), lr=given["rate"], eps=given["epsilon"], weight_decay=given["decay"])
for slopes in given["slopes"]:
    for name, weight in weights.items():
        weight.grad = torch.tensor(slopes[name], dtype=torch.float64)
    if given["clip"]:
        torch.nn.utils.clip_grad_norm_(weights.values(), given["clip"])
    adam.step()
print(json.dumps({name: weight.tolist() for name, weight in weights.items()}))
