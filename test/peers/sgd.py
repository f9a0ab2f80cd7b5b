"""What scikit-learn's SGDClassifier makes of the cells that a test wrote: fit, partial fits, and the draws of NumPy behind them."""
import json
import sys
import warnings

import numpy as np
from sklearn.linear_model import SGDClassifier

warnings.simplefilter('ignore')


def told(model):
    return {
        'weights': model.coef_.ravel().tolist(),
        'intercept': model.intercept_.tolist(),
        'clock': model.t_,
        'epochs': int(model.n_iter_),
    }


def main():
    with open(sys.argv[1] + '/asked.json') as file:
        asked = json.load(file)
    cells = np.fromfile(sys.argv[1] + '/cells.bin').reshape(asked['rows'], -1)
    codes = np.array(asked['codes'])
    classes = np.unique(codes)
    settings = {'loss': 'log_loss', 'alpha': asked['alpha'], 'max_iter': asked['epochs']}
    seeded = SGDClassifier(**settings, random_state=asked['seed']).fit(cells, codes)
    in_order = SGDClassifier(**settings, shuffle=False).fit(cells, codes)
    # one stream of numbers for the samples and for all seeds, as CellTypist's mini-batches have it
    np.random.seed(asked['seed'])
    batches = SGDClassifier(**settings)
    frequency = np.unique(codes, return_counts=True)[1]
    shares = (1 / (frequency * len(classes)))[codes]
    for balanced in (False, True):
        sample = np.random.choice(len(codes), asked['sample'], replace=False, p=shares if balanced else None)
        for start in range(0, asked['sample'], asked['batch']):
            rows = sample[start:start + asked['batch']]
            batches.partial_fit(cells[rows], codes[rows], classes=classes)
    print(json.dumps({
        'seeded': told(seeded), 'inOrder': told(in_order), 'batches': told(batches),
    }))


main()
