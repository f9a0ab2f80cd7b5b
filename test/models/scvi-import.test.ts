/** Laws: a model that was exported is imported as it was; shapes decide, settings fill in; what cannot be computed is refused or told. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { storedZip } from '../../lib/data/zip-write.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { random } from '../../lib/job/random.ts'
import { textArray } from '../../lib/models/pickle-numpy.ts'
import { readPickle } from '../../lib/models/pickle-read.ts'
import { dict, entriesOf, list, type PickleValue } from '../../lib/models/pickle-values.ts'
import { writePickle } from '../../lib/models/pickle-write.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import { exportScvi } from '../../lib/models/scvi-export.ts'
import { importScvi, openScviModel } from '../../lib/models/scvi-import.ts'
import { predictedLabels, requireDecoder, type ScviModel } from '../../lib/models/scvi-model.ts'
import { stateTensors } from '../../lib/models/scvi-tensors.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { sourceOf, toyScvi } from './toy-scvi.ts'

const refused = (code: string, problem: RegExp) =>
  expect.objectContaining({ name: 'BadInput', code, problem: expect.stringMatching(problem) })

const imported = (bytes: Uint8Array) => importScvi(sourceOf(bytes))

type Where = 'encoder' | 'decoder' | 'both' | 'none'
const wheres = fc.constantFrom<Where>('encoder', 'decoder', 'both', 'none')

const shapes = fc
  .record({
    hidden: fc.integer({ min: 1, max: 9 }),
    latent: fc.integer({ min: 1, max: 5 }),
    layers: fc.integer({ min: 1, max: 3 }),
    categories: fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }))
      .map(([batches, others]) => [batches, ...others] as const),
    continuous: fc.integer({ min: 0, max: 2 }),
    encodeCovariates: fc.boolean(),
    deeplyInject: fc.boolean(),
    batchNorm: wheres,
    layerNorm: wheres,
    dropout: fc.constantFrom(0, 0.1, 0.25),
    dispersion: fc.constantFrom<ScanviShape['dispersion']>('gene', 'gene-batch', 'gene-label', 'gene-cell'),
    likelihood: fc.constantFrom<ScanviShape['likelihood']>('zinb', 'nb', 'poisson'),
    linearClassifier: fc.boolean(),
    isLibraryLearned: fc.boolean(),
    areShares: fc.boolean(),
    classes: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  })
  .map(
    ({ classes, linearClassifier, isLibraryLearned, areShares, ...shape }): Partial<ScanviShape> => ({
      ...shape,
      ...(areShares && { latentDistribution: 'ln' }),
      ...(isLibraryLearned && { library: 'learned' }),
      ...(shape.dispersion === 'gene-label' && { labels: classes ?? 3 }),
      // Poisson has no dispersion, and so no tensor that shows which
      ...(shape.likelihood === 'poisson' && { dispersion: 'gene', labels: 0 }),
      ...(classes !== undefined && { classes, linearClassifier }),
    }),
  )

/** The model, and its pickle as values that may be changed before it is written again. */
async function changed(model: ScviModel, change: (root: Map<string, PickleValue>) => void) {
  const { pickle, storages } = takenApart(exportScvi(model))
  const root = readPickle(pickle, { place: 'toy', allowed: 'any' })
  change(entriesOf(root) as Map<string, PickleValue>)
  return imported(
    storedZip([{ name: 'model/data.pkl', bytes: writePickle(root, { protocol: 2 }) }, ...storages]),
  )
}

/** The second batch has no variance of library sizes. */
function still(model: ScviModel): ScviModel {
  const none = { shape: [1, 2], data: Float32Array.of(1, 0) }
  return { ...model, weights: new Map([...model.weights, ['library_log_vars', none]]) }
}

/** Entries of a zip that we wrote ourselves. */
function takenApart(bytes: Uint8Array): {
  pickle: Uint8Array
  storages: { name: string; bytes: Uint8Array }[]
} {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const entries: { name: string; bytes: Uint8Array }[] = []
  for (let at = 0; view.readUInt32LE(at) === 0x04034b50; ) {
    const [size, length] = [view.readUInt32LE(at + 18), view.readUInt16LE(at + 26)]
    const start = at + 30 + length
    entries.push({ name: view.toString('utf8', at + 30, start), bytes: view.subarray(start, start + size) })
    at = start + size
  }
  const [pickle, ...storages] = entries
  return { pickle: pickle!.bytes, storages }
}

const at = (root: ReadonlyMap<string, PickleValue>, ...path: string[]) =>
  path.reduce<Map<string, PickleValue>>(
    (entries, key) => entriesOf(entries.get(key)) as Map<string, PickleValue>,
    root as Map<string, PickleValue>,
  )

const settingsOf = (root: ReadonlyMap<string, PickleValue>) =>
  at(root, 'attr_dict', 'init_params_', 'non_kwargs')

describe('what was exported', () => {
  it('is imported as the same model, whatever its shape', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const model = toyScvi(shape)
        const { model: again, notices } = await imported(exportScvi(model))
        // nothing shows where covariates would have gone
        const width = model.shape.categories.some((count) => count > 1)
        if (!width) expect(again.shape.deeplyInject).toBe(model.shape.deeplyInject)
        expect({ ...again, shape: { ...again.shape, deeplyInject: true } }).toEqual({
          ...model,
          shape: { ...model.shape, deeplyInject: true },
        })
        if (width && model.shape.layers > 1) expect(again.shape.deeplyInject).toBe(model.shape.deeplyInject)
        expect(notices).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('tells a learned library as scvi-tools does: by a setting, two rows of what is usual, and their order', async () => {
    const model = toyScvi({ classes: 2, library: 'learned', encodeCovariates: true })
    const names = [...stateTensors(model).keys()]
    expect(names.slice(0, 5)).toEqual([
      'px_r',
      'y_prior',
      'library_log_means',
      'library_log_vars',
      'z_encoder.encoder.fc_layers.Layer 0.0.weight',
    ])
    expect(stateTensors(model).get('l_encoder.encoder.fc_layers.Layer 0.0.weight')!.shape).toEqual([8, 14])
    const { model: again } = await changed(model, (root) => {
      expect(settingsOf(root).get('use_observed_lib_size')).toBe(false)
    })
    expect(again).toEqual(model)
  })

  it('is the same file each time', () => {
    expect(exportScvi(toyScvi({ classes: 2 }))).toEqual(exportScvi(toyScvi({ classes: 2 })))
  })

  it('keeps kinds of categories: numbers stay numbers, and odd names stay names', async () => {
    for (const [type, categories] of [
      ['integer', ['0', '7', '-1']],
      ['float', ['0.5', '2.0', '-1.0']],
      ['boolean', ['False', 'True']],
      ['text', ['__proto__', 'constructor', 'NKγ, "a"']],
    ] as const) {
      const labels = { column: 'cell_type', categories, type }
      const model = toyScvi({ classes: categories.length - 1 }, { labels })
      const { model: again } = await imported(exportScvi(model))
      expect(again).toEqual(model)
      expect(again.kind === 'scanvi' && predictedLabels(again)).toEqual(categories.slice(0, -1))
    }
  })

  it('has every tensor, drawn where the model has none that nothing needs', async () => {
    const model = toyScvi({ likelihood: 'nb', encodeCovariates: true })
    const unused = ['l_encoder.', 'decoder.px_r_decoder.', 'decoder.px_dropout_decoder.']
    const weights = new Map(
      [...model.weights].filter(([name]) => !unused.some((start) => name.startsWith(start))),
    )
    const { model: again } = await imported(exportScvi({ ...model, weights }))
    expect([...again.weights.keys()]).toEqual([...stateTensors(model).keys()])
    const grown = again.weights.get('l_encoder.encoder.fc_layers.Layer 0.0.weight')!
    expect(grown.shape).toEqual([8, 14])
    expect(new Set(grown.data).size).toBeGreaterThan(50)
  })

  it('lacks nothing that the network needs: an error names what is missing or of another shape', () => {
    const model = toyScvi()
    const weights = new Map(model.weights)
    weights.delete('z_encoder.mean_encoder.bias')
    expect(() => exportScvi({ ...model, weights })).toThrow(/z_encoder\.mean_encoder\.bias is \[missing\]/)
  })
})

describe('a model directory', () => {
  it('is found as a file, as a folder, and with a prefix; one of before 0.15 is named as that', async () => {
    await using folder = await temporaryFolder()
    const store = await openFolderStore(folder.path)
    const bytes = exportScvi(toyScvi())
    await store.write('a/model.pt', bytes)
    await store.write('a/first_model.pt', bytes)
    await store.write('old/model_params.pt', bytes)
    for (const [key, options] of [['a'], ['a/'], ['a/model.pt'], ['a', { prefix: 'first_' }]] as const) {
      const source = await openScviModel(store, key, options)
      expect((await importScvi(source)).model.kind).toBe('scvi')
      await source.close()
    }
    await expect(openScviModel(store, 'old')).rejects.toThrow(refused('MODEL_OLD', /before 0\.15/))
    await expect(openScviModel(store, 'b')).rejects.toMatchObject({ code: 'FILE_MISSING' })
  })
})

describe('shapes of tensors decide', () => {
  it('over settings that say otherwise', async () => {
    const { model } = await changed(toyScvi({ layers: 2, deeplyInject: false }), (root) => {
      const settings = settingsOf(root)
      for (const name of ['n_hidden', 'n_latent', 'n_layers']) settings.set(name, 512)
      at(root, 'attr_dict', 'init_params_', 'kwargs', 'kwargs').set('deeply_inject_covariates', true)
      at(root, 'attr_dict', 'init_params_', 'kwargs', 'kwargs').set('use_batch_norm', 'none')
    })
    expect(model.shape).toEqual(toyScvi({ layers: 2, deeplyInject: false }).shape)
  })

  it('and where they contradict the registry the model is refused', async () => {
    const genes = changed(toyScvi(), (root) => root.set('var_names', textArray(['a', 'b'])))
    await expect(genes).rejects.toThrow(refused('MODEL_CORRUPT', /2 genes are named, and the model takes 12/))
    const batches = changed(toyScvi({ encodeCovariates: true }), (root) => {
      at(root, 'attr_dict', 'registry_', 'field_registries', 'batch', 'state_registry').set(
        'categorical_mapping',
        textArray(['a', 'b', 'c']),
      )
    })
    await expect(batches).rejects.toThrow(refused('MODEL_CORRUPT', /14 numbers of 12 genes and 3 covariates/))
    const missing = changed(toyScvi(), (root) => {
      at(root, 'model_state_dict').delete('decoder.px_scale_decoder.0.bias')
    })
    await expect(missing).rejects.toThrow(refused('MODEL_CORRUPT', /px_scale_decoder\.0\.bias is missing/))
    const dispersed = changed(toyScvi(), (root) => settingsOf(root).set('dispersion', 'gene-batch'))
    await expect(dispersed).rejects.toThrow(refused('MODEL_CORRUPT', /px_r is \[12\] and not \[12, 2\]/))
    const labels = changed(toyScvi({ classes: 3 }), (root) => {
      at(root, 'attr_dict', 'registry_', 'field_registries', 'labels', 'state_registry').set(
        'categorical_mapping',
        textArray(['a', 'cell_type 3']),
      )
    })
    await expect(labels).rejects.toThrow(refused('MODEL_CORRUPT', /tells 3 labels apart, and 1 are named/))
  })
})

describe('models that are not computed here', () => {
  it.each<[string, string, RegExp, (root: ReadonlyMap<string, PickleValue>) => void]>([
    [
      'another kind',
      'MODEL_KIND',
      /"TOTALVI"/,
      (root) => at(root, 'attr_dict', 'registry_').set('model_name', 'TOTALVI'),
    ],
    ['no kind', 'MODEL_KIND', /undefined/, (root) => at(root, 'attr_dict', 'registry_').delete('model_name')],
    ['no registry', 'MODEL_OLD', /before 0\.15/, (root) => at(root, 'attr_dict').delete('registry_')],
    [
      'no attributes',
      'MODEL_CORRUPT',
      /attr_dict/,
      (root) => (root as Map<string, PickleValue>).delete('attr_dict'),
    ],
    [
      'another latent space',
      'MODEL_UNSUPPORTED',
      /latent_distribution is "dirichlet"/,
      (root) => settingsOf(root).set('latent_distribution', 'dirichlet'),
    ],
    [
      'counts without logarithms',
      'MODEL_UNSUPPORTED',
      /logarithm/,
      (root) => settingsOf(root).set('log_variational', false),
    ],
    [
      'another activation',
      'MODEL_UNSUPPORTED',
      /var_activation/,
      (root) =>
        settingsOf(root).set('var_activation', { kind: 'global', name: 'torch.nn.functional.softplus' }),
    ],
    [
      'a classifier with norms of its own',
      'MODEL_UNSUPPORTED',
      /classifier_parameters has dropout_rate, use_layer_norm/,
      (root) =>
        settingsOf(root).set(
          'classifier_parameters',
          dict([
            ['dropout_rate', 0],
            ['use_layer_norm', true],
          ]),
        ),
    ],
    [
      'embedded batches in the encoder',
      'MODEL_UNSUPPORTED',
      /embedded/,
      (root) => settingsOf(root).set('batch_representation', 'embedding'),
    ],
  ])('%s: %s', async (_, code, problem, change) => {
    const model = changed(toyScvi({ encodeCovariates: true }), change)
    await expect(model).rejects.toThrow(refused(code, problem))
  })

  it('encode cells where only the decoder is of another kind, with a notice, and refuse the rest', async () => {
    for (const [change, reason] of [
      [['gene_likelihood', 'normal'], /likelihood is "normal"/],
      [['use_observed_lib_size', false], /library sizes/],
      [['batch_representation', 'embedding'], /batches are embedded/],
    ] as const) {
      const { model, notices } = await changed(toyScvi({ classes: 2 }), (root) => {
        settingsOf(root).set(change[0], change[1])
      })
      expect(notices).toEqual([
        expect.objectContaining({ code: 'MODEL_DECODER', problem: expect.stringMatching(reason) }),
      ])
      expect(() => requireDecoder(model, 'x')).toThrow(refused('MODEL_DECODER', /embed cells and no more/))
      expect(() => exportScvi(model)).toThrow(refused('MODEL_DECODER', /./))
    }
  })

  it('learn library sizes about what they do not say: they encode cells, or are refused', async () => {
    const toy = toyScvi({ library: 'learned' })
    const without = await changed(toy, (root) => {
      for (const name of ['library_log_means', 'library_log_vars']) at(root, 'model_state_dict').delete(name)
    })
    const [first, second] = [without, await imported(exportScvi(still(toy)))].map(({ notices }) => notices)
    expect(first).toEqual([
      expect.objectContaining({ problem: expect.stringMatching(/each batch is missing/) }),
    ])
    expect(second).toEqual([
      expect.objectContaining({ problem: expect.stringMatching(/do not vary at all/) }),
    ])
    const half = changed(toy, (root) => at(root, 'model_state_dict').delete('library_log_vars'))
    await expect(half).rejects.toThrow(refused('MODEL_CORRUPT', /library_log_vars is missing/))
  })

  it('hold what is no number: the weight is named', async () => {
    const model = toyScvi()
    const weights = new Map(model.weights)
    weights.set('px_r', { shape: [12], data: new Float32Array(12).fill(Number.NaN) })
    const bytes = exportScvi({ ...model, weights })
    await expect(imported(bytes)).rejects.toThrow(refused('MODEL_NOT_FINITE', /"px_r"/))
  })
})

describe('notices tell', () => {
  const codes = ({ notices }: Awaited<ReturnType<typeof importScvi>>) => notices.map(({ code }) => code)

  it('of names that no model needs, of settings that are not known, of a history that cannot be read', async () => {
    const system: PickleValue = {
      kind: 'object',
      via: 'call',
      name: 'posix.system',
      args: ['true'],
      state: undefined,
    }
    const told = await changed(toyScvi(), (root) => {
      at(root, 'attr_dict').set('surprise_', system)
      at(root, 'attr_dict', 'history_').set('other', list([]))
      settingsOf(root).set('n_wings', 2)
    })
    expect(codes(told)).toEqual(['MODEL_FOREIGN', 'MODEL_SETTING_UNKNOWN', 'MODEL_HISTORY'])
    expect(told.notices[0]!.problem).toContain('posix.system')
    expect(told.model).toEqual(toyScvi())
  })

  it('of a model without a version, that was not trained, whose genes have one name', async () => {
    const model = toyScvi()
    const told = await changed(
      { ...model, genes: model.genes.map(() => 'G'), training: { ...model.training, isTrained: false } },
      (root) => at(root, 'attr_dict', 'registry_').delete('scvi_version'),
    )
    expect(codes(told)).toEqual(['MODEL_VERSION', 'MODEL_UNTRAINED', 'MODEL_GENES_REPEATED'])
  })

  it('nothing of a SCANVI of before 1.1, which predicts in the same way and is told apart', async () => {
    for (const [version, isWithin] of [
      ['1.0.3', true],
      ['0.20.3', true],
      ['1.1.0', false],
      ['1.10.0', false],
      ['2.0.0', false],
    ] as const) {
      const { model, notices } = await changed(toyScvi({ classes: 2 }), (root) => {
        at(root, 'attr_dict', 'registry_').set('scvi_version', version)
      })
      expect(model).toMatchObject({ version, hasSoftmaxWithin: isWithin })
      expect(notices).toEqual([])
    }
  })
})

describe('settings as 0.15 kept them, side by side', () => {
  it('are read', async () => {
    const { model } = await changed(toyScvi({ likelihood: 'nb', layerNorm: 'both' }), (root) => {
      const attributes = at(root, 'attr_dict')
      const named = at(root, 'attr_dict', 'init_params_', 'non_kwargs')
      const given = at(root, 'attr_dict', 'init_params_', 'kwargs').get('kwargs')!
      attributes.set('init_params_', { kind: 'dict', entries: new Map([...named, ['model_kwargs', given]]) })
    })
    expect(model.shape).toMatchObject({ likelihood: 'nb', layerNorm: 'both' })
  })
})

describe('a tampered file', () => {
  it('with any bytes of its pickle changed is a model or a coded refusal', async () => {
    const { pickle, storages } = takenApart(
      exportScvi(toyScvi({ classes: 2, continuous: 1, encodeCovariates: true })),
    )
    const chance = random(11)
    let models = 0
    for (let i = 0; i < 1500; i++) {
      const bytes = new Uint8Array(pickle)
      for (let n = 1 + chance.integer(2); n > 0; n--)
        bytes[chance.integer(bytes.length)] = chance.integer(256)
      try {
        await imported(storedZip([{ name: 'model/data.pkl', bytes }, ...storages]))
        models++
      } catch (error) {
        expect(error).toMatchObject({ name: 'BadInput', code: expect.stringMatching(/^MODEL_/) })
      }
    }
    expect(models).toBeGreaterThan(50)
    expect(models).toBeLessThan(1450)
  })

  it('with one of its values replaced by any other is one too', async () => {
    const { pickle, storages } = takenApart(exportScvi(toyScvi({ classes: 2 })))
    const chance = random(12)
    const others: PickleValue[] = [
      null,
      true,
      -1,
      2 ** 40,
      'x',
      new Uint8Array(3),
      list([]),
      textArray(['a']),
    ]
    for (let i = 0; i < 1000; i++) {
      const root = readPickle(pickle, { place: 'toy', allowed: 'any' })
      let entries = entriesOf(root) as Map<string, PickleValue>
      for (;;) {
        const keys = [...entries.keys()]
        const key = keys[chance.integer(Math.max(1, keys.length))]
        if (key === undefined) break
        const inner = entriesOf(entries.get(key))
        if (inner === undefined || inner.size === 0 || chance.integer(4) === 0) {
          entries.set(key, others[chance.integer(others.length)]!)
          break
        }
        entries = inner as Map<string, PickleValue>
      }
      const bytes = writePickle(root, { protocol: 2 })
      try {
        await imported(storedZip([{ name: 'model/data.pkl', bytes }, ...storages]))
      } catch (error) {
        expect(error).toMatchObject({ name: 'BadInput', code: expect.stringMatching(/^MODEL_/) })
      }
    }
  })
})
