export function scaleColours(ramp: readonly string[], isDark: boolean): Uint32Array
