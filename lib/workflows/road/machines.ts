/** What an installation has to compute on. */

/** Names or ARNs of job queues. */
export interface Queues {
  cpuSpot: string
  cpuOnDemand: string
  /** absent in an installation without GPUs */
  gpuSpot?: string
  gpuOnDemand?: string
}

/** MiB: the largest machine that a step asks for. */
export const mostMemory = 240 * 1024
