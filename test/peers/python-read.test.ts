/** Oracle: every element of every file, as anndata reads it. Real files, and files in old and rare layouts that Python wrote. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Element } from '../../lib/data/anndata/element.ts'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { Categories, Column, Matrix, Table } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import type { NumberArray } from '../../lib/data/tree.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { type PythonProgram, startPython } from '../support/python-program.ts'
import { h5adFiles } from '../support/real-h5ad.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Dumped {
  kind: string
  type?: string
  shape?: number[]
  file?: string
  [name: string]: unknown
}

const python = findPython()

/** Plain, comparable forms of both sides: numbers as type and bytes. */
class Comparison {
  readonly #folder: string
  constructor(folder: string) {
    this.#folder = folder
  }

  bytes(dumped: Dumped): Buffer {
    return readFileSync(join(this.#folder, String(dumped.file)))
  }

  numbers(
    values: NumberArray,
    { type, dumped, place }: { type: string; dumped: Dumped; place: string },
  ): void {
    expect(`${place} ${type}`).toBe(`${place} ${dumped.type}`)
    const mine = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
    expect(mine.equals(this.bytes(dumped)), `${place}: every number is the same`).toBe(true)
  }

  categories(found: Categories, dumped: Dumped, place: string): void {
    if (found.kind === 'string') expect(found.values, place).toEqual(dumped.values)
    else if (found.kind === 'boolean') this.numbers(found.values, { type: 'boolean', dumped, place })
    else this.numbers(found.values, { type: found.type, dumped, place })
  }

  column(found: Column, dumped: Dumped, place: string): void {
    if (dumped.kind === 'categorical') {
      if (found.kind !== 'categorical') throw new Error(`${place} is ${found.kind}, not categorical`)
      expect(found.ordered, place).toBe(dumped.ordered)
      this.categories(found.categories, dumped.categories as Dumped, `${place} categories`)
      this.numbers(found.codes, { type: 'int32', dumped: dumped.codes as Dumped, place })
    } else if (dumped.kind === 'text') {
      expect(found.kind === 'string' && found.values, place).toEqual(dumped.values)
    } else if (dumped.kind === 'nullable') {
      if (found.kind !== 'number' && found.kind !== 'boolean') throw new Error(`${place} is ${found.kind}`)
      const mask = found.mask ?? new Uint8Array(found.values.length)
      this.numbers(mask, { type: 'boolean', dumped: dumped.mask as Dumped, place: `${place} mask` })
    } else {
      if (found.kind !== 'number' && found.kind !== 'boolean') throw new Error(`${place} is ${found.kind}`)
      this.numbers(found.values, { type: found.kind === 'boolean' ? 'boolean' : found.type, dumped, place })
    }
  }

  table(found: Table, dumped: Dumped, place: string): void {
    expect(found.index, place).toEqual(dumped.index)
    const columns = dumped.columns as Record<string, Dumped>
    expect([...found.columns.keys()], place).toEqual(Object.keys(columns))
    for (const [name, column] of found.columns) this.column(column, columns[name]!, `${place}/${name}`)
  }

  async matrix(found: Matrix, dumped: Dumped, place: string): Promise<void> {
    expect([found.rows, found.columns], place).toEqual(dumped.shape)
    const values: number[] = []
    const indices: number[] = []
    const indptr = [0]
    for await (const slab of found.slabs({ slabBytes: 2 ** 18 })) {
      for (let row = 0; row < slab.rows; row++) {
        const entries: [number, number][] = []
        for (let i = slab.indptr[row]!; i < slab.indptr[row + 1]!; i++) {
          if (slab.values[i] !== 0) entries.push([slab.indices[i]!, slab.values[i]!])
        }
        entries.sort((a, b) => a[0] - b[0])
        for (const [index, value] of entries) {
          indices.push(index)
          values.push(value)
        }
        indptr.push(values.length)
      }
    }
    this.numbers(Int32Array.from(indices), {
      type: 'int32',
      dumped: dumped.indices as Dumped,
      place: `${place} indices`,
    })
    this.numbers(Float64Array.from(values), {
      type: 'float64',
      dumped: dumped.data as Dumped,
      place: `${place} values`,
    })
    this.numbers(Float64Array.from(indptr), {
      type: 'float64',
      dumped: dumped.indptr as Dumped,
      place: `${place} indptr`,
    })
  }

  async element(found: Element | undefined, dumped: Dumped, place: string): Promise<void> {
    if (found === undefined) throw new Error(`${place} is missing`)
    if (dumped.kind === 'matrix' && found.kind === 'matrix') return this.matrix(found.matrix, dumped, place)
    if (dumped.kind === 'table' && found.kind === 'table') return this.table(found.table, dumped, place)
    if (found.kind === 'column') return this.column(found.column, dumped, place)
    if (dumped.kind === 'dict' && found.kind === 'dict') {
      const entries = dumped.entries as Record<string, Dumped>
      for (const [name, entry] of Object.entries(entries))
        await this.element(found.entries.get(name), entry, `${place}/${name}`)
      return
    }
    if (dumped.kind === 'records' && found.kind === 'records') {
      for (const [name, field] of Object.entries(dumped.fields as Record<string, Dumped>)) {
        await this.element(found.fields.get(name), field, `${place}.${name}`)
      }
      return
    }
    if (dumped.kind === 'text' && found.kind === 'text')
      return void expect(found.values, place).toEqual(dumped.values)
    if (dumped.kind === 'numbers' && found.kind === 'array') {
      expect(found.shape, place).toEqual(dumped.shape)
      return this.numbers(found.values, { type: found.type, dumped, place })
    }
    throw new Error(`${place}: ${found.kind} where anndata has ${dumped.kind} ${dumped.type ?? ''}`)
  }
}

async function compare(path: string, folder: string): Promise<void> {
  const dump = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
    string,
    Record<string, Dumped>
  > & {
    shape: number[]
    obs: Dumped
    var: Dumped
    rawVar?: Dumped
  }
  const file = (await openCells(path)) as AnnDataFile
  const same = new Comparison(folder)
  try {
    expect([file.rows, file.columns]).toEqual(dump.shape)
    same.table(await file.obs(), dump.obs, 'obs')
    same.table(await file.var(), dump.var, 'var')
    const rawVar = await file.rawVar()
    if (dump.rawVar !== undefined && rawVar !== undefined) same.table(rawVar, dump.rawVar, 'raw/var')
    expect([...file.matrices].sort()).toEqual(Object.keys(dump.matrices ?? {}).sort())
    for (const name of file.matrices) await same.matrix(await file.matrix(name), dump.matrices![name]!, name)
    for (const group of ['obsm', 'varm', 'obsp'] as const) {
      const found = await file.mapping(group)
      for (const [name, dumped] of Object.entries(dump[group] ?? {}))
        await same.element(found.get(name), dumped, `${group}/${name}`)
    }
    for (const [name, dumped] of Object.entries(dump.uns ?? {}))
      await same.element(await file.unstructured(name), dumped, `uns/${name}`)
  } finally {
    await file.close()
  }
}

describe('what anndata reads', () => {
  if (python === undefined) {
    it('is what Celldrop reads', ({ skip }) => skip(pythonMissing))
    return
  }
  let program: PythonProgram
  beforeAll(() => {
    program = startPython(python, [join(import.meta.dirname, 'dump.py')])
  })
  afterAll(() => program.close())

  it('in a file compressed in every way that this machine can is what Celldrop reads', async () => {
    await using folder = await temporaryFolder()
    const [path, dump] = [join(folder.path, 'filters.h5ad'), join(folder.path, 'dump')]
    execFileSync(python, [join(import.meta.dirname, 'filters.py'), path], { stdio: 'inherit' })
    await program.ask({ file: path, out: dump, strict: false })
    await compare(path, dump)
  })
  it.each(h5adFiles())('in %s is what Celldrop reads, element by element', async (path) => {
    await using folder = await temporaryFolder()
    const dump = join(folder.path, 'dump')
    await program.ask({ file: path, out: dump, strict: false })
    await compare(path, dump)
  })
})
