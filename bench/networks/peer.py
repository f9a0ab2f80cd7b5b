"""scVI with its defaults in plain PyTorch, as scvi-tools 1.4 trains it: the peer of bench/networks. Prints one line of JSON a seed."""

import json
import sys
import time

import anndata
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

path, epochs, seeds, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
cells = anndata.read_h5ad(path)
counts = torch.tensor(np.asarray(cells.X.todense()), dtype=torch.float32)
batch = torch.tensor((cells.obs.condition == "stim").values.astype("int64"))
genes, hidden, latent, tiny = counts.shape[1], 128, 10, 1e-8


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        norm = lambda: nn.BatchNorm1d(hidden, momentum=0.01, eps=1e-3)
        self.first, self.first_norm = nn.Linear(genes, hidden), norm()
        self.mean, self.variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.second, self.second_norm = nn.Linear(latent + 2, hidden), norm()
        self.share, self.zero = nn.Linear(hidden, genes), nn.Linear(hidden, genes)
        self.dispersion = nn.Parameter(torch.randn(genes))

    def encode(self, x):
        h = F.relu(self.first_norm(self.first(torch.log1p(x))))
        h = F.dropout(h, 0.1, training=self.training)
        return self.mean(h), torch.exp(self.variance(h)) + 1e-4

    def forward(self, x, of, weight):
        mean, variance = self.encode(x)
        z = mean + variance.sqrt() * torch.randn_like(mean)
        h = F.relu(self.second_norm(self.second(torch.cat([z, F.one_hot(of, 2).float()], 1))))
        mu = F.softmax(self.share(h), -1) * x.sum(1, keepdim=True)
        zero, theta = self.zero(h), torch.exp(self.dispersion)
        against = F.softplus(-zero)
        log_theta, log_total = torch.log(theta + tiny), torch.log(theta + mu + tiny)
        odds = -zero + theta * (log_theta - log_total)
        at_zero = F.softplus(odds) - against
        above = -against + odds + x * (torch.log(mu + tiny) - log_total)
        above = above + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
        chance = torch.where(x < tiny, at_zero, above).sum(-1)
        divergence = 0.5 * (variance + mean * mean - 1 - torch.log(variance)).sum(1)
        return (weight * divergence - chance).mean(), (divergence - chance).sum().item()


for seed in range(seeds):
    torch.manual_seed(seed)
    network = Network()
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, eps=0.01, weight_decay=1e-6)
    train = torch.randperm(len(counts))[len(counts) // 10 :]
    began = time.perf_counter()
    for epoch in range(epochs):
        network.train()
        order, elbo = train[torch.randperm(len(train))], 0.0
        for start in range(0, len(order), 128):
            chosen = order[start : start + 128]
            adam.zero_grad()
            loss, told = network(counts[chosen], batch[chosen], epoch / 400)
            loss.backward()
            adam.step()
            elbo += told
    seconds = time.perf_counter() - began
    network.eval()
    with torch.no_grad():
        place, _ = network.encode(counts)
    print(json.dumps({"seconds": seconds, "elbo": elbo / len(train), "latent": place.flatten().tolist(), "torch": torch.__version__}), flush=True)
