/**
 * Our side of bench/training, in a process of its own. Prints one JSON line.
 *
 *   ours.ts simulate FOLDER CELLS GENES LABELS   log counts and labels as plain numbers, both sides read them
 *   ours.ts sorted FOLDER                        the same of real sorted blood cells, ../shared/data
 *   ours.ts fit FOLDER LOSS TOLERANCE            from sparse log counts to weights
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openCells } from '../../lib/data/open-cells.ts'
import { random } from '../../lib/job/random.ts'
import { fitLinear } from '../../lib/models/fit-linear.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'

const [command = '', folder = '', ...rest] = process.argv.slice(2)

interface Table {
  rows: number
  columns: number
  codes: number[]
  indptr: number[]
  indices: number[]
  values: number[]
}

function write({ rows, columns, codes, indptr, indices, values }: Table): object {
  mkdirSync(folder, { recursive: true })
  const save = (name: string, numbers: Uint8Array): void => writeFileSync(join(folder, name), numbers)
  const bytes = (numbers: Int32Array | Float32Array) => new Uint8Array(numbers.buffer)
  save('codes', bytes(Int32Array.from(codes)))
  save('indptr', bytes(Int32Array.from(indptr)))
  save('indices', bytes(Int32Array.from(indices)))
  save('values', bytes(Float32Array.from(values)))
  const labels = new Set(codes).size
  const sizes = { rows, columns, labels, density: values.length / rows / columns }
  writeFileSync(join(folder, 'sizes.json'), JSON.stringify(sizes))
  return sizes
}

/**
 * Negative binomial counts (dispersion 1/3) as a panel of variable genes gives them: types of lineages, which share most of their markers,
 * some types a hundred times rarer than others, depths that vary by type and cell; log1p of counts scaled to 10,000.
 */
function simulate([rows = 0, columns = 0, labels = 0]: number[]): object {
  const draw = random(20)
  const lineages = Math.ceil(labels / 5)
  const many = <Item>(count: number, make: () => Item): Item[] => Array.from({ length: count }, make)
  const folds = (share: number, mean: number, spread: number) => () =>
    many(columns, () => (draw.uniform() < share ? Math.exp(mean + spread * draw.normal()) : 1))
  const base = many(columns, () => Math.exp(-2.6 + 1.3 * draw.normal()))
  const ofLineage = many(lineages, folds(0.12, 1.2, 1))
  const ofType = many(labels, folds(0.04, 0.4, 0.6))
  const rates = ofType.map((own, type) => {
    const raw = base.map((rate, gene) => rate * own[gene]! * ofLineage[type % lineages]![gene]!)
    const sum = raw.reduce((all, rate) => all + rate, 0)
    return raw.map((rate) => rate / sum)
  })
  const shares = many(labels, () => Math.exp(draw.normal()))
  const whole = shares.reduce((all, share) => all + share, 0)
  const type = (row: number): number => {
    if (row < labels) return row
    let left = draw.uniform() * whole
    for (const [code, share] of shares.entries()) {
      left -= share
      if (left <= 0) return code
    }
    return labels - 1
  }
  const table: Table = { rows, columns, codes: [], indptr: [0], indices: [], values: [] }
  for (let row = 0; row < rows; row++) {
    const code = type(row)
    const depth = 500 * Math.exp(0.5 * draw.normal())
    const counts = rates[code]!.map((rate) => {
      const gamma = -Math.log((1 - draw.uniform()) * (1 - draw.uniform()) * (1 - draw.uniform())) / 3
      return poisson(rate * depth * gamma, draw.uniform)
    })
    const total = Math.max(
      1,
      counts.reduce((all, count) => all + count, 0),
    )
    for (const [gene, count] of counts.entries()) {
      if (count === 0) continue
      table.indices.push(gene)
      table.values.push(Math.log1p((count / total) * 1e4))
    }
    table.codes.push(code)
    table.indptr.push(table.indices.length)
  }
  return write(table)
}

/** By inversion: rates are small. */
function poisson(rate: number, uniform: () => number): number {
  let left = uniform()
  let chance = Math.exp(-rate)
  for (let count = 0; count < 1000; count++) {
    left -= chance
    if (left < 0) return count
    chance *= rate / (count + 1)
  }
  return 1000
}

async function sorted(): Promise<object> {
  const file = await openCells('../shared/data/pbmc_sorted_ref/pbmc_sorted_zheng.h5ad')
  const column = (await file.obs()).columns.get('cell_type')
  if (column?.kind !== 'categorical') throw new Error('cell_type is not a column of labels')
  const table: Table = { rows: 0, columns: 0, codes: [...column.codes], indptr: [0], indices: [], values: [] }
  const place = new Map<number, number>()
  for await (const slab of normalisedRows(await file.matrix('X'), { from: 'counts' }))
    for (let row = 0; row < slab.rows; row++) {
      for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) {
        const gene = place.get(slab.indices[i]!) ?? place.size
        place.set(slab.indices[i]!, gene)
        table.indices.push(gene)
        table.values.push(slab.values[i]!)
      }
      table.indptr.push(table.indices.length)
    }
  await file.close()
  return write({ ...table, rows: table.codes.length, columns: place.size })
}

async function fitted([loss, tolerance]: string[]): Promise<object> {
  const read = (name: string): ArrayBuffer => {
    const { buffer, byteOffset, byteLength } = readFileSync(join(folder, name))
    const isWhole = byteOffset === 0 && byteLength === buffer.byteLength
    return (isWhole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer
  }
  const { rows, columns, labels } = JSON.parse(readFileSync(join(folder, 'sizes.json'), 'utf8'))
  const cells = {
    rows,
    columns,
    indptr: new Int32Array(read('indptr')),
    indices: new Int32Array(read('indices')),
    values: new Float32Array(read('values')),
  }
  const codes = new Int32Array(read('codes'))
  const started = performance.now()
  const options = { codes, labels, loss: loss as 'ovr' | 'multinomial', tolerance: Number(tolerance) }
  const { objective, above, steps } = await fitLinear(cells, options)
  const seconds = (performance.now() - started) / 1000
  return { seconds, objective, above, steps, peak_mib: process.resourceUsage().maxRSS / 1024 }
}

const commands = new Map<string, () => object | Promise<object>>([
  ['simulate', () => simulate(rest.map(Number))],
  ['sorted', sorted],
  ['fit', () => fitted(rest)],
])
console.log(JSON.stringify(await commands.get(command)!()))
