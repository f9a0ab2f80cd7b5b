"""What `celldrop annotate` does, with the Python libraries that people use for it: sklearn, umap-learn, pynndescent, anndata."""
import json
import pickle
import resource
import sys
import time
import warnings

import anndata
import numpy as np
import scipy.sparse as sp
import sklearn
import umap
from sklearn.decomposition import PCA

warnings.simplefilter("ignore")
query, model_file, out = sys.argv[1:4]
begun = time.perf_counter()
cells = anndata.read_h5ad(query)
with open(model_file, "rb") as file:
    saved = pickle.load(file)
model, scaler = saved["Model"], saved["Scaler_"]

totals = np.asarray(cells.X.sum(axis=1)).ravel()
logs = sp.diags(1e4 / np.maximum(totals, 1)) @ cells.X.tocsr()
logs = sp.csr_matrix(logs, dtype=np.float32)
logs.data = np.log1p(logs.data)

place = {gene: i for i, gene in enumerate(model.features)}
columns = [i for i, gene in enumerate(cells.var_names) if gene in place]
genes = [place[cells.var_names[i]] for i in columns]
chosen = logs[:, columns]
labels = np.empty(chosen.shape[0], dtype=int)
uncertainty = np.empty(chosen.shape[0], dtype=np.float32)
scores = np.empty((chosen.shape[0], len(model.classes_)), dtype=np.float32)
for start in range(0, chosen.shape[0], 20000):  # the whole at once would need tens of gigabytes
    block = (chosen[start : start + 20000].toarray() - scaler.mean_[genes]) / scaler.scale_[genes]
    block[block > 10] = 10
    part = block @ model.coef_[:, genes].T + model.intercept_
    scores[start : start + 20000] = part
    labels[start : start + 20000] = part.argmax(axis=1)
    uncertainty[start : start + 20000] = 1 - (1 / (1 + np.exp(-part))).max(axis=1)

linear = logs.copy()
linear.data = np.expm1(linear.data)
mean = np.asarray(linear.mean(axis=0)).ravel()
square = np.asarray(linear.multiply(linear).mean(axis=0)).ravel()
dispersion = (square - mean**2) / np.maximum(mean, 1e-12)
variable = np.argsort(-dispersion)[:2500]
dense = logs[:, variable].toarray()
dense -= dense.mean(axis=0)
dense /= np.maximum(dense.std(axis=0, ddof=1), 1e-12)
np.clip(dense, -10, 10, out=dense)
components = PCA(50, svd_solver="arpack", random_state=0).fit_transform(dense)
del dense
epochs = 500 if len(labels) <= 10000 else 200
layout = umap.UMAP(n_neighbors=15, min_dist=0.5, random_state=0, n_epochs=epochs).fit_transform(components)

cells.obs["predicted"] = np.asarray(model.classes_)[labels]
cells.obs["predicted"] = cells.obs["predicted"].astype("category")
cells.obs["uncertainty"] = uncertainty
cells.obsm["scores"] = scores
cells.obsm["X_umap"] = layout
cells.write_h5ad(out, compression="gzip", compression_opts=4)
print(
    json.dumps(
        {
            "wall": time.perf_counter() - begun,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "versions": f"scikit-learn {sklearn.__version__}, umap-learn {umap.__version__}, anndata {anndata.__version__}",
        }
    )
)
