/**
 * Which cells a step sees: the split into cells to train on and cells to validate on, and each epoch's minibatches, all decided by a seed. The sizes
 * of the split are scvi-tools' (train = ceil(share x cells)); its permutation is numpy's and is not reproduced.
 */
import type { Random } from '../job/random.ts'

export interface Split {
  train: Int32Array
  validation: Int32Array
}

export interface SplitOptions {
  /** share of the cells to train on */
  share: number
  random: Random
  batchSize: number
  /** the share is the user's own and is kept to, whatever the last minibatch has */
  isExact: boolean
}

/**
 * @param cells numbers of the cells to divide
 */
export function splitCells(cells: Int32Array, { share, random, batchSize, isExact }: SplitOptions): Split {
  const order = shuffled(cells, random)
  let train = Math.min(cells.length, Math.ceil(share * cells.length))
  // a minibatch of one or two cells says nothing of a batch's mean: those cells validate instead, as in scvi-tools
  const last = train % batchSize
  if (!isExact && (last === 1 || last === 2) && train > batchSize) train -= last
  const validation = cells.length - train
  return { validation: order.slice(0, validation).sort(), train: order.slice(validation).sort() }
}

export function shuffled(cells: Int32Array, random: Random): Int32Array {
  const order = cells.slice()
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
  return order
}

/** Consecutive parts of an order; a last part of a single cell goes to the one before it, because one cell has no variance. */
export function minibatches(order: Int32Array, size: number): Int32Array[] {
  const parts: Int32Array[] = []
  for (let from = 0; from < order.length; from += size) {
    const isLeft = order.length - from - size === 1
    parts.push(order.subarray(from, isLeft ? order.length : from + size))
    if (isLeft) break
  }
  return parts
}

/**
 * At most so many cells of each class, drawn anew for each epoch; a class with fewer gives all it has.
 * @param labels class of each cell, -1 for none
 */
export function cellsPerClass(
  cells: Int32Array,
  { labels, most, random }: { labels: Int32Array; most: number; random: Random },
): Int32Array {
  const taken = new Map<number, number>()
  return shuffled(cells, random)
    .filter((cell) => {
      const before = taken.get(labels[cell]!) ?? 0
      taken.set(labels[cell]!, before + 1)
      return before < most
    })
    .sort()
}
