/** What scripts may rely on. */
export const exitCode = { done: 0, badInput: 2, failed: 3, interrupted: 130 } as const
