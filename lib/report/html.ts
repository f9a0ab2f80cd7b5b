/**
 * Text from data on its way into HTML. Labels, file names and settings are hostile until shown to be otherwise: everything goes
 * through the `html` template, which escapes whatever is not HTML that the template itself made.
 *
 * The trap: escaping alone leaves text that turns the line around (bidirectional overrides) or hides (control characters). The template
 * shows those by their code, as do the data of the map and the text of the figures, and every piece of data stands in a `<bdi>`.
 */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
  toString(): string {
    return this.text
  }
}

type Part = Html | string | number | readonly Part[] | null | undefined | false

/** Values are escaped, and what hides in them is shown; `Html` is taken as it is, lists are joined, and null, undefined and false give nothing. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((text, next, i) => text + render(parts[i - 1]) + next))
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(render).join('')
  return escapeHtml(revealed(String(part)))
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character]!)
}

// control characters but tab and line end; what has no width; what changes the direction of the text after it; letters without ink
const hidden =
  /(?![\t\n])[\p{Cc}\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/** Hidden characters by their code. A second time changes nothing. */
export function revealed(text: string): string {
  return text
    .toWellFormed()
    .replace(
      hidden,
      (character) => `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`,
    )
}

/** Text as a reader may see it: hidden characters by their code, at most `limit` characters, no halves of a character. */
export function shownText(text: string, limit = 240): string {
  const characters = text.length > limit ? [...text.slice(0, 2 * (limit + 1))] : []
  const cut =
    characters.length > limit ? `${characters.slice(0, limit).join('')}… (${text.length} characters)` : text
  return revealed(cut)
}

/** A piece of data inside a line. */
export function datum(text: string, limit?: number): Html {
  return html`<bdi>${shownText(text, limit)}</bdi>`
}

/** JSON that cannot end the script element that holds it, nor break a line in old parsers; what hides in its texts is shown. */
export function jsonForScript(value: unknown): Html {
  const escaped = JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' ? revealed(part) : part,
  ).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return new Html(escaped)
}
