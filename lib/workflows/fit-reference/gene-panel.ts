/** A gene panel as a text file: one gene a line, or the first column of a CSV or TSV; lines that start with # are remarks. */
import { BadInput } from '../../job/errors.ts'
import type { Document } from '../../job/road.ts'

const mostGenes = 100_000
const mostLength = 200

/**
 * Each gene once, sorted, as scPDAC sorts its panel.
 * @throws BadInput GENE_PANEL
 */
export function readPanel({ place, base64 }: Document): string[] {
  const wrong = (problem: string) =>
    new BadInput('GENE_PANEL', place, problem, 'Give a text file with one gene a line')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(base64, 'base64'))
  } catch {
    throw wrong('it is not UTF-8 text')
  }
  const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const genes = new Set(lines.map((line) => (line.split(/[,;\t]/, 1)[0] ?? '').replace(/^"|"$/g, '').trim()))
  genes.delete('')
  if (genes.size < 2) throw wrong('it names no genes')
  if (genes.size > mostGenes) throw wrong(`${genes.size} genes are more than a panel has`)
  for (const gene of genes)
    if (gene.length > mostLength || /\p{C}/u.test(gene)) throw wrong('a line of it is no name of a gene')
  return [...genes].sort()
}
