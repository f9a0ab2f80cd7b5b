/**
 * Which mouse gene is which human gene (Ensembl 105, by symbol). Only pairs of one to one are used to join two species:
 * where one gene of a species has several partners, summing or choosing would be a guess.
 */
import type { About } from './data-file.ts'
import { keepOnce, readData } from './data-file.ts'
import type { Species } from './genes.ts'
import { loadGenes } from './genes.ts'

export interface Orthologues {
  about: About
  /** symbol in the other species; undefined when there is none, or more than one on either side */
  partnerOf(symbol: string, from: Species): string | undefined
  /** true when there are partners, but not one to one */
  isManyToMany(symbol: string, from: Species): boolean
}

const load = keepOnce(readOrthologues)

export const loadOrthologues = (): Promise<Orthologues> => load('orthologues.json.br')

async function readOrthologues(file: string): Promise<Orthologues> {
  const data = await readData<'human' | 'mouse'>(file)
  const genes = await loadGenes('Homo sapiens')
  const ofHuman = new Map<string, string | null>()
  const ofMouse = new Map<string, string | null>()
  const mouse = data.mouse.split('\n')
  for (const [row, old] of data.human.split('\n').entries()) {
    // Ensembl 105 is older than the gene table: its human symbols are brought up to date
    const human = genes.currentOf(old)?.symbol ?? old
    const partner = mouse[row] || old.charAt(0) + old.slice(1).toLowerCase()
    ofHuman.set(human, ofHuman.has(human) ? null : partner)
    ofMouse.set(partner, ofMouse.has(partner) ? null : human)
  }
  const tables = { 'Homo sapiens': [ofHuman, ofMouse], 'Mus musculus': [ofMouse, ofHuman] } as const
  return {
    about: data.about,
    partnerOf(symbol, from) {
      const [there, back] = tables[from]
      const partner = there.get(symbol)
      return partner && back.get(partner) === symbol ? partner : undefined
    },
    isManyToMany(symbol, from) {
      const [there, back] = tables[from]
      const partner = there.get(symbol)
      return partner === null || (partner !== undefined && back.get(partner) === null)
    },
  }
}
