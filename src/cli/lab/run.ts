// hairpin lab run: a command in a namespace of a lab, as if it had been typed there.
//
// The command sees the namespace's network and everything else of this machine, /sys/fs/bpf included, so that
// `hairpin attach --pin` and `hairpin list` in labs are those of the machine.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { Failure, UsageError } from '../command.js'
import type { Flags } from '../command.js'
import { exit } from '../exit.js'
import { placeNamed } from './names.js'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Its exit status becomes ours; 128 and its number for a signal, as shells have it. */
export async function labRun({ positionals: [place, ...words] }: Flags): Promise<number> {
  if (place === undefined) throw new UsageError('NAMESPACE is missing: where to run it')
  const [command, ...args] = words
  if (command === undefined) throw new UsageError('a command is missing: lab run NAMESPACE -- COMMAND …')
  const { lab, namespace } = placeNamed(place)
  const child = lab.inNamespace(namespace, () => spawn(command, args, { stdio: 'inherit' }))
  const release = forward(child)
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (...how) => resolve(how))
    })
    return code ?? 128 + (signal ? constants.signals[signal] : 0)
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new Failure(missing ? `there is no command ${command}` : String(error), exit.usage)
  } finally {
    release()
  }
}

/** A terminal sends Ctrl-C to the command by itself; everything else that should end us, ends the command. */
function forward(child: ChildProcess): () => void {
  const byTerminal = process.stdin.isTTY === true
  const handlers = signals.map(signal => {
    const handler = (): void => {
      if (signal !== 'SIGINT' || !byTerminal) child.kill(signal)
    }
    process.on(signal, handler)
    return [signal, handler] as const
  })
  return () => {
    for (const [signal, handler] of handlers) process.removeListener(signal, handler)
  }
}
