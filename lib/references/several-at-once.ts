/** The same done to many things, some of them at once; results in the order of the things. The first failure stops it. */
export async function severalAtOnce<Item, Result>(
  items: readonly Item[],
  { atOnce, signal }: { atOnce: number; signal?: AbortSignal | undefined },
  act: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = new Array<Result>(items.length)
  let next = 0
  let isFailed = false
  const work = async (): Promise<void> => {
    while (next < items.length && !isFailed) {
      signal?.throwIfAborted()
      const index = next++
      results[index] = await act(items[index]!, index)
    }
  }
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, () =>
    work().catch((error: unknown) => {
      isFailed = true
      throw error
    }),
  )
  // all of them end before anybody goes on: what one still does would be done to things that are closed
  const ended = await Promise.allSettled(workers)
  const failure = ended.find((one) => one.status === 'rejected')
  if (failure !== undefined) throw failure.reason
  return results
}
