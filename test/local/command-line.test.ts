/** Contract: what scripts may rely on. Each command runs as a process of its own, as a user would run it. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import { readWhole } from '../support/read-whole.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const root = resolve(import.meta.dirname, '../..')
const fixture = (name: string): string => join(root, 'test/fixtures', name)

function celldrop(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'lib/local/main.ts'), ...argv], { encoding: 'utf8' })
}

describe('celldrop inspect', () => {
  it('prints one JSON document and nothing else with --json', () => {
    const { status, stdout, stderr } = celldrop('inspect', fixture('formats/latest.h5ad'), '--json')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({
      format: 'h5ad',
      nObs: 40,
      nVars: 30,
      x: { encoding: 'csr', dtype: 'float32', nnz: 616 },
      rawCounts: { found: true, where: 'X' },
      normalisation: 'raw',
      geneIds: 'unknown',
      species: null,
      warnings: [expect.stringContaining('the gene names are no symbols')],
    })
  })

  it('tells a person the same in lines', () => {
    const { stdout } = celldrop('inspect', fixture('formats/latest.h5ad'))
    expect(stdout).toContain('40 cells x 30 genes')
    expect(stdout).toContain('raw counts: in X')
    expect(stdout).toContain('X holds raw counts')
    expect(stdout).toContain('gene ids: of no known kind')
    expect(stdout).toContain('label: categorical, 3 values')
  })

  it('ends with 2 and a code, place, problem and remedy when the file is bad', () => {
    const path = fixture('hostile/external-link.h5ad')
    const { status, stdout, stderr } = celldrop('inspect', path)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(
      /^HDF5_POINTS_OUTSIDE: .*external-link\.h5ad:\/layers\/counts\n {2}it points .*\n {2}Store the data/,
    )
    const json = celldrop('inspect', path, '--json')
    expect({ status: json.status, stderr: json.stderr }).toEqual({ status: 2, stderr: '' })
    expect(Object.keys(JSON.parse(json.stdout).error)).toEqual(['code', 'place', 'problem', 'remedy'])
  })

  it.each([
    [['inspect'], 'one file is needed'],
    [['inspect', 'a', 'b'], 'one file is needed'],
    [['inspekt', 'a'], "there is no command 'inspekt'"],
    [['inspect', 'a', '--jsn'], "Unknown option '--jsn'"],
    [['convert', 'a', 'b', '--gzip', 'much'], '--gzip much is no level'],
    [['inspect', '/no/such/file.h5ad'], 'there is no such file'],
  ])('ends with 2 and says what is wrong with %j', (argv, problem) => {
    const { status, stderr } = celldrop(...argv)
    expect(status).toBe(2)
    expect(stderr).toContain(problem)
  })

  it('shows its usage on request, and with 2 when nothing is asked', () => {
    expect(celldrop('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('inspect FILE') })
    expect(celldrop()).toMatchObject({ status: 2, stdout: expect.stringContaining('inspect FILE') })
  })
})

/** Enough random entries that writing them takes a good second. */
function manyCells(): AnnDataToWrite {
  const [cells, genes, perCell] = [20_000, 2_000, 400]
  const generator = random(5)
  const table = (rows: number) => ({
    rows,
    indexName: '_index',
    index: Array.from({ length: rows }, (_, i) => `n${i}`),
    columns: new Map(),
  })
  const slabs = async function* () {
    for (let start = 0; start < cells; start += 1000) {
      const indices = Int32Array.from(
        { length: 1000 * perCell },
        (_, i) => (i % perCell) * 5 + generator.integer(5),
      )
      const values = Float32Array.from(indices, generator.uniform)
      const indptr = Int32Array.from({ length: 1001 }, (_, row) => row * perCell)
      yield { start, rows: 1000, columns: genes, indptr, indices, values }
    }
  }
  return {
    x: { rows: cells, columns: genes, type: 'float32', stored: cells * perCell, slabs },
    obs: table(cells),
    var: table(genes),
  }
}

describe('celldrop convert', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.each(['latest', 'compound', 'references'])(
    'writes %s as a current h5ad with the same content',
    async (name) => {
      const target = join(folder.path, `${name}.h5ad`)
      const { status, stderr } = celldrop('convert', fixture(`formats/${name}.h5ad`), target, '--json')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      const [before, after] = [await readWhole(fixture(`formats/${name}.h5ad`)), await readWhole(target)]
      expect(after).toEqual(before)
      const [old, current] = [await openCells(fixture(`formats/${name}.h5ad`)), await openCells(target)]
      expect(await current.obs()).toEqual({
        ...(await old.obs()),
        indexName: (await current.obs()).indexName,
      })
      await old.close()
      await current.close()
    },
  )

  it('keeps record arrays, as scanpy ranks genes in', async () => {
    const file = (await openCells(join(folder.path, 'compound.h5ad'))) as AnnDataFile
    const ranks = await file.unstructured('ranks')
    await file.close()
    if (ranks.kind !== 'records') throw new Error(`ranks are ${ranks.kind}`)
    expect(ranks.fields.get('gene')).toMatchObject({ kind: 'text', values: ['gene0', 'gene1', 'gene2'] })
    expect(ranks.fields.get('score')).toMatchObject({
      type: 'float32',
      values: Float32Array.of(0.5, 0.25, -1),
    })
    expect(ranks.fields.get('rank')).toMatchObject({ type: 'int64', values: BigInt64Array.of(1n, 2n, 3n) })
  })

  it('ends with 130 and leaves nothing behind when it is interrupted', async () => {
    await using place = await temporaryFolder()
    const source = join(place.path, 'large.h5ad')
    await writeH5ad(source, manyCells())
    const child = spawn(process.execPath, [
      join(root, 'lib/local/main.ts'),
      'convert',
      source,
      join(place.path, 'out.h5ad'),
    ])
    const gone = new AbortController()
    const ended = new Promise<number | null>((done) => child.on('close', (status) => done(status)))
    child.on('close', () => gone.abort())
    // the draft has appeared: it is writing
    for await (const { filename } of watch(place.path, { signal: gone.signal }))
      if (filename?.startsWith('out.h5ad')) break
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(readdirSync(place.path)).toEqual(['large.h5ad'])
  })

  it('overwrites nothing', () => {
    const target = join(folder.path, 'mine.h5ad')
    writeFileSync(target, 'mine')
    const { status, stderr } = celldrop('convert', fixture('formats/latest.h5ad'), target)
    expect(status).toBe(2)
    expect(stderr).toContain('OBJECT_EXISTS')
    expect(readFileSync(target, 'utf8')).toBe('mine')
  })

  it('says which folder is missing, or may not be written to, and not that it is a fault of its own', () => {
    const lost = celldrop('convert', fixture('formats/latest.h5ad'), join(folder.path, 'no/such/out.h5ad'))
    expect(lost).toMatchObject({ status: 2, stderr: expect.stringContaining('FOLDER_MISSING') })
    const full = celldrop('convert', fixture('formats/latest.h5ad'), '/proc/out.h5ad')
    expect(full).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/^(WRITE_FAILED|ACCESS_DENIED): /),
    })
  })

  it('leaves nothing behind when the input turns out bad half way', () => {
    const target = join(folder.path, 'half.h5ad')
    expect(celldrop('convert', fixture('hostile/index-outside.h5ad'), target)).toMatchObject({ status: 2 })
    expect(existsSync(target)).toBe(false)
  })
})
