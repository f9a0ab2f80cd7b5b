import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadInput } from '../../lib/job/errors.ts'
import { longestManifest, parseManifest } from '../../lib/job/manifest.ts'
import { product } from '../../lib/job/product.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const parse = (text: string) => parseManifest(bytes(text), 'job.yaml')

function refusal(text: string | Uint8Array): BadInput {
  try {
    parseManifest(typeof text === 'string' ? bytes(text) : text, 'job.yaml')
  } catch (error) {
    if (error instanceof BadInput) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('a job file', () => {
  it('takes the smallest job and fills in every default', () => {
    expect(parse('{workflow: annotate, query: query.h5ad, model: pbmc-sorted}')).toMatchObject({
      workflow: 'annotate',
      query: 'query.h5ad',
      model: 'pbmc-sorted',
      mode: 'best_match',
      p_threshold: 0.5,
      majority_voting: false,
      min_proportion: 0,
      annotation_prefix: 'cxg',
      annotation_type: 'cell_type',
      run_name: '',
      classifier: 'default',
      overwrite: false,
      seed: 0,
    })
  })

  it('means the same as YAML and as JSON', () => {
    const yaml =
      'workflow: annotate\nquery: q.h5ad\nmodel: m\nontology:\n  Tregs: CL:0000815\nshow_genes: [CD3D, MS4A1]\n'
    const json = {
      workflow: 'annotate',
      query: 'q.h5ad',
      model: 'm',
      ontology: { Tregs: 'CL:0000815' },
      show_genes: ['CD3D', 'MS4A1'],
    }
    expect(parse(yaml)).toEqual(parse(JSON.stringify(json)))
  })

  it.each([
    ['majority_votin: true', 'majority_voting'],
    ['Counts_layer: x', 'counts_layer'],
    ['p_thres: 0.5', 'p_threshold'],
    ['min_prop: 0.5', 'min_proportion'],
    ['gene-column: x', 'gene_column'],
  ])('refuses the unknown setting of "%s" and names %s', (line, near) => {
    const error = refusal(`workflow: annotate\nquery: q.h5ad\n${line}\n`)
    expect(error).toMatchObject({ code: 'SETTING_UNKNOWN', remedy: expect.stringContaining(`"${near}"`) })
    expect(error.place).toContain(line.split(':')[0])
  })

  it.each([
    [
      'a setting of the wrong type',
      'workflow: annotate\nquery: q\nmajority_voting: maybe',
      'SETTING_INVALID',
      'majority_voting',
    ],
    [
      'a number out of range',
      'workflow: annotate\nquery: q\np_threshold: 1.5',
      'SETTING_INVALID',
      'p_threshold',
    ],
    ['a choice that is none', 'workflow: annotate\nquery: q\nmode: best match', 'SETTING_INVALID', 'mode'],
    [
      'another annotation type',
      'workflow: annotate\nquery: q\nannotation_type: disease',
      'SETTING_INVALID',
      'annotation_type',
    ],
    [
      'an organism in other letters',
      'workflow: annotate\nquery: q\norganism: homo sapiens',
      'SETTING_INVALID',
      'organism',
    ],
    ['no query', 'workflow: annotate\nmodel: m', 'SETTING_INVALID', 'query'],
    [
      'a prefix that could be a path',
      'workflow: annotate\nquery: q\nannotation_prefix: "a/b"',
      'SETTING_INVALID',
      'annotation_prefix',
    ],
    [
      'an id that is none',
      'workflow: annotate\nquery: q\nontology: {B: "<script>"}',
      'SETTING_INVALID',
      'ontology',
    ],
    ['no workflow', 'query: q.h5ad', 'WORKFLOW_UNKNOWN', 'workflow'],
    ['an unknown workflow', 'workflow: anotate\nquery: q', 'WORKFLOW_UNKNOWN', 'workflow'],
    ['a workflow named like a method', 'workflow: constructor', 'WORKFLOW_UNKNOWN', 'workflow'],
    ['a list', '- a\n- b', 'MANIFEST_UNREADABLE', 'job.yaml'],
    ['nothing', '', 'MANIFEST_UNREADABLE', 'job.yaml'],
    ['broken YAML', 'workflow: [annotate', 'MANIFEST_UNREADABLE', 'job.yaml'],
    ['a key twice', 'workflow: annotate\nquery: a\nquery: b', 'MANIFEST_UNREADABLE', 'job.yaml'],
    ['an alias', 'workflow: annotate\nquery: &q x\nmodel: *q', 'MANIFEST_UNREADABLE', 'job.yaml'],
  ])('refuses %s', (_, text, code, place) => {
    const error = refusal(text)
    expect(error.code).toBe(code)
    expect(error.place).toContain(place)
    expect(error.remedy.length).toBeGreaterThan(10)
  })

  it('refuses what is too long, and what is not text', () => {
    expect(refusal(new Uint8Array(longestManifest + 1)).code).toBe('MANIFEST_UNREADABLE')
    expect(refusal(new Uint8Array([0xff, 0xfe, 0x00])).code).toBe('MANIFEST_UNREADABLE')
  })

  it('refuses a file of aliases that would unfold to gigabytes', () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]']
    for (let i = 1; i < 30; i++)
      lines.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      )
    expect(refusal(lines.join('\n')).code).toBe('MANIFEST_UNREADABLE')
  })

  it('answers any bytes with settings or a coded refusal that is safe to print', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: 'binary' })), (text) => {
        const error = refusal(text)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not come through
        expect(`${error.place}${error.problem}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
      }),
      { numRuns: 300 },
    )
  })
})

it('writes the version of package.json into results', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  expect(product.version).toBe(version)
})
