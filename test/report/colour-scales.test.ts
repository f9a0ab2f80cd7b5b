import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cssColour, scalePlace, scaleTable } from '../../lib/report/colour-scales.ts'

const hex = (packed: number): string =>
  `#${[packed & 255, (packed >> 8) & 255, (packed >> 16) & 255].map((channel) => channel.toString(16).padStart(2, '0')).join('')}`

describe('colour scales of the figures', () => {
  it("have the colours of matplotlib's viridis and RdYlGn at their ends, quarters and middle", () => {
    const viridis = scaleTable('viridis')
    const known = { 0: 0x540144, 64: 0x8b523b, 128: 0x8c9121, 192: 0x62c95e, 255: 0x25e7fd }
    for (const [place, colour] of Object.entries(known))
      for (const shift of [0, 8, 16])
        expect(Math.abs(((viridis[Number(place)]! >> shift) & 255) - ((colour >> shift) & 255))).toBeLessThan(
          2,
        )
    const [first, ...rest] = scaleTable('RdYlGn')
    expect([hex(first!), hex(rest[50]!), hex(rest.at(-1)!)]).toEqual(['#a50026', '#f46d43', '#006837'])
    expect(cssColour(first!)).toBe('rgb(165 0 38)')
  })

  it('of 256 colours change by small steps only, from one end to the other', () => {
    for (const name of ['viridis', 'RdYlGn', 'Reds'] as const) {
      const table = scaleTable(name)
      expect(table).toHaveLength(256)
      for (let i = 1; i < 256; i++)
        for (const shift of [0, 8, 16])
          expect(Math.abs(((table[i]! >> shift) & 255) - ((table[i - 1]! >> shift) & 255))).toBeLessThan(5)
    }
  })

  it('give every value a place of the table, in order, also beyond the ends and where the ends are one', () => {
    const value = fc.double({ noNaN: true, min: -1e6, max: 1e6 })
    fc.assert(
      fc.property(value, value, value, value, (a, b, low, high) => {
        const [one, other] = [
          scalePlace(Math.min(a, b), [low, high]),
          scalePlace(Math.max(a, b), [low, high]),
        ]
        expect(one).toBeLessThanOrEqual(other)
        for (const place of [one, other]) expect(place >= 0 && place <= 255).toBe(true)
      }),
    )
    expect(scalePlace(3, [3, 3])).toBe(128)
    expect([-9, -2.5, 0, 2.5, 9].map((z) => scalePlace(z, [-2.5, 2.5]))).toEqual([0, 0, 128, 255, 255])
  })
})
