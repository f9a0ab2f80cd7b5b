/** Law: the regression on latent places is at its optimum, knows what it was not taught, and tells apart what lies apart. */
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitLatentRegression } from '../../lib/models/latent-regression.ts'

/** Cells about one place for each label. */
function clouds(labels: number, { cells, dims, seed }: { cells: number; dims: number; seed: number }) {
  const draw = random(seed)
  const centres = Array.from({ length: labels * dims }, () => 20 * draw.normal())
  const codes = Int32Array.from({ length: cells }, (_, cell) => cell % labels)
  const latent = Float32Array.from({ length: cells * dims }, (_, i) => {
    return centres[codes[Math.floor(i / dims)]! * dims + (i % dims)]! + draw.normal()
  })
  return { latent, codes }
}

const best = (row: Float32Array) => row.indexOf(Math.max(...row))

describe('a regression on latent places', () => {
  it.each([2, 3, 7])('tells %i labels apart, with probabilities that add up to 1', async (labels) => {
    const { latent, codes } = clouds(labels, { cells: 210, dims: 4, seed: labels })
    const { predict } = await fitLatentRegression(latent, { dims: 4, codes, labels, place: 'test' })
    const probabilities = predict(latent)
    let right = 0
    for (let cell = 0; cell < 210; cell++) {
      const row = probabilities.subarray(cell * labels, (cell + 1) * labels)
      expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5)
      right += Number(best(row) === codes[cell])
    }
    expect(right).toBeGreaterThan(200)
  })

  it('leaves cells without a label out, and never gives a label that no cell has', async () => {
    const { latent, codes } = clouds(3, { cells: 120, dims: 2, seed: 1 })
    const some = codes.map((code, cell) => (cell % 4 === 0 ? -1 : code === 1 ? 4 : code))
    const { predict } = await fitLatentRegression(latent, { dims: 2, codes: some, labels: 5, place: 'test' })
    const probabilities = predict(latent)
    for (let cell = 0; cell < 120; cell++) {
      const row = probabilities.subarray(cell * 5, (cell + 1) * 5)
      expect([row[1], row[3]]).toEqual([0, 0])
      if (codes[cell] === 1) expect(best(row)).toBe(4)
    }
    const kept = Int32Array.from(some.keys()).filter((cell) => some[cell]! >= 0)
    const alone = await fitLatentRegression(
      Float32Array.from([...kept].flatMap((cell) => [...latent.subarray(2 * cell, 2 * cell + 2)])),
      { dims: 2, codes: kept.map((cell) => some[cell]!), labels: 5, place: 'test' },
    )
    expect([...alone.predict(latent)]).toEqual([...probabilities])
  })

  it('refuses a single label, and places that are no numbers', async () => {
    const { latent } = clouds(2, { cells: 10, dims: 2, seed: 1 })
    const one = { dims: 2, codes: new Int32Array(10), labels: 1, place: 'cells of the reference' }
    await expect(fitLatentRegression(latent, one)).rejects.toMatchObject({ code: 'TRAINING_LABELS' })
    const codes = Int32Array.from({ length: 10 }, (_, cell) => cell % 2)
    const broken = fitLatentRegression(
      latent.map(() => Number.NaN),
      { dims: 2, codes, labels: 2, place: 'x' },
    )
    await expect(broken).rejects.toMatchObject({ code: 'MATRIX_NOT_FINITE' })
  })
})
