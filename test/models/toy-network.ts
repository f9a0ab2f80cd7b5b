/** Small networks for the model store, as toy-scvi.ts draws them; their labels, batches and figures have names that are hard to keep. */
import { makeNetworkModel, type NetworkFacts, type NetworkModel } from '../../lib/models/network-model.ts'
import type { CategoryColumn, ScviModel } from '../../lib/models/scvi-model.ts'
import { toyScvi as drawnModel } from './toy-scvi.ts'

export const networkGenes = ['CD3D', 'MS4A1', 'LYZ', 'ACTB', 'NKG7']

const column = (name: string | null, ...categories: string[]): CategoryColumn => ({
  column: name,
  categories,
  type: 'text',
})

export function toyScvi(seed = 1): ScviModel {
  return named(drawnModel({ genes: 5, hidden: 4, latent: 2, encodeCovariates: true }, { seed }), {
    batch: column('donor', 'a', '__proto__'),
    labels: column(null, '0'),
  })
}

export function toyScanvi(seed = 1): ScviModel {
  const labels = column('cell_type', 'T cell', '__proto__', 'monocyte', 'Unknown')
  const drawn = drawnModel({ genes: 5, hidden: 4, latent: 2, classes: 3 }, { seed, labels })
  return named(drawn, { batch: column('donor', 'a', 'b'), labels })
}

function named(drawn: ScviModel, columns: Pick<ScviModel['setup'], 'batch' | 'labels'>): ScviModel {
  return {
    ...drawn,
    genes: networkGenes,
    setup: { ...drawn.setup, ...columns },
    version: '1.4.3',
    training: {
      cells: 6,
      isTrained: true,
      trainIndices: Int32Array.of(5, 0, 3, 1),
      validationIndices: Int32Array.of(2, 4),
      history: new Map([
        ['elbo_train', { epochs: Float64Array.of(0, 1, 2), values: Float64Array.of(3.25, 2.1, 1 / 3) }],
        ['__proto__', { epochs: Float64Array.of(2), values: Float64Array.of(Number.NaN) }],
      ]),
    },
  }
}

export function networkFacts(name: string): NetworkFacts {
  return {
    ...{ name, version: '', organism: 'Homo sapiens', geneIds: 'symbol', bins: null, evaluation: null },
    ...{ licence: 'CC0-1.0', source: 'a test', details: '', created: '2026-01-01T00:00:00Z' },
    ontology: new Map([
      ['T cell', { id: 'CL:0000084', name: 'T cell', tier: 'name' }],
      ['__proto__', { id: 'CL:0000000', name: 'cell', tier: 'reviewed' }],
      ['of no label', { id: 'CL:0000001', name: 'primary cultured cell', tier: 'name' }],
    ]),
    training: { epochs: 3, settings: { lr: 0.001 }, versions: {}, sources: [] },
  }
}

export function toyNetwork(model: ScviModel = toyScanvi(), name = 'atlas'): NetworkModel {
  return makeNetworkModel(networkFacts(name), model)
}
