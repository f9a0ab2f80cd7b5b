/** Tables whose rows are put in order by a click on a heading; a second click turns the order round. */
export function makeSortable(table) {
  const body = table.tBodies[0]
  const headings = [...table.tHead.rows[0].cells]
  for (const [column, heading] of headings.entries()) {
    const button = heading.querySelector('button')
    button?.addEventListener('click', () => {
      const before = heading.getAttribute('aria-sort')
      const isNumber = heading.dataset.sort === 'number'
      const first = isNumber ? 'descending' : 'ascending'
      const second = isNumber ? 'ascending' : 'descending'
      const order = before === first ? second : first
      for (const each of headings) each.removeAttribute('aria-sort')
      heading.setAttribute('aria-sort', order)
      const sign = order === 'ascending' ? 1 : -1
      const rows = [...body.rows].map((row) => ({ row, key: row.cells[column].dataset.key ?? '' }))
      rows.sort((a, b) => emptyLast(a.key, b.key) || sign * compare(a.key, b.key, isNumber))
      body.replaceChildren(...rows.map(({ row }) => row))
    })
  }
}

function emptyLast(a, b) {
  return Number(a === '') - Number(b === '')
}

function compare(a, b, isNumber) {
  return isNumber ? Number(a) - Number(b) : a.localeCompare(b, 'en', { numeric: true })
}
