import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTermFilter } from '../../lib/knowledge/term-filter.ts'

const [a, b, c] = ['CL:0000001', 'CL:0000002', 'UBERON:0002048'] as const
const sets = [[], [a], [b], [c], [a, b], [a, c], [b, c], [a, b, c]]
const truth = (text: string) => sets.map((ids) => parseTermFilter(text).matches(ids))

describe('a filter of terms', () => {
  it.each([
    [a, (has: (id: string) => boolean) => has(a)],
    [`~${a}`, (has: (id: string) => boolean) => !has(a)],
    [`~~${a}`, (has: (id: string) => boolean) => has(a)],
    [`${a} | ${b} & ${c}`, (has: (id: string) => boolean) => has(a) || (has(b) && has(c))],
    [`(${a} | ${b}) & ${c}`, (has: (id: string) => boolean) => (has(a) || has(b)) && has(c)],
    [`~${a} & ${b}`, (has: (id: string) => boolean) => !has(a) && has(b)],
    [`~(${a} & ${b})|${c}`, (has: (id: string) => boolean) => !(has(a) && has(b)) || has(c)],
    [`${a}&${b}&~${c}`, (has: (id: string) => boolean) => has(a) && has(b) && !has(c)],
  ])('reads %s with its precedence', (text, expected) => {
    expect(truth(text)).toEqual(sets.map((ids) => expected((id) => ids.some((own) => own === id))))
  })

  it('does not mind the case, the underscore and blanks', () => {
    const filter = parseTermFilter('  cl_0000084|\n Cl:0000236 | cl:0000084 ')
    expect(filter.ids).toEqual(['CL:0000084', 'CL:0000236'])
    expect(filter.matches([' CL_0000084'])).toBe(true)
    expect(filter.matches(['cl:0000236'])).toBe(true)
    expect(filter.matches(new Set(['CL:0000623', 'unknown']))).toBe(false)
  })

  it('takes an id with a plus for itself and all below it, and one without for itself', () => {
    const above = (id: string) => (id === b ? [a] : [])
    const found = (text: string) => [[a], [b], [c]].map((ids) => parseTermFilter(text).matches(ids, above))
    expect(found(`${a}+`)).toEqual([true, true, false])
    expect(found(a)).toEqual([true, false, false])
    expect(found(`${b}+`)).toEqual([false, true, false])
    expect(found(`${a}+ & ~${a}`)).toEqual([false, true, false])
    expect(found(`~cl_0000001+|${a}`)).toEqual([true, false, true])
    expect(parseTermFilter(`${a}+ | ${a}`).ids).toEqual([a])
  })

  it.each([
    ['CL:0000084++', 1, '"CL:0000084++" is no ontology id'],
    ['CL:0000084 +', 12, '"+" is no ontology id'],
    ['', 1, 'it ends'],
    ['   ', 4, 'it ends'],
    ['CL:0000084 &', 13, 'it ends'],
    ['CL:0000084 CL:0000236', 12, 'there is "CL:0000236"'],
    ['| CL:0000084', 1, 'there is "|"'],
    ['(CL:0000084', 12, 'it ends'],
    ['CL:0000084)', 11, 'there is ")"'],
    ['()', 2, 'there is ")"'],
    ['CL:0000084 AND CL:0000236', 12, '"AND" is no ontology id'],
    ['CL:0000084 | T cell', 14, '"T" is no ontology id'],
    ['CL:00000a4', 1, '"CL:00000a4" is no ontology id'],
    ['CL:', 1, '"CL:" is no ontology id'],
  ])('tells where %j goes wrong', (text, at, problem) => {
    expect(() => parseTermFilter(text)).toThrow(
      expect.objectContaining({
        code: 'TERM_FILTER',
        place: `filter, character ${at}`,
        problem: expect.stringContaining(problem),
      }),
    )
  })

  it('refuses what is far too long or too deep, and reads many signs in a row', () => {
    const refused = expect.objectContaining({ code: 'TERM_FILTER' })
    expect(() => parseTermFilter('('.repeat(2000) + a + ')'.repeat(2000))).toThrow(refused)
    expect(() => parseTermFilter(`${a}|`.repeat(2000))).toThrow(refused)
    expect(parseTermFilter('~'.repeat(9001 - 1) + a).matches([a])).toBe(true)
    expect(parseTermFilter(Array(800).fill(a).join('|')).ids).toEqual([a])
  })

  it('agrees with the truth table of any expression', () => {
    type Tree = { text: string; value: (has: (id: string) => boolean) => boolean }
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(a, b, c).map((id): Tree => ({ text: id, value: (has) => has(id) })),
        tie('tree').map((one): Tree => ({ text: `~(${one.text})`, value: (has) => !one.value(has) })),
        fc.tuple(tie('tree'), tie('tree')).map(
          ([left, right]): Tree => ({
            text: `(${left.text})&(${right.text})`,
            value: (has) => left.value(has) && right.value(has),
          }),
        ),
        fc.tuple(tie('tree'), tie('tree')).map(
          ([left, right]): Tree => ({
            text: `${left.text} | ${right.text}`,
            value: (has) => left.value(has) || right.value(has),
          }),
        ),
      ),
    }))
    fc.assert(
      fc.property(tree, ({ text, value }) => {
        expect(truth(text)).toEqual(sets.map((ids) => value((id) => ids.some((own) => own === id))))
      }),
    )
  })
})
