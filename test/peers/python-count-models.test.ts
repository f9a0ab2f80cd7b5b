/** Twin: bins of counts and the order of equal numbers, against numpy; on real cells and on numbers with many ties. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { random } from '../../lib/job/random.ts'
import { binnedRows } from '../../lib/prep/bin-counts.ts'
import { orderDescending } from '../../lib/prep/numpy-order.ts'
import { denseOf, matrixInMemory } from '../prep/cells-in-memory.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const python = findPython()
if (python === undefined) console.warn(pythonMissing)

interface Job {
  bins?: number
  cells?: number[][]
  lists?: number[][]
}

function numpy({ bins = 50, cells = [], lists = [] }: Job): { binned: number[][]; orders: number[][] } {
  const answer = execFileSync(python!, [join(import.meta.dirname, 'count_models.py')], {
    input: JSON.stringify({ bins, cells, lists }),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  return JSON.parse(answer)
}

const identity = (columns: number) => ({
  target: Int32Array.from({ length: columns }, (_, i) => i),
  genes: columns,
})

describe.runIf(python !== undefined)('what is prepared for models of counts', () => {
  it.each([2, 3, 7, 50, 256, 1001])('has %i bins to the last count as numpy has them', async (bins) => {
    const draw = random(bins)
    const cells = Array.from({ length: 40 }, (_, cell) =>
      Array.from({ length: 1 + 13 * cell }, () =>
        draw.uniform() < 0.3 ? 0 : Math.ceil(Math.exp(draw.normal() * 2)) * (cell % 3 === 0 ? 1 : 17),
      ),
    )
    const { binned } = numpy({ bins, cells })
    for (const [cell, counts] of cells.entries()) {
      const genes = identity(counts.length)
      const [found] = await denseOf(binnedRows(matrixInMemory([counts]).slabs(), { genes, place: 'X', bins }))
      expect(found).toEqual(binned[cell])
    }
  })

  it.runIf(hasShared)('has the bins of real cells', async () => {
    const file = await openCells(sharedPath('data', 'kang_ifnb', 'kang_muscat_ctrl_stim.h5ad'))
    const matrix = await file.matrix('X')
    const slabs = () => matrix.slabs({ to: 300 })
    const cells = await denseOf(slabs())
    const genes = identity(matrix.columns)
    const found = await denseOf(binnedRows(slabs(), { genes, place: 'X' }))
    await file.close()
    expect(found).toEqual(numpy({ cells }).binned)
  })

  it('orders equal numbers as numpy does', () => {
    const draw = random(6)
    const lists = [0, 1, 2, 16, 17, 18, 33, 100, 1000, 9015].flatMap((length) =>
      [1, 2, 5, 60, 100_000].map((kinds) => Array.from({ length }, () => draw.integer(kinds) / 7)),
    )
    const { orders } = numpy({ lists })
    for (const [i, values] of lists.entries())
      expect([...orderDescending(Float64Array.from(values))]).toEqual(orders[i])
  })
})
