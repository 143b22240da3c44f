// Help: a command's README, and the overview of all commands.
//
// A README is Markdown written to be read in a terminal: headings, paragraphs, and indented blocks. Printing it drops
// the marks of headings and of code, nothing else.

import { readFileSync } from 'node:fs'
import { version } from '../index.js'

/** The help of a command. */
export function helpOf(command: string, colour: boolean): string {
  const text = readFileSync(new URL(`../../../src/cli/${command}/README.md`, import.meta.url), 'utf8')
  const bold = (s: string): string => (colour ? `\x1b[1m${s}\x1b[0m` : s)
  return text
    .split('\n')
    .map(line =>
      line.startsWith('#')
        ? bold(line.replace(/^#+ /, ''))
        : line.startsWith('    ')
          ? line
          : line.replaceAll('`', ''),
    )
    .join('\n')
}

export interface Entry {
  readonly summary: string
  /** Heading of the overview that it stands under. */
  readonly group: string
}

/** All commands, by what they are for. */
export function overview(commands: Readonly<Record<string, Entry>>, colour: boolean): string {
  const bold = (s: string): string => (colour ? `\x1b[1m${s}\x1b[0m` : s)
  const width = Math.max(...Object.keys(commands).map(n => n.length))
  const groups = new Map<string, string[]>()
  for (const [name, { group, summary }] of Object.entries(commands)) {
    const rows = groups.get(group) ?? []
    groups.set(group, [...rows, `  ${name.padEnd(width)}  ${summary}`])
  }
  const list = [...groups].flatMap(([group, rows]) => [bold(group), ...rows, ''])
  return [
    `hairpin ${version}: stateful packet processing on every core, from one TypeScript program`,
    '',
    'usage: hairpin COMMAND … [--json] [--help]',
    '',
    ...list,
    bold('examples'),
    ...examples,
    '',
    'hairpin COMMAND --help has every flag and more examples; hairpin --version.',
    'exit codes: 0 yes, 1 no, 2 called wrongly, 3 program, 4 capture, 5 crash, 130 Ctrl-C',
    '',
  ].join('\n')
}

const examples = [
  '  hairpin demo',
  '  hairpin check programs/port-knocking.ts',
  '  hairpin run programs/port-knocking.ts --in capture.pcap --strategy scr --cores 2',
  '  hairpin verify programs/port-knocking.ts --in capture.pcap --cores 1,2,7',
]
