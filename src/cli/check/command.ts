// hairpin check: what running a program on many workers takes. README.md beside this file is the help.

import type { Command } from '../command.js'
import { exit } from '../exit.js'
import { isSet, onlyArgument } from '../flags.js'
import { compileProgram } from '../program.js'
import { checkPage } from './page.js'
import { checkJson, checkReport } from './report.js'

export const command: Command = {
  name: 'check',
  flags: { json: { type: 'boolean' } },
  async run(flags, io) {
    const file = onlyArgument(flags, 'PROGRAM')
    const report = checkReport(await compileProgram(file, io))
    io.out(isSet(flags, 'json') ? `${JSON.stringify(checkJson(report))}\n` : checkPage(report))
    return exit.ok
  },
}
