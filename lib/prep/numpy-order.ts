/**
 * The order of numbers from largest to smallest that `numpy.argsort(-values)` gives, equal ones included: its introsort (median of three,
 * insertion for 16 and fewer) before and beside the vector instructions of later versions. Genes of few counts are often exactly equal, and which of them
 * comes first decides which is chosen.
 *
 * A partition that numpy would hand to heap sort, which takes values made for that, is ordered by place here.
 */

/** this many and fewer are sorted by insertion */
const small = 16

/** @param values no NaN */
export function orderDescending(values: Float64Array): Int32Array {
  const order = Int32Array.from(values.keys())
  const depth = 2 * (31 - Math.clz32(values.length))
  sortPart(order, { values, low: 0, high: values.length - 1, depth })
  return order
}

interface Part {
  values: Float64Array
  /** places of the order, both included */
  low: number
  high: number
  /** partitions left before numpy changes its way */
  depth: number
}

function sortPart(order: Int32Array, part: Part): void {
  const { values } = part
  let { low, high, depth } = part
  while (high - low >= small) {
    if (depth < 0) {
      order.subarray(low, high + 1).sort((a, b) => values[b]! - values[a]! || a - b)
      return
    }
    depth--
    const middle = partition(order, { values, low, high })
    // the smaller side by a call, the larger one here: few calls are open at a time
    if (middle - low < high - middle) {
      sortPart(order, { values, low, high: middle - 1, depth })
      low = middle + 1
    } else {
      sortPart(order, { values, low: middle + 1, high, depth })
      high = middle - 1
    }
  }
  insertionSort(order, { values, low, high })
}

/** @returns the place of the one that all before are not behind, and all after not before */
function partition(order: Int32Array, { values, low, high }: Omit<Part, 'depth'>): number {
  const comesFirst = (a: number, b: number): boolean => values[order[a]!]! > values[order[b]!]!
  const middle = low + ((high - low) >> 1)
  if (comesFirst(middle, low)) swap(order, middle, low)
  if (comesFirst(high, middle)) swap(order, high, middle)
  if (comesFirst(middle, low)) swap(order, middle, low)
  const pivot = values[order[middle]!]!
  let [up, down] = [low, high - 1]
  swap(order, middle, down)
  for (;;) {
    do up++
    while (values[order[up]!]! > pivot)
    do down--
    while (pivot > values[order[down]!]!)
    if (up >= down) break
    swap(order, up, down)
  }
  swap(order, up, high - 1)
  return up
}

function insertionSort(order: Int32Array, { values, low, high }: Omit<Part, 'depth'>): void {
  for (let next = low + 1; next <= high; next++) {
    const one = order[next]!
    let to = next
    for (; to > low && values[one]! > values[order[to - 1]!]!; to--) order[to] = order[to - 1]!
    order[to] = one
  }
}

function swap(order: Int32Array, a: number, b: number): void {
  const held = order[a]!
  order[a] = order[b]!
  order[b] = held
}
