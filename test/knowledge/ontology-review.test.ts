import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import { applyReview, readReview, reviewTable } from '../../lib/knowledge/ontology-review.ts'
import { writeCsv } from '../../lib/report/csv.ts'

const ontology = await loadOntology()
const bytes = (text: string) => new TextEncoder().encode(text)

async function tableOf(labels: readonly string[]): Promise<ReturnType<typeof reviewTable>> {
  const matches = await matchLabels(labels)
  return reviewTable(matches.map((match, i) => ({ match, cells: 10 * (i + 1) })))
}

async function csvOf(labels: readonly string[]): Promise<string> {
  let text = ''
  for await (const piece of writeCsv(await tableOf(labels))) text += piece
  return text
}

const read = async (text: string) => [...(await readReview(bytes(text), 'review.csv')).decisions]
const problem = async (text: string): Promise<string> => {
  const error = await readReview(bytes(text), 'review.csv').catch((caught: unknown) => caught)
  expect(error).toMatchObject({ name: 'BadInput', code: 'ONTOLOGY_REVIEW' })
  return (error as { problem: string }).problem
}

describe('the review table', () => {
  it('has what needs a decision first, then by cells, with candidates and the reason', async () => {
    const columns = await tableOf(['T cells', 'Other', 'macrophae', 'NK/T cells', 'B'])
    const values = Object.fromEntries(columns.map(({ name, values }) => [name, values]))
    expect(Object.keys(values)).toEqual(
      'label n_cells cl_id cl_name tier score reason candidates decision'.split(' '),
    )
    expect(values.label).toEqual(['NK/T cells', 'macrophae', 'B', 'T cells', 'Other'])
    expect(values.n_cells).toEqual([40, 30, 50, 10, 20])
    expect(values.cl_id).toEqual([null, null, 'CL:0000236', 'CL:0000084', null])
    expect(values.cl_name).toEqual([null, null, 'B cell', 'T cell', null])
    expect(values.tier).toEqual(['unmapped', 'unmapped', 'alias', 'name', 'skipped'])
    expect(values.candidates![0]).toContain('CL:0000084 T cell (0.9)')
    expect(values.candidates![0]).toContain('CL:0000542 lymphocyte (all of them)')
    expect(values.candidates![1]).toMatch(/^CL:0000235 macrophage \(0\.\d+\)/)
    expect(values.decision).toEqual(Array(5).fill(null))
  })

  it('reads back, unedited, as the ids that were accepted', async () => {
    expect(await read(await csvOf(['T cells', 'Other', 'macrophae', 'B']))).toEqual([
      ['B', 'CL:0000236'],
      ['T cells', 'CL:0000084'],
    ])
  })

  it('carries any label there and back, formulas, quotes and line ends too', async () => {
    const hostile = [
      '=HYPERLINK("x")',
      "'=1+1",
      "''-2",
      '+T',
      '-cell',
      '@B',
      '\tT',
      'a;b',
      'a,b "c"',
      'x\ny',
      'γδ',
      "d'or",
      ' T ',
    ]
    const text = await csvOf(hostile)
    expect(text).not.toMatch(/(?:^|[,\n"])[=+@-]/)
    const decided = text.replaceAll(/,(?=\r\n)/g, ',keep')
    expect(new Set((await read(decided)).map(([label]) => label))).toEqual(new Set(hostile))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 12 }), { minLength: 1, maxLength: 8 }),
        async (labels) => {
          const edited = (await csvOf(labels)).replaceAll(/,(?=\r\n(?:[^"]*"[^"]*")*[^"]*$)/g, ',keep')
          expect(new Set((await read(edited)).map(([label]) => label))).toEqual(
            new Set(labels.map((label) => label.toWellFormed())),
          )
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('an edited review table', () => {
  const expected = [
    ['Zed 1', 'keep'],
    ['NK/T', 'CL:0000542'],
    ['junk', 'drop'],
  ]
  const lines = [
    'label,n_cells,cl_id,decision',
    'Zed 1,1,,KEEP',
    'NK/T,2,,CL_0000542',
    'junk,3,CL:0000084,Drop',
    'open,4,,',
  ]

  it.each([
    ['LF', lines.join('\n')],
    ['CRLF and a last line end', `${lines.join('\r\n')}\r\n`],
    ['a byte order mark', `\uFEFF${lines.join('\r\n')}`],
    ['semicolons', lines.join('\r\n').replaceAll(',', ';')],
    ['tabs', lines.join('\r\n').replaceAll(',', '\t')],
    ['"sep=;"', `sep=;\r\n${lines.join('\r\n').replaceAll(',', ';')}`],
    [
      'quotes around everything',
      lines
        .map((line) =>
          line
            .split(',')
            .map((cell) => `"${cell}"`)
            .join(','),
        )
        .join('\r\n'),
    ],
    [
      'capital letters in the header',
      lines.join('\n').replace('label', ' Label ').replace('decision', 'DECISION'),
    ],
    ['empty columns and rows', `${lines.map((line) => `${line},,`).join('\r\n')}\r\n,,,,,\r\n\r\n`],
  ])('is read with %s', async (_, text) => {
    expect(await read(text)).toEqual(expected)
  })

  it('is read in UTF-16, and as Windows-1252 with a notice', async () => {
    const text = lines.join('\r\n').replace('Zed 1', 'cellule épithéliale')
    const utf16 = new Uint8Array(Buffer.from(`\uFEFF${text}`, 'utf16le'))
    expect((await readReview(utf16, 'r')).decisions.get('cellule épithéliale')).toBe('keep')
    expect((await readReview(utf16, 'r')).notices).toEqual([])
    const { decisions, notices } = await readReview(new Uint8Array(Buffer.from(text, 'latin1')), 'r')
    expect(decisions.get('cellule épithéliale')).toBe('keep')
    expect(notices).toMatchObject([{ code: 'ONTOLOGY_REVIEW_ENCODING' }])
  })

  it('takes an id, a candidate as copied, or the name of a term', async () => {
    const text = [
      'label,cl_id,cl_name,decision',
      'a,,,cl:0000084',
      'b,,,CL:0000084 T cell (0.8)',
      'c,,,CL:0000542 lymphocyte (all of them)',
      'd,,,Type B pancreatic cell',
      'e,CL:0000236,,',
      'f,CL:0000236,T cell,CL:0000084',
      '"g",,,"CL:0000624 CD4-positive, alpha-beta T cell (0.84)"',
    ]
    expect((await read(text.join('\n'))).map(([, decision]) => decision)).toEqual(
      'CL:0000084 CL:0000084 CL:0000542 CL:0000169 CL:0000236 CL:0000084 CL:0000624'.split(' '),
    )
  })

  it('tells row and column of an unknown id, with what may be meant', async () => {
    const told = await problem('label,cl_id,decision\nok,,keep\nmacrophae,,CL:9999999\n')
    expect(told).toContain('row 3, column decision')
    expect(told).toContain('CL:9999999')
    expect(told).toContain('perhaps CL:0000235 (macrophage)')
    expect(await problem('label,cl_id,decision\nmacrophae,CL:9999999,\n')).toContain('row 2, column cl_id')
    expect(await problem('label,decision\nx,macrophaeg\n')).toContain('"macrophaeg" is no Cell Ontology id')
  })

  it('names the successor of an id out of use', async () => {
    const [old, now] = [...ontology.replacedBy][0]!
    expect(await problem(`label,decision\nx,${old}\n`)).toContain(
      `${now} (${ontology.byId.get(now)!.name}) took its place`,
    )
  })

  it('refuses two decisions about one label, and says where; the same twice is one', async () => {
    expect(await problem('label,decision\nx,keep\ny,drop\nx,drop\n')).toBe(
      'row 4, column label: "x" is "drop" here and "keep" in row 2',
    )
    expect(await read('label,decision\nx,keep\nx,KEEP\nx,\n')).toEqual([['x', 'keep']])
  })

  it('does not take an id that was only deleted for a decision', async () => {
    const told = await problem('label,cl_id,cl_name,score,decision\nx,,T cell,1,\ny,,,0.9,\nz,,,,\n')
    expect(told).toContain('row 2, column cl_id: the id was deleted')
    expect(told).toContain('row 3, column cl_id: the id was deleted')
    expect(told).not.toContain('row 4')
  })

  it('refuses what says two things', async () => {
    expect(await problem('label,decision\nx,CL:0000084 B cell\n')).toContain('more than one term')
    expect(await problem('label,decision\nx,CL:0000084; CL:0000236\n')).toContain('more than one term')
    expect(await problem('label,cl_id,cl_name,decision\nx,CL:0000084,B cell,\n')).toContain(
      'cl_name says B cell',
    )
  })

  it('tells ten faults at once, and how many more there are', async () => {
    const rows = Array.from({ length: 13 }, (_, i) => `l${i},what ${i}`)
    const told = await problem(`label,decision\n${rows.join('\n')}\n`)
    expect(told.match(/row \d+/g)?.length).toBe(10)
    expect(told).toContain('and 3 more')
  })

  it.each([
    ['', 'no header'],
    ['label\nx\n', 'no header'],
    ['a,b\n1,2\n', 'no header'],
    ['label,decision,label\nx,keep,y\n', 'same name'],
    ['label,decision\n"x,keep\n', 'never closed'],
    ['label,decision\nCD4, T,keep\n', '3 cells for 2 columns'],
  ])('is refused as %j', async (text, told) => {
    expect(await problem(text)).toContain(told)
  })

  it('says which of its labels are not in the data', async () => {
    const { notices } = await readReview(bytes('label,decision\n7,keep\nT,keep\n'), 'r', {
      labels: ['007', 'T'],
    })
    expect(notices).toMatchObject([
      { code: 'ONTOLOGY_REVIEW_LABELS', problem: expect.stringContaining('"7"') },
    ])
  })

  it('is applied: ids, own classes and what is dropped, the rest untouched', async () => {
    const matches = await matchLabels(['Zed 1', 'NK/T', 'T cells', 'B', '__proto__'])
    const { decisions } = await readReview(
      bytes('label,decision\nZed 1,keep\nNK/T,CL:0000542\nT cells,drop\n__proto__,keep\n'),
      'r',
    )
    expect(await applyReview(matches, decisions)).toMatchObject([
      { id: null, tier: 'reviewed', score: null },
      { id: 'CL:0000542', name: 'lymphocyte', tier: 'reviewed', score: 1 },
      { id: null, tier: 'skipped', reason: 'dropped by the review table' },
      { id: 'CL:0000236', tier: 'alias' },
      { id: null, tier: 'reviewed' },
    ])
  })
})
