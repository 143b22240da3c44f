/**
 * How long a command takes from the shell: `node dist/bench/cold-start.js [--rounds n] [PROGRAM…]`.
 *
 * `run` over a capture of one packet, and `attach --dry-run` (needs root; ends after the kernel's verifier), each in
 * three states of the output cache: empty, so that compiled code is what the build has left (tools/code.ts); with the code
 * of an earlier command, but not the program; and with the program. Two times: from start to end of the process, and of the processors for all its threads and the
 * kernel, which shows what others on the machine did to the first. Medians over rounds that go through all states in
 * turn. The bars for the first: 1,500 ms cold, 400 ms with the program.
 */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatEnvironment, readEnvironment } from '../src/measure/environment.js'
import { median } from '../src/measure/statistics.js'
import { formatTable } from '../src/measure/table.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
})
const programs = positionals.length ? positionals : ['forwarder', 'port-knocking', 'connection-tracker']
const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hairpin-cold-'))
const caches = { empty: join(folder, 'empty'), code: join(folder, 'code'), program: join(folder, 'program') }
type State = keyof typeof caches

/** A capture of one packet: an empty TCP segment. */
function writeCapture(path: string): void {
  const header = [0xa1b2c3d4, 0x0002_0004, 0, 0, 65_535, 1]
  const record = [1, 0, 54, 54]
  const bytes = Buffer.alloc(4 * (header.length + record.length) + 54)
  ;[...header, ...record].forEach((word, k) => bytes.writeUInt32BE(word, 4 * k))
  const frame = bytes.subarray(4 * (header.length + record.length))
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6], 0)
  frame.set([10, 0, 0, 1, 10, 0, 0, 2, 0x30, 0x39, 0x1b, 0x59], 26)
  frame.set([0x50, 2], 46)
  writeFileSync(path, bytes)
}

/** Processor milliseconds of all children waited for so far; the kernel counts in hundredths of a second. */
function childTime(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ')
  return 10 * (Number(fields[13]) + Number(fields[14]))
}

interface Sample {
  readonly clock: number
  readonly all: number
}

function hairpin(args: readonly string[], state: State): Sample {
  const [start, before] = [performance.now(), childTime()]
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'dist/src/cli/main.js'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, HAIRPIN_CACHE: caches[state] },
  })
  const clock = performance.now() - start
  if (status !== 0) throw new Error(`hairpin ${args.join(' ')}: ${stderr}`)
  return { clock, all: childTime() - before }
}

/** Puts the cache into a state: what the full one holds, less what is kept for programs. */
function prepare(state: State): void {
  if (state === 'program') return
  rmSync(caches[state], { recursive: true, force: true })
  mkdirSync(caches[state])
  if (state === 'empty') return
  for (const file of readdirSync(caches.program).filter(f => f.endsWith('.code')))
    cpSync(join(caches.program, file), join(caches.code, file))
}

try {
  const capture = join(folder, 'one.pcap')
  writeCapture(capture)
  const isRoot = process.getuid?.() === 0
  const rows: string[][] = []
  for (const program of programs) {
    const file = join(root, 'programs', `${program}.ts`)
    const commands: string[][] = [['run', file, '--in', capture]]
    if (isRoot) commands.push(['attach', file, '--dry-run'])
    for (const args of commands) {
      hairpin(args, 'program')
      const samples: Record<State, Sample[]> = { empty: [], code: [], program: [] }
      for (let round = 0; round < Number(values.rounds); round++)
        for (const state of Object.keys(caches) as State[]) {
          prepare(state)
          samples[state].push(hairpin(args, state))
        }
      const cells = Object.values(samples).flatMap(list =>
        (['clock', 'all'] as const).map(k => median(list.map(s => s[k])).toFixed(0)),
      )
      rows.push([`${args[0]} ${program}`, ...cells])
    }
  }
  const heads = ['ms', 'empty', 'cpu', 'code', 'cpu', 'program', 'cpu']
  process.stdout.write(
    `${formatEnvironment(readEnvironment(root))}\n\n${formatTable([heads, ...rows], 'lrrrrrr')}\n` +
      `${values.rounds} rounds; run with one packet${isRoot ? ', attach with --dry-run' : '; attach needs root'}\n`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
