import { describe, expect, it } from 'vitest'
import { type NamedGroup, readProportions, resolveProportions } from '../../lib/prep/target-proportions.ts'

const place = 'proportions'
const bytes = (text: string) => new TextEncoder().encode(text)
const json = (text: string) => [...readProportions(bytes(text), { place, format: 'json' })]
const csv = (text: string) => [...readProportions(bytes(text), { place, format: 'csv' })]
const coded = (code: string, problem = '') =>
  expect.objectContaining({ name: 'BadInput', code, problem: expect.stringContaining(problem) })

const wanted: [string, number][] = [
  ['NK cell', 0.0025],
  ['plasma cell', 0.001],
]

describe('proportions of a JSON file', () => {
  it('are those of its object, in its order', () => {
    expect(json('{"NK cell": 0.0025, "plasma cell": 1e-3}')).toEqual(wanted)
    expect(json('\ufeff {"a\\"b": 1, "__proto__": 0, "constructor": 0.5}')).toEqual([
      ['a"b', 1],
      ['__proto__', 0],
      ['constructor', 0.5],
    ])
  })

  it.each([
    ['{"A": 0.1,}', 'PROPORTIONS_FORMAT', 'not JSON'],
    ['', 'PROPORTIONS_FORMAT', 'not JSON'],
    ['[0.1]', 'PROPORTIONS_FORMAT', 'not a JSON object'],
    ['null', 'PROPORTIONS_FORMAT', 'not a JSON object'],
    ['0.5', 'PROPORTIONS_FORMAT', 'not a JSON object'],
    ['{}', 'PROPORTIONS_FORMAT', 'no proportions'],
    ['{"A": "0.1"}', 'PROPORTIONS_NUMBER', '"A"'],
    ['{"A": {"B": 0.1}}', 'PROPORTIONS_NUMBER', '"A"'],
    ['{"A": null}', 'PROPORTIONS_NUMBER', 'null'],
    ['{"A": true}', 'PROPORTIONS_NUMBER', 'true'],
    ['{"A": NaN}', 'PROPORTIONS_FORMAT', 'not JSON'],
    ['{"A": -0.1}', 'PROPORTIONS_RANGE', '-0.1'],
    ['{"A": 1e999}', 'PROPORTIONS_RANGE', 'Infinity'],
    ['{"A": 2}', 'PROPORTIONS_RANGE', '2'],
    ['{"A": 0.1, "B": 0.1, "A": 0.2}', 'PROPORTIONS_REPEATED', '"A"'],
    ['{"A": 0.1, "\\u0041": 0.2}', 'PROPORTIONS_REPEATED', '"A"'],
  ])('%s is refused: %s', (text, code, problem) => {
    expect(() => json(text)).toThrowError(coded(code, problem))
  })
})

describe('proportions of a CSV file', () => {
  it('are its columns cell_type and proportion, wherever they stand', () => {
    expect(csv('cell_type,proportion\nNK cell,0.0025\nplasma cell,0.001\n')).toEqual(wanted)
    expect(
      csv('\ufeffproportion,source, cell_type \r\n.0025,"a, b",NK cell\r\n\r\n1E-3,,"plasma cell"'),
    ).toEqual(wanted)
    expect(csv('cell_type,proportion\r"CD4-positive, ""helper"" T cell",1')).toEqual([
      ['CD4-positive, "helper" T cell', 1],
    ])
  })

  it.each([
    ['semicolons', 'cell_type;proportion\r\nNK cell;0.0025\r\nplasma cell;0.001\r\n'],
    [
      'a mark, semicolons and decimal commas',
      '\ufeffcell_type;proportion\r\nNK cell;0,0025\r\nplasma cell;1E-3\r\n',
    ],
    ['tabs', 'cell_type\tproportion\nNK cell\t0.0025\nplasma cell\t0.001'],
    [
      'a line that names the separator',
      'sep=;\r\ncell_type;proportion\r\nNK cell;0,0025\r\nplasma cell;0,001\r\n',
    ],
    ['empty rows', 'cell_type,proportion,\r\nNK cell,0.0025,\r\n,,\r\nplasma cell,0.001,\r\n ,,\r\n'],
    ['quotes', '"cell_type";"proportion"\r\n"NK cell";"0,0025"\r\n"plasma cell";"0,001"\r\n'],
  ])('are read as a spreadsheet saves them: with %s', (_, text) => {
    expect(csv(text)).toEqual(wanted)
  })

  it.each([
    ['', 'PROPORTIONS_COLUMNS', 'empty'],
    ['cell_type|proportion\nA|0.1\n', 'PROPORTIONS_COLUMNS', '"cell_type|proportion"'],
    ['cell_type;proportion;proportion\nA;0.1;0.2\n', 'PROPORTIONS_COLUMNS', ''],
    ['cell_type;proportion\nA;0.1\nB\n', 'PROPORTIONS_FORMAT', 'line 3 has 1 fields'],
    ['sep=;\r\ncell_type;proportion\r\n;0.1\r\n', 'PROPORTIONS_FORMAT', 'line 3 names no type'],
    ['cell_type;proportion\nA;1.000,5\n', 'PROPORTIONS_NUMBER', '"1.000,5"'],
    ['cell_type,proportion\nA,"0,1"\n', 'PROPORTIONS_NUMBER', '"0,1"'],
    ['Cell_type,proportion\nA,0.1\n', 'PROPORTIONS_COLUMNS', '"Cell_type", "proportion"'],
    ['cell_type,proportion,proportion\nA,0.1,0.2\n', 'PROPORTIONS_COLUMNS', ''],
    ['cell_type,proportion\n', 'PROPORTIONS_FORMAT', 'no proportions'],
    ['cell_type,proportion\nA,0.1\nB\n', 'PROPORTIONS_FORMAT', 'line 3 has 1 fields'],
    ['cell_type,proportion\nT, helper,0.1\n', 'PROPORTIONS_FORMAT', 'line 2 has 3 fields'],
    ['cell_type,proportion\n,0.1\n', 'PROPORTIONS_FORMAT', 'line 2 names no type'],
    ['cell_type,proportion\n"A,0.1\n', 'PROPORTIONS_FORMAT', 'opens in line 2'],
    ['cell_type,proportion\nA"B,0.1\n', 'PROPORTIONS_FORMAT', 'line 2'],
    ['cell_type,proportion\n"A"B,0.1\n', 'PROPORTIONS_FORMAT', 'behind a closing quote'],
    ['cell_type,proportion\nA,2 %\n', 'PROPORTIONS_NUMBER', '"2 %"'],
    ['cell_type,proportion\nA,\n', 'PROPORTIONS_NUMBER', '"A"'],
    ['cell_type,proportion\nA,0x1\n', 'PROPORTIONS_NUMBER', '0x1'],
    ['cell_type,proportion\nA,Infinity\n', 'PROPORTIONS_NUMBER', 'Infinity'],
    ['cell_type,proportion\nA,nan\n', 'PROPORTIONS_NUMBER', 'nan'],
    ['cell_type,proportion\nA,1.01\n', 'PROPORTIONS_RANGE', '1.01'],
    ['cell_type,proportion\nA,0.1\nB,0.1\n A ,0.1\n', 'PROPORTIONS_REPEATED', '"A"'],
  ])('%j is refused: %s', (text, code, problem) => {
    expect(() => csv(text)).toThrowError(coded(code, problem))
  })

  it('has to be text in UTF-8, and of a size that proportions have', () => {
    for (const format of ['csv', 'json'] as const) {
      const read = (data: Uint8Array) => () => readProportions(data, { place, format })
      expect(read(Uint8Array.of(0xff, 0xfe, 0x41, 0))).toThrowError(coded('PROPORTIONS_FORMAT', 'UTF-8'))
      expect(read(new Uint8Array(2 ** 22 + 1))).toThrowError(coded('PROPORTIONS_FORMAT', '4194305 bytes'))
    }
  })
})

describe('the types that proportions are for', () => {
  const groups: NamedGroup[] = [
    { name: 'CL:0000623', id: 'CL:0000623', termName: 'natural killer cell', labels: ['NK cells', 'NK'] },
    { name: 'CL:0000235', id: 'CL:0000235', termName: 'macrophage', labels: ['Macrophages'] },
    { name: 'Zed 1', id: null, termName: null, labels: ['Zed 1'] },
    { name: '__proto__', id: null, termName: null, labels: ['__proto__'] },
  ]
  const resolve = (given: Record<string, number> | [string, number][], among = groups) =>
    resolveProportions(new Map(Array.isArray(given) ? given : Object.entries(given)), among, { place })

  it.each([
    ['NK', 'label'],
    ['nk CELLS', 'label'],
    ['natural killer cell', 'Cell Ontology name'],
    ['Natural_Killer cell', 'Cell Ontology name'],
    ['CL:0000623', 'Cell Ontology id'],
    ['cl_0000623', 'Cell Ontology id'],
  ])('are found by %s, a %s', (key, how) => {
    const { proportions, notices } = resolve({ [key]: 0.25 })
    expect([...proportions]).toEqual([['CL:0000623', 0.25]])
    expect(notices).toHaveLength(1)
    expect(notices[0]).toMatchObject({ code: 'PROPORTIONS_MATCHED', place })
    expect(notices[0]!.problem).toContain(`"${key}" as ${how}`)
  })

  it('keep the order in which they were given', () => {
    const { proportions } = resolve([
      ['__proto__', 0.1],
      ['Zed 1', 0.2],
      ['macrophage', 0.3],
    ])
    expect([...proportions]).toEqual([
      ['__proto__', 0.1],
      ['Zed 1', 0.2],
      ['CL:0000235', 0.3],
    ])
    expect(resolve({})).toEqual({ proportions: new Map(), notices: [] })
  })

  it('have to be there: the error lists what is not, and what is near', () => {
    const run = () => resolve({ NK: 0.1, macrophae: 0.1, Zed: 0.2 })
    expect(run).toThrowError(coded('PROPORTIONS_UNKNOWN', '"macrophae", "Zed"'))
    expect(run).toThrowError(
      expect.objectContaining({
        remedy: expect.stringMatching(/for "macrophae" "(?:macrophage|Macrophages)".*"Zed 1"/),
      }),
    )
    expect(() => resolve({ NK: 0.1 }, [])).toThrowError(coded('PROPORTIONS_UNKNOWN', '"NK"'))
  })

  it('may not be two, nor be given twice', () => {
    expect(() => resolve({ NK: 0.1, 'CL:0000623': 0.2 })).toThrowError(
      coded('PROPORTIONS_REPEATED', '"NK" and "CL:0000623" are one type'),
    )
    const twins = ['b cell', 'B  Cell'].map((name) => ({ name, id: null, termName: null, labels: [name] }))
    expect(() => resolve({ 'B cell': 0.1 }, twins)).toThrowError(
      coded('PROPORTIONS_AMBIGUOUS', 'may be 2 types'),
    )
    // letter by letter it is one of them
    expect([...resolve({ 'b cell': 0.1 }, twins).proportions]).toEqual([['b cell', 0.1]])
  })
})
