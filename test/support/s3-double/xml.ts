/**
 * The little XML that S3 speaks. Reading takes only the flat shapes of its requests, and refuses what it cannot place.
 */
import { S3Error } from './s3-error.ts'

export type Xml = [name: string, content: string | number | boolean | Xml[]]

export function xmlDocument(root: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(root)}`
}

function element([name, content]: Xml): string {
  const inside = Array.isArray(content) ? content.map(element).join('') : escaped(String(content))
  return `<${name}>${inside}</${name}>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"\r\n]/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** The direct children of each `name` element, as text. */
export function readElements(body: Buffer, name: string): Map<string, string>[] {
  const elements = [...body.toString().matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))]
  if (elements.length === 0) throw new S3Error(400, 'MalformedXML', `no ${name} in the request`)
  return elements.map(([, inside = '']) => {
    return new Map(
      [...inside.matchAll(/<(\w+)>([^<]*)<\/\1>/g)].map(([, key = '', text = '']) => [key, unescaped(text)]),
    )
  })
}

const entities = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities.get(name) ?? whole
    return String.fromCodePoint(hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal))
  })
}
