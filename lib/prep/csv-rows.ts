/**
 * A small table as CSV (RFC 4180), read strictly: commas, quotes doubled within quotes, any of the three line ends. What is open to
 * two readings (a quote inside of a plain field, text behind a closing quote) is an error, with its line.
 */

export interface CsvRow {
  /** from 1, of its first line */
  line: number
  fields: string[]
}

/**
 * Rows of a text without a mark at its start; lines without any character are passed over.
 * @throws RangeError that says what is wrong and in which line
 */
export function csvRows(text: string): CsvRow[] {
  const rows: CsvRow[] = []
  let at = 0
  let line = 1
  while (at < text.length) {
    const row: CsvRow = { line, fields: [] }
    let isOpen = true
    while (isOpen) {
      const field = text[at] === '"' ? quotedField(text, { at, line }) : plainField(text, { at, line })
      row.fields.push(field.value)
      line += field.lines
      at = field.end
      isOpen = text[at] === ','
      if (isOpen) at++
    }
    if (at < text.length) {
      at += text[at] === '\r' && text[at + 1] === '\n' ? 2 : 1
      line++
    }
    if (row.fields.length > 1 || row.fields[0] !== '') rows.push(row)
  }
  return rows
}

interface Field {
  value: string
  /** where the comma, line end or end of the text behind it is */
  end: number
  /** line ends within it */
  lines: number
}

function plainField(text: string, { at, line }: { at: number; line: number }): Field {
  const ends = /[,\r\n"]/g
  ends.lastIndex = at
  const end = ends.exec(text)?.index ?? text.length
  if (text[end] === '"') throw new RangeError(`line ${line} has a quote inside of a field without quotes`)
  return { value: text.slice(at, end), end, lines: 0 }
}

function quotedField(text: string, { at, line }: { at: number; line: number }): Field {
  let end = at + 1
  for (;;) {
    end = text.indexOf('"', end)
    if (end < 0) throw new RangeError(`a quote that opens in line ${line} is not closed`)
    if (text[end + 1] !== '"') break
    end += 2
  }
  const behind = text[end + 1]
  if (behind !== undefined && !',\r\n'.includes(behind))
    throw new RangeError(`line ${line} has text behind a closing quote`)
  const value = text.slice(at + 1, end).replaceAll('""', '"')
  return { value, end: end + 1, lines: value.match(/\r\n|\r|\n/g)?.length ?? 0 }
}
