// Tables that stand for the kernel's routes: what cannot be given or asked of them where the kernel runs the program.

import type { Artifact } from '../engine/artifact.js'
import { UsageError } from './command.js'
import type { Flags } from './command.js'
import { pairs, texts } from './flags.js'

/** What to do instead of reading or filling one. */
export const routesText = (name: string, family: 4 | 6): string =>
  `${name} asks the kernel's own routes, which are read and changed with ip -${family} route and ip neigh`

/** `--table` for such a table is a mistake where the kernel answers. */
export function refuseRoutes(flags: Flags, { rules }: Pick<Artifact, 'rules'>): void {
  const given = pairs(texts(flags, 'table'), 'table').map(([name]) => name)
  const table = rules.find(r => r.fib !== undefined && given.includes(r.name))
  if (table) throw new UsageError(`${routesText(table.name, table.fib!)}; --table is for runs in user space`)
}

/** Such a program cannot be tried in the kernel: the answers would be those of whatever machine this is. */
export function refuseTrial({ name, rules }: Pick<Artifact, 'name' | 'rules'>): void {
  const table = rules.find(r => r.fib !== undefined)
  if (table)
    throw new UsageError(
      `${name} asks for routes (${table.name}), and in the kernel this machine's would answer: test it with --backend wasm`,
    )
}
