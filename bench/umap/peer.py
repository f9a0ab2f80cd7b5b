"""The peers' half of bench/umap: one task, one JSON line. `peer.py umap|umap-parallel|leidenalg|igraph|judge|versions FOLDER`.

umap-learn starts from the neighbours that ours.ts wrote, and compiles (numba) before its clock starts; leidenalg runs as scanpy runs
it (both ways of an edge, 2 iterations), igraph as scanpy's igraph flavour. Building igraph's graph is not timed.
"""
import json
import os
import resource
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
K, DIMS, SAMPLE = 15, 30, 4000


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(folder, name, kind, width):
    return np.fromfile(os.path.join(folder, name), kind).reshape(-1, width)


def neighbours(folder):
    return read(folder, "indices", "<i4", K).astype(np.int64), read(folder, "distances", "<f4", K)


def graph_of(points, indices, distances):
    from umap.umap_ import fuzzy_simplicial_set

    state = np.random.RandomState(0)
    return fuzzy_simplicial_set(points, K, state, "euclidean", knn_indices=indices, knn_dists=distances)[0]


def lay_out(points, graph, epochs, parallel):
    from umap.umap_ import find_ab_params, simplicial_set_embedding

    a, b = find_ab_params(1.0, 0.5)
    state = np.random.RandomState(0)
    return simplicial_set_embedding(
        points, graph, 2, 1.0, a, b, 1.0, 5, epochs, "spectral", state, "euclidean", {}, False, {}, False, parallel=parallel
    )[0]


def umap(folder, parallel=False):
    points = read(folder, "points", "<f4", DIMS)
    indices, distances = neighbours(folder)
    few = np.random.RandomState(0).normal(size=(500, DIMS)).astype(np.float32)
    apart = np.linalg.norm(few[:, None] - few[None], axis=2)
    order = np.argsort(apart, axis=1)[:, :K]
    lay_out(few, graph_of(few, order, np.take_along_axis(apart, order, 1).astype(np.float32)), 20, parallel)
    base, started = peak_mib(), time.perf_counter()
    layout = lay_out(points, graph_of(points, indices, distances), 500 if len(points) <= 10_000 else 200, parallel)
    seconds = time.perf_counter() - started
    peak = peak_mib() - base
    layout.astype("<f4").tofile(os.path.join(folder, "layout-parallel" if parallel else "layout-peer"))
    return {"seconds": seconds, "peak_mib": peak}


def cluster(folder, run):
    import igraph

    points = read(folder, "points", "<f4", DIMS)
    graph = graph_of(points, *neighbours(folder)).tocoo()
    directed = run == "leidenalg"
    kept = slice(None) if directed else graph.row < graph.col
    edges = np.c_[graph.row[kept], graph.col[kept]].tolist()
    network = igraph.Graph(n=len(points), edges=edges, directed=directed)
    network.es["weight"] = graph.data[kept].astype(float)
    base, started = peak_mib(), time.perf_counter()
    if directed:
        import leidenalg

        kind = leidenalg.RBConfigurationVertexPartition
        found = leidenalg.find_partition(network, kind, weights="weight", n_iterations=2, seed=0).membership
    else:
        found = network.community_leiden(objective_function="modularity", weights="weight", n_iterations=2).membership
    seconds = time.perf_counter() - started
    peak = peak_mib() - base
    if directed:
        network = network.as_undirected(combine_edges="sum")
    modularity = network.modularity(found, weights="weight")
    return {"seconds": seconds, "clusters": max(found) + 1, "modularity": modularity, "peak_mib": peak}


def judge(folder):
    from sklearn.manifold import trustworthiness

    points = read(folder, "points", "<f4", DIMS)
    chosen = np.random.RandomState(0).permutation(len(points))[:SAMPLE]
    layouts = ("layout-ours", "layout-peer", "layout-parallel")
    return {
        name: trustworthiness(points[chosen], read(folder, name, "<f4", 2)[chosen], n_neighbors=15) for name in layouts
    }


def versions():
    import igraph
    import leidenalg
    import numba
    import umap as umap_learn

    return {
        "umap": umap_learn.__version__,
        "numba": numba.__version__,
        "leidenalg": leidenalg.version,
        "igraph": igraph.__version__,
    }


task, folder = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
result = {
    "umap": lambda: umap(folder),
    "umap-parallel": lambda: umap(folder, parallel=True),
    "leidenalg": lambda: cluster(folder, "leidenalg"),
    "igraph": lambda: cluster(folder, "igraph"),
    "judge": lambda: judge(folder),
    "versions": versions,
}[task]()
print(json.dumps(result))
