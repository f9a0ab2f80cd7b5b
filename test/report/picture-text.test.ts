/** Text of the figures: names that hide characters or turn the line around are drawn as what they are, and as wide as that. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { revealed } from '../../lib/report/html.ts'
import { drawText, measuringContext, shortNames, textWidth, wrapText } from '../../lib/report/picture-text.ts'

const hostile = [
  'T\u0007cell',
  'T\u202ecell',
  'T\u2067cell\u2069',
  'T\u200bcell',
  'T\u009bcell',
  'T\ufeffcell',
]
const context = measuringContext()

/** What reaches the canvas. */
function drawn(text: string, most?: number): string {
  const texts: string[] = []
  const spied = new Proxy(context, {
    get(target, name) {
      if (name === 'fillText') return (line: string) => void texts.push(line)
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  })
  drawText(spied, text, { left: 0, top: 0, size: 12, ...(most !== undefined && { most }) })
  return texts.join('|')
}

describe('text of a figure', () => {
  it.each(hostile)('shows what hides in %j', (text) => {
    expect(drawn(text)).toBe(revealed(text))
    expect(drawn(text)).toMatch(/⟨U\+[0-9A-F]{4}⟩/)
    expect(textWidth(context, text, { size: 12 })).toBe(textWidth(context, revealed(text), { size: 12 }))
    expect(shortNames([text]).join('')).toContain('⟨U+')
    const lines = wrapText(context, `${text} ${text}`, { most: 20, lines: 2, size: 12 })
    expect(lines).toEqual([revealed(text), revealed(text)])
  })

  it('is one line that is not wider than its place, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.integer({ min: 40, max: 300 }),
        (text, most) => {
          const line = drawn(text, most)
          expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
          expect(context.measureText(line).width).toBeLessThanOrEqual(most + 0.01)
        },
      ),
    )
  })
})
