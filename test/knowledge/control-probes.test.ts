import { describe, expect, it } from 'vitest'
import { type ControlKind, controlKind } from '../../lib/knowledge/control-probes.ts'
import { readData } from '../../lib/knowledge/data-file.ts'
import { isControlProbe } from '../../lib/knowledge/gene-ids.ts'

const names: Record<ControlKind, string[]> = {
  'negative control': [
    ...[
      'NegControlProbe_00042',
      'NegControlCodeword_0500',
      'NegControl1',
      'NegPrb3',
      'NegPrb',
      'NegProbe-WTX',
    ],
    ...['Negative1', 'Negative Control', 'Negative_Probe_3', 'negative'],
  ],
  'blank code word': ['BLANK_0010', 'Blank-12', 'BLANK0001', 'Blank 7', 'blank'],
  'antisense control': ['antisense_PROKR2', 'Antisense-ABC'],
  'unassigned code word': ['UnassignedCodeword_0001', 'Unassigned_2', 'unassigned'],
  'intergenic control': ['Intergenic_Region_1', 'Intergenic-12'],
  'deprecated code word': ['DeprecatedCodeword_0321', 'Deprecated'],
  'system control': ['SystemControl12', 'FalseCode7', 'System_Control_1'],
  'custom control': ['CustomNegControl1', 'Custom_Negative_Control', 'CustomControl', 'Custom-12 Control'],
}

describe('control probes', () => {
  it.each(Object.entries(names).flatMap(([kind, list]) => list.map((name) => [name, kind])))(
    '%s is one: %s',
    (name, kind) => {
      expect(controlKind(name!)).toBe(kind)
      expect(isControlProbe(name!)).toBe(true)
    },
  )

  it.each([
    ...['NEGR1', 'NEGR1-AS1', 'NEGF2', 'Negr1', 'BLANKET', 'ANTISENSE', 'INTERGENICA', 'DEPRECATE1'],
    ...['SYSTEM', 'FALSE1', 'CUSTOM1', 'CONTROL', 'CustomGene', '', '__proto__', 'ENSG00000141510'],
  ])('"%s" is none', (name) => {
    expect(controlKind(name)).toBeUndefined()
    expect(isControlProbe(name)).toBe(false)
  })

  it.each(['genes-human.json.br', 'genes-mouse.json.br'])(
    'are never a symbol, former symbol or alias of a gene (%s)',
    async (file) => {
      const table = await readData<'symbols' | 'previous' | 'aliases'>(file)
      const symbols = table.symbols.split('\n')
      const others = [table.previous ?? '', table.aliases ?? ''].flatMap((lines) => lines.split(/[\n|]/))
      expect(symbols.length).toBeGreaterThan(20_000)
      expect([...symbols, ...others].filter(isControlProbe)).toEqual([])
    },
  )
})
