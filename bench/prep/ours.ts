/** Our side of bench:prep: `generate FOLDER CELLS` writes the matrix that both sides read, `measure FOLDER CELLS` times the work on it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Matrix, RowSlab } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { alignRows } from '../../lib/prep/align-genes.ts'
import { geneMoments } from '../../lib/prep/gene-moments.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'

const columns = 33_000
const genes = 4_000
const perCell = 1_000
const slabRows = 1_000

const [task = '', folder = '', cellsText = ''] = process.argv.slice(2)
const cells = Number(cellsText)
const at = (name: string): string => join(folder, name)

function generate(): void {
  mkdirSync(folder, { recursive: true })
  const generator = random(4)
  const step = columns / perCell
  const indices = Int32Array.from({ length: cells * perCell }, (_, i) =>
    Math.floor(((i % perCell) + generator.uniform() * 0.999) * step),
  )
  const values = Float32Array.from(indices, () => 1 + Math.floor(-2 * Math.log(1 - generator.uniform())))
  const target = new Int32Array(columns).fill(-1)
  const order = generator.shuffle(Array.from({ length: columns }, (_, i) => i))
  for (let gene = 0; gene < genes; gene++) target[order[gene]!] = gene
  for (const [name, array] of Object.entries({ indices, values, target })) writeFileSync(at(name), array)
}

function read(): { matrix: Matrix; target: Int32Array } {
  const bytes = (name: string): ArrayBuffer => {
    const file = readFileSync(at(name))
    return file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer
  }
  const [indices, values] = [new Int32Array(bytes('indices')), new Float32Array(bytes('values'))]
  const matrix: Matrix = {
    name: 'X',
    rows: cells,
    columns,
    encoding: 'csr',
    type: 'float32',
    stored: indices.length,
    async *slabs() {
      for (let start = 0; start < cells; start += slabRows) {
        const rows = Math.min(slabRows, cells - start)
        const indptr = Int32Array.from({ length: rows + 1 }, (_, row) => row * perCell)
        const [from, to] = [start * perCell, (start + rows) * perCell]
        yield {
          start,
          rows,
          columns,
          indptr,
          indices: indices.subarray(from, to),
          values: values.subarray(from, to),
        }
      }
    },
  }
  return { matrix, target: new Int32Array(bytes('target')) }
}

async function timed(work: () => Promise<number>): Promise<{ seconds: number; checksum: number }> {
  const start = performance.now()
  const checksum = await work()
  return { seconds: (performance.now() - start) / 1000, checksum }
}

async function sumOf(slabs: AsyncIterable<RowSlab>): Promise<number> {
  let sum = 0
  for await (const slab of slabs) for (const value of slab.values) sum += value
  return sum
}

if (task === 'generate') generate()
else {
  const { matrix, target } = read()
  const alignment = { target, genes }
  const aligned = async function* () {
    for await (const slab of matrix.slabs()) yield alignRows(slab, alignment)
  }
  const results = {
    align: await timed(() => sumOf(aligned())),
    normalise: await timed(() => sumOf(normalisedRows(matrix, { from: 'counts', genes: alignment }))),
    moments: await timed(async () => {
      const { variances } = await geneMoments(normalisedRows(matrix, { from: 'counts' }), { columns })
      return variances.reduce((sum, variance) => sum + variance, 0)
    }),
  }
  console.log(JSON.stringify(results))
}
