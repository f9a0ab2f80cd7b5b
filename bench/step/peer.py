"""The peer of bench/step: the same models in plain PyTorch, as scvi-tools computes them (dense, lgamma, autograd, torch.optim.Adam), in a
process of its own. Prints one JSON line.

  peer.py versions
  peer.py KIND GENES STEPS THREADS
"""
import json
import math
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

BATCH, HIDDEN, LATENT, LABELS, RUNS, EPS = 128, 128, 10, 30, 7, 1e-8


class Block(nn.Module):
    def __init__(self, inputs, covariates=0, dropout=0.1):
        super().__init__()
        self.linear = nn.Linear(inputs + covariates, HIDDEN)
        self.norm = nn.BatchNorm1d(HIDDEN, momentum=0.01, eps=0.001)
        self.dropout = dropout

    def forward(self, x, *rows):
        h = F.relu(self.norm(self.linear(torch.cat((x, *rows), dim=1) if rows else x)))
        return F.dropout(h, self.dropout, self.training) if self.dropout else h


class Gaussian(nn.Module):
    def __init__(self, inputs, covariates=0, dropout=0.1, floor=1e-4):
        super().__init__()
        self.block = Block(inputs, covariates, dropout)
        self.mean, self.var, self.floor = nn.Linear(HIDDEN, LATENT), nn.Linear(HIDDEN, LATENT), floor

    def forward(self, x, *rows):
        h = self.block(x, *rows)
        return self.mean(h), torch.exp(self.var(h)) + self.floor


def divergence(mean, var):
    return 0.5 * (var + mean**2 - 1 - torch.log(var)).sum(-1)


def log_normal(x, mean, var):
    return (-0.5 * ((x - mean) ** 2 / var + torch.log(var) + math.log(2 * math.pi))).sum(-1)


def zinb(x, mu, theta, pi):
    softplus_pi = F.softplus(-pi)
    log_theta_eps, log_theta_mu_eps = torch.log(theta + EPS), torch.log(theta + mu + EPS)
    pi_theta_log = -pi + theta * (log_theta_eps - log_theta_mu_eps)
    zero = F.softplus(pi_theta_log) - softplus_pi
    more = -softplus_pi + pi_theta_log + x * (torch.log(mu + EPS) - log_theta_mu_eps)
    more = more + torch.lgamma(x + theta) - torch.lgamma(theta) - torch.lgamma(x + 1)
    return ((x < EPS).float() * zero + (x > EPS).float() * more).sum(-1)


class Scvi(nn.Module):
    def __init__(self, genes):
        super().__init__()
        self.encoder, self.decoder = Gaussian(genes), Block(LATENT, 2, 0)
        self.scale, self.extra = nn.Linear(HIDDEN, genes), nn.Linear(HIDDEN, genes)
        self.px_r = nn.Parameter(torch.randn(genes))

    def generate(self, x, batch):
        mean, var = self.encoder(torch.log1p(x))
        z = mean + var.sqrt() * torch.randn_like(mean)
        h = self.decoder(z, batch)
        mu = x.sum(1, keepdim=True) * torch.softmax(self.scale(h), dim=-1)
        return mean, var, z, -zinb(x, mu, self.px_r.exp(), self.extra(h))

    def loss(self, x, batch, labels):
        mean, var, _, reconstruction = self.generate(x, batch)
        return (reconstruction + 0.1 * divergence(mean, var)).mean()


class Scanvi(Scvi):
    def __init__(self, genes):
        super().__init__(genes)
        self.classifier = nn.Sequential(Block(LATENT), nn.Linear(HIDDEN, LABELS))
        self.second, self.back = Gaussian(LATENT, LABELS), Gaussian(LATENT, LABELS, 0, 0)

    def loss(self, x, batch, labels):
        mean, var, z1, reconstruction = self.generate(x, batch)
        rows = torch.eye(LABELS).repeat_interleave(len(x), dim=0)
        z1s = z1.repeat(LABELS, 1)
        mean2, var2 = self.second(z1s, rows)
        expected, spread = self.back(mean2 + var2.sqrt() * torch.randn_like(mean2), rows)
        chance = torch.softmax(self.classifier(z1), dim=-1)

        def by_chance(values):
            return (values.view(LABELS, -1).t() * chance).sum(1)

        of_label = (chance * (torch.log(chance + 1e-30) + math.log(LABELS))).sum(1)
        latent = by_chance(-log_normal(z1s, expected, spread)) + log_normal(z1, mean, var)
        total = reconstruction + latent + 0.1 * (by_chance(divergence(mean2, var2)) + of_label)
        taught = self.classifier(self.encoder(torch.log1p(x))[0])
        return total.mean() + 50 * F.cross_entropy(taught, labels)


def run(kind, genes, steps, threads):
    genes, steps = int(genes), int(steps)
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    counts = torch.floor(torch.empty(BATCH * steps, genes).exponential_(1 / 3)) + 1
    counts *= torch.rand_like(counts) < 0.1
    batches = F.one_hot(torch.randint(2, (len(counts),))).float()
    labels = torch.randint(LABELS, (len(counts),))
    model = {"scvi": Scvi, "scanvi": Scanvi}[kind](genes)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=0.01, weight_decay=1e-6)
    times, single = [], []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        for step in range(steps):
            own, started = slice(step * BATCH, (step + 1) * BATCH), time.perf_counter()
            adam.zero_grad()
            loss = model.loss(counts[own], batches[own], labels[own])
            loss.backward()
            adam.step()
            single.append((time.perf_counter() - started) * 1000)
        times.append((time.perf_counter() - began) / steps * 1000)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    typical = sorted(single[steps:])[len(single[steps:]) // 2]
    return {"step": sorted(times[1:])[RUNS // 2], "typical": typical, "loss": loss.item(), "peak_mib": peak}


print(json.dumps({"torch": torch.__version__} if sys.argv[1] == "versions" else run(*sys.argv[1:])))
