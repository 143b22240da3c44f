// The emulated machine: qemu without virtualisation, from its start to the exit status that it prints last.

import { spawn } from 'node:child_process'

export interface Machine {
  readonly image: string
  readonly archive: string
  readonly cpus: number
  /** Arguments for its network cards; none if empty. */
  readonly cards: readonly string[]
  /** Minutes after which it is stopped. */
  readonly limit: number
}

/** What the machine prints last, with its exit status. */
const closing = /^guest: exit (\d+)/m

/** Runs it; whoever dies first takes the other along. Answers the exit status, 1 if it printed none. */
export function runMachine({ image, archive, cpus, cards, limit }: Machine): Promise<number> {
  const args = [
    ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', `${cpus}`, '-m', '2048'],
    ...['-nographic', '-no-reboot', ...(cards.length ? cards : ['-nic', 'none'])],
    ...['-kernel', image, '-initrd', archive, '-append', 'console=ttyS0 quiet panic=-1 rdinit=/init'],
  ]
  const machine = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limit * 60_000,
    killSignal: 'SIGKILL',
  })
  const end = (): void => void machine.kill('SIGKILL')
  process.once('exit', end)
  let said = ''
  machine.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    process.stdout.write(text)
  })
  // It says that it has no eBPF for hashing, and hashes itself.
  machine.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (!/libbpf|eBPF/.test(text)) process.stderr.write(text)
  })
  return new Promise((resolve, reject) => {
    machine.once('error', reject)
    machine.once('close', (_, signal) => {
      process.removeListener('exit', end)
      const found = closing.exec(said.replaceAll('\r', ''))
      if (!found) console.error(`guest: the machine ended without a result${signal ? ` (${signal})` : ''}`)
      resolve(found ? Number(found[1]) : 1)
    })
  })
}
