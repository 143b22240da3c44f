// What an emulated machine needs of this one, and how to get what is missing.

import { existsSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../sources.js'

/** Where everything that the machine is made of is kept. */
export const folder = join(root, 'dist/guest')

/** Where Debian keeps the busybox that needs no libraries. */
export const busybox = '/bin/busybox'

/** Ends with status 2 and says what to do. */
export function missing(what: string): never {
  console.error(`guest: ${what}`)
  process.exit(2)
}

/** Commands by the package that has them. */
const packages: readonly (readonly [command: string, name: string])[] = [
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['cpio', 'cpio'],
  ['ip', 'iproute2'],
  ['ldd', 'libc-bin'],
]

const isThere = (command: string): boolean =>
  (process.env.PATH ?? '').split(':').some(path => existsSync(join(path, command)))

/** Looks for everything at once, so that one installation is enough. `network`: the machine has cards. */
export function requireCommands(network: boolean): void {
  const absent = packages.filter(([command]) => (network || command !== 'ip') && !isThere(command))
  const names = [...absent.map(([, name]) => name), ...(existsSync(busybox) ? [] : ['busybox-static'])]
  if (names.length > 0) missing(`${names.join(', ')} missing: apt-get install ${names.join(' ')}`)
  if (!network) return
  if (process.getuid?.() !== 0)
    missing(
      'this suite needs root, for a network of its own and two taps in it: sudo npm run guest -- --suite many',
    )
  if (!existsSync('/dev/net/tun'))
    missing('no /dev/net/tun: this kernel, or this container, has no taps (modprobe tun)')
}

/** What a command prints; ends the whole if it fails. */
export function output(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: folder })
  if (status !== 0) missing(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
  return stdout
}
