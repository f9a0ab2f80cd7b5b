/** What is written into results as their maker; a test holds the version equal to package.json's. */
export const product = { name: 'Celldrop', version: '0.1.0' } as const
