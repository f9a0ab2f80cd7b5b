/**
 * Cell type labels as words: "CD4⁺ T-cells", "T_cell, CD4-positive" and "cd4+ t cells" become the same words in some order.
 * Names of the ontology go through the same functions, so what is lost is lost on both sides. Every expression is linear in the label.
 */

const greek: Record<string, string> = {
  α: 'alpha',
  β: 'beta',
  γ: 'gamma',
  δ: 'delta',
  ε: 'epsilon',
  φ: 'phi',
  κ: 'kappa',
}

/** British and older spellings of the field; names of the ontology are American */
const spellings: readonly [RegExp, string][] = [
  [/centre/g, 'center'],
  [/tumour/g, 'tumor'],
  [/haemato/g, 'hemato'],
  [/hemopoietic/g, 'hematopoietic'],
  [/oesoph/g, 'esoph'],
  [/fibre/g, 'fiber'],
  [/naïve/g, 'naive'],
]

/** Lower case, plain signs, single spaces: the form in which names are compared first. */
export function plainText(label: string): string {
  let text = label.normalize('NFKC').toLowerCase()
  text = text.replace(/[αβγδεφκ]/g, (letter) => greek[letter]!).replace(/[‐‑‒–—―−]/g, '-')
  for (const [from, to] of spellings) text = text.replace(from, to)
  return text.replace(/[_\s]+/g, ' ').trim()
}

/**
 * Words in their order, singular. A plus sign and "positive" are dropped (a marker that is named is there), a minus sign behind a
 * marker and "negative" become "neg" at its end: CD4+ CD25- is [cd4, cd25neg].
 */
export function wordsOf(plain: string): string[] {
  const text = plain
    .replace(/['’]/g, '')
    .replace(/([a-z0-9])[- ]negative\b/g, '$1neg ')
    .replace(/([a-z]\d+[a-z]{0,3}|ifn|ig[adegm])-(?=[\s,;/)]|$|cd\d)/g, '$1neg ')
    .replace(/[^a-z0-9]+/g, ' ')
  const words: string[] = []
  for (const word of text.split(' ')) {
    if (word === '' || word === 'positive') continue
    const stem = singular(word)
    if (stem.length > 4 && stem.endsWith('cell')) words.push(stem.slice(0, -4), 'cell')
    else words.push(stem)
  }
  return words
}

function singular(word: string): string {
  if (word.length < 3 || !word.endsWith('s') || /(?:ss|us|is)$/.test(word)) return word
  return word.endsWith('ies') ? `${word.slice(0, -3)}y` : word.slice(0, -1)
}

/** The words joined without spaces, less a last "cell": "T cell", "Tcells" and "T" are one. */
export function squeeze(words: readonly string[]): string {
  return (words.at(-1) === 'cell' ? words.slice(0, -1) : words).join('')
}
