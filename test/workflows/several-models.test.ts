/**
 * Twin and contract: a job with several models says of each cell what the model that is surest of it says alone; models that the query has
 * too few genes of are left out; what is refused is refused before a machine starts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StepRecord } from '../../lib/job/steps.ts'
import type { LabelTerm } from '../../lib/workflows/workflow.ts'
import { cellsOf, type Installation, makeInstallation } from '../support/installation.ts'
import { type Annotations, annotateWith, saveRandomModel } from '../support/several-models.ts'
import { simulateCells, simulatedGenes, simulatedQuery } from '../support/simulated-cells.ts'
import { jobFile, readObject, walk } from '../support/walk.ts'

const cells = 80
const labels = {
  first: ['B cell', 'monocyte', 'T cell'],
  second: ['T cell', 'club cell', '__proto__', 'B cell'],
  third: ['fibroblast', 'neuron'],
}
const names = Object.keys(labels)
/** genes of each model: they overlap in part, and some are in no file */
const genes = {
  first: [...simulatedGenes.slice(0, 40), 'NOWHERE1', 'NOWHERE2'],
  second: [...simulatedGenes.slice(20, 66)].reverse(),
  third: simulatedGenes.slice(10, 30),
}

let lab: Installation
const ids = new Map<string, string>()
const alone = new Map<string, Annotations>()
let ensemble: Awaited<ReturnType<typeof run>>
const run = (name: string, settings: Record<string, unknown>, query = simulatedQuery(4, cells)) =>
  annotateWith(lab, name, { query, settings })
const asked = { write_second: true, write_probabilities: true, min_genes: 1, seed: 5 }

beforeAll(async () => {
  lab = await makeInstallation()
  for (const [index, name] of names.entries()) {
    const key = name as keyof typeof labels
    const facts = { name, genes: genes[key], labels: labels[key], seed: index + 1 }
    ids.set(name, await saveRandomModel(lab, facts))
  }
  for (const name of names)
    alone.set(name, (await run(`alone-${name}`, { ...asked, model: name })).annotations)
  ensemble = await run('ensemble', { ...asked, model: names })
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

/** Cells of the numbered model by the one that they were surest of. */
const surest = (cell: number) =>
  names.reduce((best, name) =>
    alone.get(name)!.uncertainty[cell]! < alone.get(best)!.uncertainty[cell]! ? name : best,
  )

describe('a job with three models', () => {
  it('gives each cell what the surest model says of it alone, and says which that is', () => {
    const { annotations } = ensemble
    expect(new Set(annotations.model).size).toBeGreaterThan(1)
    for (let cell = 0; cell < cells; cell++) {
      const winner = annotations.model![cell]!
      expect(alone.get(winner)!.uncertainty[cell]).toBe(alone.get(surest(cell))!.uncertainty[cell])
      for (const part of ['predicted', 'uncertainty', 'second', 'margin'] as const)
        expect(annotations[part]![cell]).toBe(alone.get(winner)![part]![cell])
    }
  })

  it('has of every label the highest probability that a model gives it', () => {
    const classes = ['B cell', 'monocyte', 'T cell', 'club cell', '__proto__', 'fibroblast', 'neuron']
    expect(ensemble.annotations.uns.classes).toEqual(classes)
    for (let cell = 0; cell < cells; cell++)
      for (const [k, label] of classes.entries()) {
        const given = names.flatMap((name) => {
          const own = labels[name as keyof typeof labels]
          const at = own.indexOf(label)
          return at < 0 ? [] : [alone.get(name)!.probabilities![cell * own.length + at]!]
        })
        expect(ensemble.annotations.probabilities![cell * classes.length + k]).toBe(Math.max(...given))
      }
  })

  it('writes no scores, which have no common space, and says so; one model alone does', () => {
    expect(ensemble.annotations.obsm).not.toContain('cxg_cell_type')
    expect(ensemble.result.notices.map(({ code }) => code)).toContain('LATENT_NOT_STORED')
    expect(alone.get('first')!.obsm).toContain('cxg_cell_type')
    expect(alone.get('first')!.model).toBeNull()
  })

  it('tells in uns, result, table and page which models there were, their genes and their cells', () => {
    const { annotations, result, page, table } = ensemble
    const counts = names.map((name) => annotations.model!.filter((one) => one === name).length)
    expect(annotations.uns).toMatchObject({
      model_name: names,
      model_id: names.map((name) => ids.get(name)),
      n_model_genes: [42n, 46n, 20n],
      n_genes_found: [40n, 46n, 20n],
      n_cells_labelled: counts.map(BigInt),
    })
    expect(result.summary).toMatchObject({
      models: names.map((name, index) => ({ name, model: ids.get(name), cells: counts[index] })),
    })
    expect(result.summary).not.toHaveProperty('model')
    expect(page).toContain('Cells it was surest of')
    expect(page).toContain('40 of 42 (95')
    expect(table[0]!.split(',')).toContain('model')
  })

  it('is the same however many cells are scored at once', async () => {
    const batched = await run('batched', { ...asked, model: names, batch_size: 3 })
    const { job_id: _, created_at: __, ...uns } = batched.annotations.uns
    expect(ensemble.annotations.uns).toMatchObject(uns)
    expect({ ...batched.annotations, uns: 0 }).toEqual({ ...ensemble.annotations, uns: 0 })
  })

  it('is the same in whatever order the models come, but for the order of the labels', async () => {
    const turned = await run('turned', { ...asked, model: [...names].reverse() })
    for (const part of ['predicted', 'uncertainty', 'model', 'second', 'margin'] as const)
      expect(turned.annotations[part]).toEqual(ensemble.annotations[part])
  })

  it('votes over the labels of all, and gives the cell its highest probability of the label that won', async () => {
    const { annotations } = await run('vote', {
      ...asked,
      ...{ model: names, majority_voting: true, over_clustering: 'group', min_proportion: 0.4 },
    })
    expect(annotations.byCell).toEqual(ensemble.annotations.predicted)
    const { classes } = annotations.uns as { classes: string[] }
    expect(new Set(annotations.predicted)).not.toEqual(new Set(annotations.byCell))
    for (let cell = 0; cell < cells; cell++) {
      const k = classes.indexOf(annotations.predicted[cell]!)
      const expected =
        k < 0
          ? ensemble.annotations.uncertainty[cell]!
          : 1 - annotations.probabilities![cell * classes.length + k]!
      expect(annotations.uncertainty[cell]).toBeCloseTo(expected, 6)
    }
  })

  it('lists with prob_match what the surest model gives a higher probability than p_threshold', async () => {
    const wanted = { ...asked, mode: 'prob_match', p_threshold: 0.9 }
    const several = (await run('prob', { ...wanted, model: names })).annotations
    const each = new Map<string, Annotations>()
    for (const name of names)
      each.set(name, (await run(`prob-${name}`, { ...wanted, model: name })).annotations)
    for (let cell = 0; cell < cells; cell++)
      expect(several.predicted[cell]).toBe(each.get(several.model![cell]!)!.predicted[cell])
  })
})

describe('models that the query has too few genes of', () => {
  const strangers = Array.from({ length: 50 }, (_, i) => `STRANGER${i}`)
  beforeAll(async () => {
    const sparse = [...strangers, ...simulatedGenes.slice(0, 16)]
    await saveRandomModel(lab, { name: 'sparse', genes: sparse, labels: ['x', 'y'], seed: 8 })
    await saveRandomModel(lab, { name: 'none', genes: strangers, labels: ['x', 'y'], seed: 9 })
  })

  it('are left out and told, and a model that is left alone does as if it had been named alone', async () => {
    const made = await run('skips', { ...asked, model: ['none', 'second', 'sparse'] })
    const skipped = made.result.notices.filter(({ code }) => code === 'MODEL_SKIPPED')
    expect(skipped.map(({ place }) => place)).toEqual(['model: none', 'model: sparse'])
    expect(skipped[1]!.problem).toContain('16 of the 66 genes of "sparse" (24.2 %), and 17 are needed')
    const { model, uns, obsm, ...rest } = made.annotations
    expect(new Set(model)).toEqual(new Set(['second']))
    expect(obsm).toContain('cxg_cell_type')
    const { model: _, uns: __, obsm: ___, ...same } = alone.get('second')!
    expect(rest).toEqual(same)
    expect(uns).toMatchObject({ model_name: 'second', n_genes_found: 46n })
  })

  it('are taken where the job asks for less', async () => {
    const lower = { ...asked, model: ['second', 'sparse'], min_gene_overlap_pct: 24 }
    const { result } = await run('lower', lower)
    expect(result.notices.map(({ code }) => code)).not.toContain('MODEL_SKIPPED')
  })

  const refusal = async (name: string, settings: Record<string, unknown>) => {
    await lab.upload(`jobs/${name}/q.h5ad`, simulatedQuery(4, cells))
    const upload = await lab.upload(`jobs/${name}/job.json`, jobFile({ query: 'q.h5ad', ...settings }))
    return walk(upload, lab.environment, 'PlanCompute').catch((error: unknown) => error)
  }

  it('are an error where none is left, which lists how much the query has of each', async () => {
    expect(await refusal('none-left', { model: ['none', 'sparse'] })).toMatchObject({
      name: 'BadInput',
      code: 'MODEL_OVERLAP',
      problem: expect.stringMatching(
        /0 of the 50 genes of "none".*16 of the 66 genes of "sparse" \(24\.2 %\)/,
      ),
    })
  })

  it('are refused alone as before, and by their share only where the job says one', async () => {
    expect(await refusal('alone', { model: 'none' })).toMatchObject({ code: 'GENES_NO_OVERLAP' })
    const some = { model: 'sparse', min_genes: 10 }
    expect(await refusal('share', { ...some, min_gene_overlap_pct: 25 })).toMatchObject({
      code: 'MODEL_OVERLAP',
    })
    expect(await refusal('no-share', some)).toMatchObject({ plan: expect.anything() })
  })

  it('are not looked for twice: two names of one content are one model', async () => {
    const twice = ['second', `second@${ids.get('second')!.slice(0, 12)}`]
    expect(await refusal('twice', { model: twice })).toMatchObject({ code: 'MODEL_TWICE' })
    expect(await refusal('missing', { model: ['second', 'liver'] })).toMatchObject({ code: 'MODEL_MISSING' })
  })
})

describe('a job with a tissue', () => {
  const tissue = (name: string, settings: Record<string, unknown>) => run(name, { min_genes: 1, ...settings })

  it('is refused where the model store has none of its models, and told how to get them', async () => {
    await expect(tissue('no-models', { tissue: 'liver' })).rejects.toMatchObject({
      code: 'MODELS_MISSING',
      problem: expect.stringContaining('Immune_All_Low, Pan_Fetal_Human, Healthy_Human_Liver'),
      remedy: expect.stringContaining('celldrop import-model Immune_All_Low.pkl'),
    })
  })

  describe('whose models are there in part', () => {
    beforeAll(async () => {
      for (const [seed, name] of ['Immune_All_Low', 'Human_Lung_Atlas'].entries())
        await saveRandomModel(lab, { name, genes: genes.first, labels: [`${name} 1`, `${name} 2`], seed })
    })

    it('takes those, and tells what is lacking and how to get it', async () => {
      const { annotations, result } = await tissue('lung', { tissue: 'Lung' })
      expect(annotations.uns.model_name).toEqual(['Immune_All_Low', 'Human_Lung_Atlas'])
      expect(result.notices.filter(({ code }) => code === 'MODEL_NOT_STORED')).toMatchObject([
        {
          problem: expect.stringContaining('"Pan_Fetal_Human"'),
          remedy: expect.stringContaining('--name Pan_Fetal_Human'),
        },
      ])
    })

    it('takes the models of "unknown" for a tissue that has none, and tells', async () => {
      const { annotations, result } = await tissue('spleen', { tissue: 'spleen' })
      expect(annotations.uns.model_name).toBe('Immune_All_Low')
      expect(new Set(annotations.model)).toEqual(new Set(['Immune_All_Low']))
      expect(result.notices.map(({ code }) => code)).toEqual(
        expect.arrayContaining(['TISSUE_UNLISTED', 'MODEL_NOT_STORED']),
      )
    })

    it('takes Immune_All_Low alone where there is to be no ensemble', async () => {
      const { annotations, result } = await tissue('one', { tissue: 'lung', ensemble_mode: false })
      expect(annotations).toMatchObject({ model: null, uns: { model_name: 'Immune_All_Low' } })
      expect(annotations.obsm).toContain('cxg_cell_type')
      expect(result.notices.map(({ code }) => code)).not.toContain('MODEL_NOT_STORED')
    })
  })
})

describe('Cell Ontology terms of several models', () => {
  const term = (id: string, name: string) => ({ id, name, tier: 'existing' })
  const own = ['Mystery 7', 'T cell']
  beforeAll(async () => {
    const said = {
      left: { 'Mystery 7': term('CL:0000236', 'B cell'), 'T cell': term('CL:0000084', 'T cell') },
      right: { 'Mystery 7': term('CL:0000623', 'natural killer cell'), 'T cell': null },
    }
    for (const [seed, [name, ontology]] of Object.entries(said).entries())
      await saveRandomModel(lab, { name, genes: genes.first, labels: own, seed, ontology })
  })
  const matched = async (name: string, ontology: Record<string, string>) => {
    await lab.upload(`jobs/${name}/q.h5ad`, simulatedQuery(4, cells))
    const both = jobFile({ query: 'q.h5ad', min_genes: 1, model: ['left', 'right'], ontology })
    const upload = await lab.upload(`jobs/${name}/job.json`, both)
    const state = await walk(upload, lab.environment, 'MatchOntology')
    const { key } = state.ontology!
    const { notices } = await readObject<StepRecord>(lab, key.replace('labels.json', 'record.json'))
    const labelled = await readObject<Record<string, LabelTerm>>(lab, key)
    return { labelled, codes: notices.map(({ code }) => code) }
  }

  it('are those of the models where they agree; a label that means two terms has none, which is told', async () => {
    const { labelled, codes } = await matched('differ', {})
    expect(labelled).toMatchObject({
      'T cell': { id: 'CL:0000084' },
      'Mystery 7': { id: null, candidates: [{ id: 'CL:0000236' }, { id: 'CL:0000623' }] },
    })
    expect(codes).toContain('ONTOLOGY_MODELS_DIFFER')
  })

  it('are what the job says before that', async () => {
    const { labelled, codes } = await matched('said', { 'Mystery 7': 'CL:0000576' })
    expect(labelled['Mystery 7']).toMatchObject({ id: 'CL:0000576' })
    expect(codes).not.toContain('ONTOLOGY_MODELS_DIFFER')
  })
})

describe('cells scaled over the genes that the models know', () => {
  it('are scored as if the file had no other genes, as in SpatialCore', async () => {
    const known = simulatedGenes.slice(0, 40)
    const whole = simulatedQuery(4, cells)
    const isKnown = new Set(known)
    const column = whole.var.index.map((gene) => isKnown.has(gene))
    const counts = simulateCells(4, cells).counts.map((row) => row.filter((_, i) => column[i]))
    const wanted = { ...asked, model: 'first' }
    const [over, cut] = [
      await run('over', { ...wanted, scaled_over: 'models' }),
      await run('cut', wanted, cellsOf(counts, { genes: known })),
    ]
    for (const [at, value] of over.annotations.probabilities!.entries())
      expect(value).toBeCloseTo(cut.annotations.probabilities![at]!, 4)
    expect(over.annotations.probabilities).not.toEqual(alone.get('first')!.probabilities)
  })
})
