/** What the stacks and their tests read out of a state machine's definition. */

export interface StateDefinition {
  Type: string
  Resource?: string
  Parameters?: Record<string, unknown>
  TimeoutSeconds?: number
  Retry?: { ErrorEquals: string[] }[]
  Catch?: { ErrorEquals: string[]; Next: string }[]
  ItemProcessor?: { States: Record<string, StateDefinition> }
}

/** Every state by its name, those inside of a Map too. */
export function allStates(definition: string): Map<string, StateDefinition> {
  const found = new Map<string, StateDefinition>()
  const walk = (states: Record<string, StateDefinition>): void => {
    for (const [name, state] of Object.entries(states)) {
      found.set(name, state)
      if (state.ItemProcessor !== undefined) walk(state.ItemProcessor.States)
    }
  }
  walk((JSON.parse(definition) as { States: Record<string, StateDefinition> }).States)
  return found
}

/** Seconds, of the states that have a limit. */
export function stateTimeouts(definition: string): Map<string, number> {
  const timeouts = new Map<string, number>()
  for (const [name, { TimeoutSeconds }] of allStates(definition))
    if (TimeoutSeconds !== undefined) timeouts.set(name, TimeoutSeconds)
  return timeouts
}
