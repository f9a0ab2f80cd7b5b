import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import { applyReview } from '../../lib/knowledge/ontology-review.ts'
import { trainingClasses } from '../../lib/knowledge/training-classes.ts'

const labels = ['Zed 1', 'Zed 2', 'Other', 'T cells']

describe('classes to train', () => {
  it('never hold two labels without a term in one class (oracle O11)', async () => {
    const { classOf, dropped, notices } = trainingClasses(await matchLabels(labels))
    expect([...classOf.values()].map(({ name, id }) => [name, id])).toEqual([
      ['T cell', 'CL:0000084'],
      ['Zed 1', null],
      ['Zed 2', null],
    ])
    expect(new Set([...classOf.values()].map(({ key }) => key)).size).toBe(3)
    expect([...classOf.values()].map(({ name }) => name)).not.toContain('Unknown')
    expect([...dropped]).toEqual([['Other', 'the label names no cell type']])
    expect(notices).toMatchObject([
      { code: 'ONTOLOGY_UNMAPPED', problem: expect.stringContaining('2 labels') },
    ])
  })

  it('leave labels without a term out when told (oracle O11)', async () => {
    const { classOf, dropped, notices } = trainingClasses(await matchLabels(labels), { unmapped: 'drop' })
    expect([...classOf.keys()]).toEqual(['T cells'])
    expect([...dropped.keys()]).toEqual(['Other', 'Zed 1', 'Zed 2'])
    expect(notices[0]?.problem).toContain('train nothing')
  })

  it('join the labels of one term, of whatever reference', async () => {
    const { classOf, notices } = trainingClasses(
      await matchLabels(['T cells', 'T-cell', 'CD3+ T cell', 'T cells']),
    )
    expect(new Set(classOf.values()).size).toBe(1)
    expect(classOf.get('T-cell')?.labels).toEqual(['CD3+ T cell', 'T cells', 'T-cell'])
    expect(notices).toEqual([])
  })

  it('keep and drop what the review table says, and tell own names from names of terms', async () => {
    const matches = await applyReview(
      await matchLabels(['T cell', 'T cells', 'Zed 1', 'Zed 2', '__proto__']),
      new Map([
        ['T cell', 'keep'],
        ['Zed 1', 'keep'],
        ['Zed 2', 'drop'],
      ] as const),
    )
    const { classOf, dropped, notices } = trainingClasses(matches, { unmapped: 'drop' })
    expect([...classOf].map(([label, { name, id }]) => [label, name, id])).toEqual([
      ['T cell', 'T cell (label)', null],
      ['T cells', 'T cell', 'CL:0000084'],
      ['Zed 1', 'Zed 1', null],
    ])
    expect([...dropped.keys()]).toEqual(['Zed 2', '__proto__'])
    expect(notices[0]?.problem).toContain('1 labels')
  })

  it('are the same in any order, one name a class, and every label is in one or left out', async () => {
    const label = fc.oneof(
      fc.constantFrom(
        'T cells',
        'T',
        'B',
        'B cell',
        'Zed 1',
        'Unknown',
        'unknown',
        'Other',
        '__proto__',
        'T cell (label)',
      ),
      fc.string({ maxLength: 8 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(label, { maxLength: 10 }), async (some) => {
        const { classOf, dropped } = trainingClasses(await matchLabels(some))
        const again = trainingClasses(await matchLabels(some.toReversed()))
        expect(again.classOf).toEqual(classOf)
        const classes = [...new Set(classOf.values())]
        expect(new Set(classes.map(({ name }) => name)).size).toBe(classes.length)
        for (const one of classes) if (one.id === null) expect(one.labels.length).toBe(1)
        for (const text of some) expect(classOf.has(text)).toBe(!dropped.has(text))
      }),
      { numRuns: 100 },
    )
  })
})
