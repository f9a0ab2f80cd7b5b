"""One training step of a scVI or SCANVI in PyTorch, by the names of a state dict, with the noise that is given: loss and gradients in float64.
Reads JSON from standard input, prints JSON. Dropout is 0 here; kinds of layers follow from which tensors there are, norms within a cell are told."""
import json
import sys

import torch
from torch.distributions import Categorical, Normal
from torch.distributions import kl_divergence as kl
from torch.nn.functional import batch_norm, cross_entropy, layer_norm, linear, logsigmoid, softplus

given = json.load(sys.stdin)
shape, cells = given["shape"], given["cells"]
tensor = lambda values: torch.tensor(values, dtype=torch.float64)
fixed = ("library_log_means", "library_log_vars")
statistic = lambda name: name in fixed or name.endswith(("running_mean", "running_var"))
weights = {
    name: tensor(one["data"]).reshape(one["shape"]).requires_grad_(not statistic(name))
    for name, one in given["weights"].items()
}
noise = {name: tensor(values) for name, values in given["noise"].items()}
counts, batch, label = tensor(cells["counts"]), torch.tensor(cells["batch"]), torch.tensor(cells["label"])
batches = torch.nn.functional.one_hot(batch, shape["categories"][0]).double()
within = lambda part: shape["layerNorm"] in (part, "both")
deep = shape["deeplyInject"]


def line(name, x):
    return linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def layers(name, x, covariates, part):
    i = 0
    while f"{name}.fc_layers.Layer {i}.0.weight" in weights:
        layer = f"{name}.fc_layers.Layer {i}"
        x = line(f"{layer}.0", torch.cat([x, covariates], 1) if covariates is not None and (i == 0 or deep) else x)
        if f"{layer}.1.weight" in weights:
            x = batch_norm(x, None, None, weights[f"{layer}.1.weight"], weights[f"{layer}.1.bias"], True, eps=1e-3)
        if within(part):
            x = layer_norm(x, x.shape[1:])
        x = x.relu()
        i += 1
    return x


def encode(name, x, covariates):
    h = layers(f"{name}.encoder", x, covariates, "encoder")
    return Normal(line(f"{name}.mean_encoder", h), (line(f"{name}.var_encoder", h).exp() + 1e-4).sqrt())


def draw(q, name):
    return q.loc + q.scale * noise[name].reshape(q.loc.shape)


def log_likelihood(mean, log_theta, logits):
    theta = log_theta.exp()
    counted = torch.lgamma(counts + theta) - torch.lgamma(theta)
    both = (theta + mean + 1e-8).log()
    counted = counted + theta * ((theta + 1e-8).log() - both) + counts * ((mean + 1e-8).log() - both)
    if logits is None:
        return counted
    none = logsigmoid(logits).exp() + logsigmoid(-logits).exp() * (theta * ((theta + 1e-8).log() - both)).exp()
    return torch.where(counts > 0, -softplus(logits) + counted, none.log())


seen = counts.log1p()
covariates = batches if shape["encodeCovariates"] else None
qz = encode("z_encoder", seen, covariates)
z = draw(qz, "z")
place = z.softmax(1) if shape.get("latentDistribution") == "ln" else z
log_library = counts.sum(1, keepdim=True).log()
of_library = torch.zeros(len(counts), dtype=torch.float64)
if shape.get("library") == "learned":
    ql = encode("l_encoder", seen, covariates)
    log_library = draw(ql, "l")
    means, variances = (linear(batches, weights[name]) for name in fixed)
    of_library = kl(ql, Normal(means, variances.sqrt())).sum(1)
h = layers("decoder.px_decoder", place, batches, "decoder")
mean = log_library.exp() * line("decoder.px_scale_decoder.0", h).softmax(1)
log_theta = weights["px_r"]
if shape["dispersion"] == "gene-label":
    shares = torch.stack([torch.eye(shape["labels"])[one] if one >= 0 else torch.full((shape["labels"],), 1 / shape["labels"]) for one in cells["label"]])
    log_theta = linear(shares.double(), weights["px_r"])
reconstruction = -log_likelihood(mean, log_theta, line("decoder.px_dropout_decoder", h) if shape["likelihood"] == "zinb" else None).sum(1)

if given["kind"] == "scvi":
    loss = (reconstruction + given["klWeight"] * kl(qz, Normal(0.0, 1.0)).sum(1) + of_library).mean()
else:
    classes, deep = shape["classes"], True

    def classify(x):
        return line("classifier.classifier.1", layers("classifier.classifier.0", x, None, "encoder"))

    n = len(counts)
    rows = torch.eye(classes, dtype=torch.float64).repeat_interleave(n, 0)
    tiled = z.repeat(classes, 1)
    qz2 = encode("encoder_z2_z1", tiled, rows)
    h = layers("decoder_z1_z2.decoder", draw(qz2, "z2"), rows, "decoder")
    pz1 = Normal(line("decoder_z1_z2.mean_decoder", h), line("decoder_z1_z2.var_decoder", h).exp().sqrt())
    chance = classify(z).softmax(1)
    by_label = lambda values: (values.reshape(classes, n).t() * chance).sum(1)
    reconstruction = reconstruction + qz.log_prob(z).sum(1) + by_label(-pz1.log_prob(tiled).sum(1))
    prior = Categorical(torch.full((n, classes), 1 / classes, dtype=torch.float64))
    whole = by_label(kl(qz2, Normal(0.0, 1.0)).sum(1)) + kl(Categorical(chance), prior) + of_library
    loss = (reconstruction + given["klWeight"] * whole).mean()
    deep = shape["deeplyInject"]
    known = label >= 0
    again = encode("z_encoder", seen[known], None if covariates is None else covariates[known])
    loss = loss + 50 * cross_entropy(classify(again.loc), label[known])

loss.backward()
slopes = {name: weight.grad.flatten().tolist() for name, weight in weights.items() if weight.grad is not None}
print(json.dumps({"loss": loss.item(), "slopes": slopes}))
