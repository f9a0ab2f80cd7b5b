"""The pipeline with the Python libraries that people use for it: references and query over the panel, classes of 50 cells and more, a linear
model as CellTypist trains it (mini-batch SGD) or as scikit-learn does (lbfgs), labels, confidence by z-score, and the query as h5ad."""
import json
import resource
import sys
import time
import warnings

import anndata
import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
job = json.loads(sys.argv[1])
begun = time.perf_counter()
query = anndata.read_h5ad(job["query"])
references = [anndata.read_h5ad(path) for path in job["references"]]
shared = set(job.get("target_genes") or query.var_names)
for one in (query, *references):
    shared &= set(one.var_names)
genes = sorted(shared)
rng = np.random.default_rng(42)


def logs(cells):
    counts = sp.csr_matrix(cells[:, genes].X, dtype=np.float32)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    scaled = sp.csr_matrix(sp.diags(1e4 / np.maximum(totals, 1)) @ counts, dtype=np.float32)
    scaled.data = np.log1p(scaled.data)
    return scaled


names = np.concatenate([one.obs["cell_type"].astype(str).to_numpy() for one in references])
sources = np.repeat(np.arange(len(references)), [one.n_obs for one in references])
kinds, codes, counts = np.unique(names, return_inverse=True, return_counts=True)
# up to 5,000 cells of a type, of each reference its share
kept = np.zeros(len(names), dtype=bool)
for kind, count in enumerate(counts):
    if count < 50 or kinds[kind] == "unknown":
        continue
    for source in range(len(references)):
        rows = np.flatnonzero((codes == kind) & (sources == source))
        wanted = min(len(rows), round(len(rows) * min(1, 5000 / count)))
        kept[rng.choice(rows, wanted, replace=False)] = True
x = sp.vstack([logs(one) for one in references]).tocsr()[np.flatnonzero(kept)]
y = names[kept]

scaler = StandardScaler()
z = scaler.fit_transform(x.toarray())
z[z > 10] = 10
if job["method"] == "sgd":
    model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0)
    classes, own, sizes = np.unique(y, return_inverse=True, return_counts=True)
    chance = 1 / sizes[own]
    chance /= chance.sum()
    for _ in range(10):
        if len(y) <= 1000:
            order = rng.permutation(len(y))
        elif 200 * 1000 <= len(y):
            order = rng.choice(len(y), 200 * 1000, replace=False, p=chance)
        else:
            order = rng.choice(len(y), len(y), replace=False, p=chance)
        for start in range(0, len(order), 1000):
            batch = order[start : start + 1000]
            model.partial_fit(z[batch], y[batch], classes=classes)
else:
    model = LogisticRegression(solver="lbfgs", multi_class="ovr", C=1.0, max_iter=1000)
    model.fit(z, y)
fitted = time.perf_counter()

block = scaler.transform(logs(query).toarray())
block[block > 10] = 10
scores = block @ model.coef_.T + model.intercept_
called = scores.argmax(axis=1)
raw = 1 / (1 + np.exp(-np.clip(scores.max(axis=1), -700, 700)))
spread = scores.std(axis=1)
spread[spread == 0] = 1
confidence = 1 / (1 + np.exp(-(scores.max(axis=1) - scores.mean(axis=1)) / spread))

ids = {}
for one in references:
    if "cell_type_ontology_term_id" in one.obs:
        ids.update(zip(one.obs["cell_type"].astype(str), one.obs["cell_type_ontology_term_id"].astype(str)))
predicted = model.classes_[called]
query.obs["typed_predicted"] = predicted
query.obs["typed_confidence"] = confidence.astype(np.float32)
query.obs["typed_confidence_raw"] = raw
query.obs["typed"] = np.where(confidence < 0.8, "Unassigned", predicted)
query.obs["typed_ontology_term_id"] = [ids.get(name, "unknown") for name in predicted]
query.obs["typed_reason"] = np.where(confidence < 0.8, "below-threshold", "assigned")
for name in ("typed_predicted", "typed", "typed_ontology_term_id", "typed_reason"):
    query.obs[name] = query.obs[name].astype("category")
query.obsm["typed_decision_scores"] = scores.astype(np.float32)
query.write_h5ad(job["out"], compression="gzip", compression_opts=4)
print(
    json.dumps(
        {
            "wall": time.perf_counter() - begun,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "training": len(y),
            "steps": {"to the model": fitted - begun},
            "versions": f"scikit-learn {sklearn.__version__}, anndata {anndata.__version__}",
        }
    )
)
