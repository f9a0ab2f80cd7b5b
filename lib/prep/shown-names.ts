/**
 * Names out of files as messages show them: quoted, cut, without control characters, and only the first few of many. Where a name was
 * not found, those like it come first.
 */
import { distance } from 'fastest-levenshtein'
import { printable } from '../job/object-key.ts'

const longestShown = 60
/** of longer names only the beginning is compared, and of more names only so many: both come from files */
const compared = { length: 100, names: 20_000 }

export function shownName(name: string): string {
  const clean = printable(name.slice(0, longestShown + 1))
  return `"${name.length > longestShown ? `${clean.slice(0, longestShown)}...` : clean}"`
}

/** `"A", "B" and 12 more` */
export function shownNames(names: readonly string[], { most = 10 }: { most?: number } = {}): string {
  const shown = names.slice(0, most).map(shownName).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}

/** The known names, those most like the given one first; equally like ones in their order. Case does not count. */
export function nearestFirst(name: string, known: readonly string[]): string[] {
  const plain = plainForm(name)
  return known
    .slice(0, compared.names)
    .map((one) => ({ one, edits: distance(plain, plainForm(one)) }))
    .sort((a, b) => a.edits - b.edits)
    .map(({ one }) => one)
    .concat(known.slice(compared.names))
}

function plainForm(name: string): string {
  return name
    .slice(0, compared.length)
    .toLowerCase()
    .replace(/[\s_.-]+/g, ' ')
}
