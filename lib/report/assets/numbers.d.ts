export function wholeNumber(value: number): string
export function measurement(value: number): string
export function percentage(share: number): string
