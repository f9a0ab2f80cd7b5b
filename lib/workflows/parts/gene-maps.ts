import type { Table } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import type { GeneMaps } from '../workflow.ts'

export function planOf({ plans }: GeneMaps, role: string): GenePlan {
  const plan = plans[role]
  if (plan === undefined) throw new Error(`no gene plan of ${role}`)
  return plan
}

/** Name of the plan of the query and one of the models that score it. */
export function modelPlan(index: number): string {
  return index === 0 ? 'query' : `query-${index + 1}`
}

/** The names by which the plan knows the genes of a matrix. */
export function planNames({ column }: GenePlan, table: Table): readonly string[] {
  const content = column === null ? undefined : table.columns.get(column)
  return (content && columnTexts(content)) ?? table.index
}
