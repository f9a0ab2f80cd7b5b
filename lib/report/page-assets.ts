/**
 * Style and script of the page, read from `assets`. The script is written as modules, so that each can be tested by itself; a page
 * in one file has no modules to import, so here they are laid one after another, without their `import` lines and `export` words.
 */
import { readFileSync } from 'node:fs'

const scriptParts = [
  'elements.js',
  'numbers.js',
  'cells.js',
  'points.js',
  'palette.js',
  'legend.js',
  'tip.js',
  'chooser.js',
  'map-view.js',
  'sortable-table.js',
  'main.js',
]

export function pageStyle(): string {
  return asset('page.css')
}

export function pageScript(): string {
  const parts = scriptParts.map((name) =>
    asset(name)
      .replace(/^import [^']*'[^']*'\n/gm, '')
      .replace(/^export /gm, ''),
  )
  return `(() => {\n'use strict'\n${parts.join('\n')}\nstartPage()\n})()\n`
}

function asset(name: string): string {
  return readFileSync(new URL(`./assets/${name}`, import.meta.url), 'utf8')
}
