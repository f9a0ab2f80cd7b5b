"""Mixtures with scikit-learn, rank sums and corrections with scipy and numpy: reads a job as JSON on stdin, writes the answers as JSON."""
import json
import sys

import numpy
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture


def mixture(job):
    values = numpy.array(job["values"]).reshape(-1, 1)
    fits = []
    for seed in job["seeds"]:
        fit = GaussianMixture(job["components"], n_init=10, random_state=seed).fit(values)
        order = numpy.argsort(fit.means_.ravel())
        fits.append({
            "means": fit.means_.ravel()[order].tolist(),
            "variances": fit.covariances_.ravel()[order].tolist(),
            "weights": fit.weights_[order].tolist(),
            "bound": float(fit.lower_bound_),
            "steps": int(fit.n_iter_),
        })
    return fits


def adjusted(p):
    order = numpy.argsort(p)
    scaled = p[order] * len(p) / numpy.arange(1, len(p) + 1)
    out = numpy.empty(len(p))
    out[order] = numpy.minimum(1, numpy.minimum.accumulate(scaled[::-1])[::-1])
    return out


def ranks(job):
    rows, groups = numpy.array(job["rows"]), numpy.array(job["groups"])
    ranked = numpy.apply_along_axis(stats.rankdata, 0, rows)
    n = len(rows)
    out = []
    for group in range(groups.max() + 1):
        inside = groups == group
        n1 = inside.sum()
        spread = numpy.sqrt(n1 * (n - n1) * (n + 1) / 12)
        z = (ranked[inside].sum(axis=0) - n1 * (n + 1) / 2) / spread
        p = 2 * stats.norm.sf(abs(z))
        tests = [stats.mannwhitneyu(rows[inside, gene], rows[~inside, gene], use_continuity=False, method="asymptotic")
                 for gene in range(rows.shape[1])]
        mean, rest = rows[inside].mean(axis=0), rows[~inside].mean(axis=0)
        out.append({
            "z": z.tolist(),
            "p": p.tolist(),
            "adjusted": adjusted(p).tolist(),
            "fold": numpy.log2((numpy.expm1(mean) + 1e-9) / (numpy.expm1(rest) + 1e-9)).tolist(),
            "mannWhitney": [float(test.pvalue) for test in tests],
            "auroc": [float(roc_auc_score(inside, rows[:, gene])) for gene in range(rows.shape[1])],
        })
    return out


def tails(job):
    return stats.norm.sf(numpy.array(job["z"])).tolist()


job = json.load(sys.stdin)
print(json.dumps({"mixture": mixture, "ranks": ranks, "tails": tails}[job["what"]](job)))
