/** Contract: what scripts may rely on. Each command runs as a process of its own, as a user would run it. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
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
      warnings: [],
    })
  })

  it('tells a person the same in lines', () => {
    const { stdout } = celldrop('inspect', fixture('formats/latest.h5ad'))
    expect(stdout).toContain('40 cells x 30 genes')
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

  it('overwrites nothing', () => {
    const target = join(folder.path, 'mine.h5ad')
    writeFileSync(target, 'mine')
    const { status, stderr } = celldrop('convert', fixture('formats/latest.h5ad'), target)
    expect(status).not.toBe(0)
    expect(stderr).toContain('OUTPUT_EXISTS')
    expect(readFileSync(target, 'utf8')).toBe('mine')
  })

  it('leaves nothing behind when the input turns out bad half way', () => {
    const target = join(folder.path, 'half.h5ad')
    expect(celldrop('convert', fixture('hostile/index-outside.h5ad'), target)).toMatchObject({ status: 2 })
    expect(existsSync(target)).toBe(false)
  })
})
