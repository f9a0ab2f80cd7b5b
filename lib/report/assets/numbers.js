/** Numbers as a reader wants them, for the page's text and its script alike. What is no number is a dash. */

export function wholeNumber(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString('en-GB') : '–'
}

/** Three significant figures; very large and very small ones as powers of ten. */
export function measurement(value) {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2)
  return size >= 1000 ? wholeNumber(value) : String(Number(value.toPrecision(3)))
}

/** A share of 0 to 1. One that is not nothing is never shown as 0 %, nor one that is not all as 100 %. */
export function percentage(share) {
  if (!Number.isFinite(share)) return '–'
  const percent = 100 * share
  if (percent > 0 && percent < 0.1) return '< 0.1 %'
  return percent < 100 && percent > 99.9 ? '> 99.9 %' : `${percent.toFixed(1)} %`
}
