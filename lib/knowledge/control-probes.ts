/**
 * Names on imaging panels that are no genes: control probes and empty code words of Xenium, MERSCOPE, CosMx and GeoMx. They measure
 * background, and a model that learns from them learns the instrument.
 *
 * Trap: genes that begin alike (NEGR1, antisense genes as NEGR1-AS1) must stay; a test runs all symbols and aliases through this.
 */

export type ControlKind =
  | 'negative control'
  | 'blank code word'
  | 'antisense control'
  | 'unassigned code word'
  | 'intergenic control'
  | 'deprecated code word'
  | 'system control'
  | 'custom control'

const controls: readonly (readonly [ControlKind, RegExp])[] = [
  // NegControlProbe, NegControlCodeword, NegPrb, NegProbe, Negative1
  ['negative control', /^(?:neg[-_ ]?(?:control|pro?b|prb|ctrl)|negative)/i],
  ['blank code word', /^blank(?:$|[-_ \d])/i],
  ['antisense control', /^antisense[-_ ]/i],
  ['unassigned code word', /^unassigned/i],
  ['intergenic control', /^intergenic(?:$|[-_ ])/i],
  ['deprecated code word', /^deprecated[-_ ]?(?:codeword|probe|$)/i],
  ['system control', /^(?:system|false)[-_ ]?(?:control|code)/i],
  ['custom control', /^custom[-_ ]?(?:[a-z\d]{1,20}[-_ ]?)?(?:control|ctrl)/i],
]

/** What kind of control a name is of; undefined for all others, among them every gene. */
export function controlKind(name: string): ControlKind | undefined {
  return controls.find(([, pattern]) => pattern.test(name))?.[0]
}
