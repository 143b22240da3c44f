// hairpin verify: proves the contract of each strategy on a capture. README.md beside this file is the help.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets } from '../../engine/packets.js'
import { mostWorkers } from '../../engine/plan.js'
import { verify } from '../../engine/verify.js'
import type { Case, Verification } from '../../engine/verify.js'
import { strategies } from '../../strategy/strategies.js'
import type { Strategy } from '../../strategy/strategy.js'
import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, numberList, onlyArgument, required, text } from '../flags.js'
import { grid, grouped } from '../grid.js'
import { optionsOf, runFlags, strategyOf } from '../inputs.js'
import { compileProgram } from '../program.js'

export const command: Command = {
  name: 'verify',
  summary: 'prove each strategy equal to the serial run on a capture',
  flags: {
    ...runFlags,
    strategy: { type: 'string', short: 's' },
    cores: { type: 'string', short: 'c' },
    threads: { type: 'boolean' },
    packets: { type: 'string' },
  },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const path = required(flags, 'in', 'FILE')
    const cores = numberList(text(flags, 'cores') ?? '1,2,7', '--cores', { least: 1, most: mostWorkers })
    const most = integer(flags, 'packets', { least: 1, most: 2 ** 31 })
    const chosen = strategiesOf(text(flags, 'strategy') ?? 'all')
    const { program, artifact } = await compileProgram(file, io)
    const options = optionsOf(flags, artifact)
    const store = loadPackets(
      (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
      most,
    )
    const json = isSet(flags, 'json')
    const verification = await verify({ program, artifact }, store, {
      ...options,
      strategies: chosen,
      cores,
      threads: isSet(flags, 'threads'),
      onCase: done => {
        if (io.terminal && !json) io.err(`\r\x1b[2Kverified ${done.strategy}, ${done.cores} workers`)
      },
    })
    if (io.terminal && !json) io.err('\r\x1b[2K')
    io.out(
      json ? `${JSON.stringify(verification)}\n` : textOf(verification, artifact.name, store.count, path),
    )
    if (store.fault) {
      io.err(`hairpin verify: ${faultText(store.fault)}\n`)
      return exit.input
    }
    return verification.exact ? exit.ok : exit.no
  },
}

function strategiesOf(names: string): Strategy[] {
  if (names === 'all') return Object.values(strategies)
  return names.split(',').map(strategyOf)
}

function textOf({ exact, cases }: Verification, program: string, packets: number, path: string): string {
  const ran = cases.filter(c => c.skipped === undefined)
  const verdict = exact
    ? `${program}: every strategy fulfils its contract on ${grouped(packets)} packets of ${path}`
    : ran.length === 0
      ? `${program}: nothing was verified`
      : `${program}: ${ran.filter(c => c.divergent > 0).length} of ${ran.length} cases break their contract`
  const rows = cases.map(c => [c.strategy, String(c.cores), grouped(c.packets), outcome(c)])
  const table = grid(
    [
      { title: 'strategy' },
      { title: 'workers', right: true },
      { title: 'packets', right: true },
      { title: 'result' },
    ],
    rows,
  )
  const contracts = [...new Set(ran.map(c => `  ${c.strategy}: ${c.contract}`))]
  return `${[verdict, '', table, '', 'contracts', ...contracts].join('\n')}\n`
}

function outcome(c: Case): string {
  if (c.skipped !== undefined) return `not run: ${c.skipped}`
  if (c.divergent === 0) return 'exact'
  const where = c.first?.packet === undefined ? '' : `packet ${c.first.packet}: `
  return `${grouped(c.divergent)} divergent, first ${where}${c.first?.what ?? ''}`
}
