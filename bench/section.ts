/** What every benchmark does with its figures: the median of a few runs, and a section of its own in BENCHMARKS.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'

const page = join(resolve(import.meta.dirname, '..'), 'BENCHMARKS.md')

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Cores and their kind, and how busy they were: a figure of a noisy machine is worth less, and says so. */
export function machine(): string {
  return `${availableParallelism()} x ${cpus()[0]?.model.trim().split(' ').slice(0, 2).join(' ')}, load ${loadavg()[0]?.toFixed(1)}. Node ${process.version}`
}

export function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** Fills what stands between the section's markers; a section that is not there yet is put at the end. */
export function writeSection(name: string, text: string): void {
  const before = readFileSync(page, 'utf8')
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const whole = before.includes(start)
    ? before
    : `${before.trimEnd()}\n\n## ${name} (\`npm run bench:${name}\`)\n\n${start}\n${end}\n`
  const from = whole.indexOf(start) + start.length
  writeFileSync(page, `${whole.slice(0, from)}\n${text.trim()}\n${whole.slice(whole.indexOf(end))}`)
}
