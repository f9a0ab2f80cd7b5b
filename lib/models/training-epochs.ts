/** How long scvi-tools trains where nobody says it: plain arithmetic, which plans of jobs go by too. */

/** scvi-tools' number of epochs where none is told: 400 up to 20,000 cells, fewer beyond, so that the steps stay as many. */
export function epochsFor(cells: number): number {
  const wanted = Math.min(400, roundHalfEven((20_000 / cells) * 400))
  return Math.max(1, wanted)
}

/** Of SCANVI that starts from a trained scVI. */
export function epochsAfterScvi(cells: number): number {
  return Math.min(10, Math.max(2, roundHalfEven(epochsFor(cells) / 3)))
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}
