/** `celldrop inspect FILE`: what is in a file, for a person or as JSON. */

import type { ColumnFacts } from '../data/facts.ts'
import { openCells } from '../data/open-cells.ts'
import { BadInput } from '../job/errors.ts'
import { described } from '../prep/choose-counts.ts'
import { type Inspection, inspectDataset } from '../prep/inspect-dataset.ts'
import type { Invocation } from './command.ts'

export async function inspectCommand({ positionals, options, print }: Invocation): Promise<void> {
  const [location, ...others] = positionals
  if (location === undefined || others.length > 0) {
    throw new BadInput('USAGE', 'celldrop inspect', 'one file is needed', 'celldrop inspect FILE [--json]')
  }
  const file = await openCells(location, options.open)
  try {
    const inspection = await inspectDataset(file, { seed: 0 })
    print(options.json ? JSON.stringify(inspection) : describe(inspection))
  } finally {
    await file.close()
  }
}

function describe(facts: Inspection): string {
  const lines = [`${facts.place}  (${facts.format})`, `  ${facts.nObs} cells x ${facts.nVars} genes`]
  for (const { name, encoding, dtype, nnz, shape } of facts.matrices) {
    lines.push(`  ${name}: ${encoding} ${dtype}, ${nnz} stored of ${shape[0]} x ${shape[1]}`)
  }
  lines.push(...describeCounts(facts), describeGeneIds(facts))
  lines.push(`  cells: ${facts.examples.obs.join(', ')} ...`, `  genes: ${facts.examples.var.join(', ')} ...`)
  for (const column of facts.obs) lines.push(`  obs  ${describeColumn(column)}`)
  for (const column of facts.var) lines.push(`  var  ${describeColumn(column)}`)
  for (const warning of facts.warnings) lines.push(`  note: ${warning}`)
  return lines.map(printable).join('\n')
}

function describeCounts({ rawCounts, normalisationDetails }: Inspection): string[] {
  const states = normalisationDetails.checked.map((matrix) => `  ${matrix.where} holds ${described(matrix)}`)
  return [`  raw counts: ${rawCounts.found ? `in ${rawCounts.where}` : 'none found'}`, ...states]
}

function describeGeneIds({ geneIds, geneIdDetails: { column, share }, species }: Inspection): string {
  const where = column === null ? 'in the index' : `in column '${column}'`
  if (geneIds === 'unknown') return '  gene ids: of no known kind'
  const known = `${Math.round(share * 100)} % of them known`
  return `  gene ids: ${geneIds} ${where}, ${known}; species: ${species ?? 'not known'}`
}

const shownLabels = 6

function describeColumn({ name, kind, nCategories, labels }: ColumnFacts): string {
  if (labels === undefined) return `${name}: ${kind}`
  const entries = Object.entries(labels)
  const shown = entries.slice(0, shownLabels).map(([label, count]) => `${label} ${count}`)
  const more = (nCategories ?? 0) > shownLabels ? ', ...' : ''
  return `${name}: ${kind}, ${nCategories} values (${shown.join(', ')}${more})`
}

/** Names come from the file: none may steer the terminal. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
