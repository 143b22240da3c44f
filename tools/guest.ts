/**
 * `npm run guest`: our programs on an old kernel, Linux 6.1 of Debian 12, in an emulated machine.
 *
 *     npm run guest                       the newest 6.1 that apt offers, downloaded into dist/guest
 *     npm run guest -- --kernel FILE      another kernel image; its modules are not needed
 *     npm run guest -- port-knocking      these programs only
 *
 * What comes before 6.9 has no may_goto, before 6.6 no signed division: there the loops are bounded and the instruction
 * set older. Inside, every program is loaded and run on the first packets of the bundled capture beside the interpreter,
 * and attached to the loopback device (test/guest/inside.ts). Nothing of this machine is changed but dist/guest.
 *
 * Needs qemu-system-x86, busybox-static and cpio (apt-get install), no virtualisation and no root. 40 seconds to two
 * minutes on two CPUs; ended after ten. Exit status: 0 all agree, 1 something failed, 2 something is missing.
 */

import { spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { serialize } from 'node:v8'
import { bundledProgram, trialNames } from '../test/programs.js'
import { root } from './sources.js'

const folder = join(root, 'dist/guest')
/** Minutes after which the machine is stopped. */
const limit = 10
/** What the machine prints last, with its exit status. */
const closing = /^guest: exit (\d+)/m

/** Ends with status 2 and says what to install. */
function missing(what: string): never {
  console.error(`guest: ${what}`)
  process.exit(2)
}

function output(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: folder })
  if (status !== 0) missing(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
  return stdout
}

/** The kernel image of Debian's newest 6.1, unpacked in dist/guest. */
function debianKernel(): string {
  const unpacked = join(folder, 'kernel/boot')
  const image = (): string | undefined =>
    existsSync(unpacked) ? readdirSync(unpacked).find(f => f.startsWith('vmlinuz')) : undefined
  if (image() === undefined) {
    const packages = output(
      'apt-cache',
      'search',
      '--names-only',
      '^linux-image-6\\.1\\.0-[0-9]+-cloud-amd64$',
    )
    const names = packages.split('\n').flatMap(line => line.split(' ')[0] || [])
    const newest = names.toSorted((a, b) => Number(a.split('-')[3]) - Number(b.split('-')[3])).at(-1)
    if (newest === undefined)
      missing('apt knows no linux-image-6.1.0-N-cloud-amd64; name an image with --kernel')
    output('apt-get', 'download', newest)
    const file = readdirSync(folder).find(f => f.startsWith(newest) && f.endsWith('.deb'))!
    output('dpkg-deb', '-x', file, 'kernel')
  }
  return join(unpacked, image()!)
}

/** Copies a program with the libraries it is linked to. */
function install(tree: string, path: string): void {
  const libraries = [...output('ldd', path).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(m => m[1])
  for (const file of [path, ...libraries]) {
    mkdirSync(join(tree, dirname(file)), { recursive: true })
    copyFileSync(file, join(tree, file))
  }
}

/** The file system that the machine boots into: busybox, Node, our build, the programs compiled already. */
function fileSystem(names: readonly string[]): string {
  const tree = join(folder, 'tree')
  rmSync(tree, { recursive: true, force: true })
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'app'])
    mkdirSync(join(tree, name), { recursive: true })
  const busybox = '/bin/busybox'
  if (!existsSync(busybox)) missing('no busybox; apt-get install busybox-static')
  copyFileSync(busybox, join(tree, 'bin/busybox'))
  for (const applet of ['sh', 'mount', 'ip', 'poweroff']) symlinkSync('busybox', join(tree, 'bin', applet))
  install(tree, process.execPath)
  const app = join(tree, 'app')
  for (const part of [
    'dist/src',
    'dist/test',
    'dist/tools',
    'node_modules/koffi',
    'node_modules/@koromix',
    'package.json',
  ])
    cpSync(join(root, part), join(app, part), { recursive: true })
  copyFileSync(join(root, 'programs/demo/knocking.pcap'), join(app, 'knocking.pcap'))
  const subjects = names.map(name => {
    const { program, artifact, kernel, rules } = bundledProgram(name)
    return { name, subject: { program, artifact, kernel, rules } }
  })
  writeFileSync(join(app, 'programs.bin'), serialize(subjects))
  writeFileSync(
    join(tree, 'init'),
    `#!/bin/sh
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
mount -t bpf none /sys/fs/bpf
ip link set lo up
cd /app && HOME=/tmp ${process.execPath} dist/test/guest/inside.js; echo "guest: exit $?"
poweroff -f
`,
    { mode: 0o755 },
  )
  const archive = join(folder, 'initramfs.cpio')
  const made = spawnSync('sh', ['-c', `find . | cpio --quiet -o -H newc >${archive}`], { cwd: tree })
  if (made.status !== 0) missing('cpio failed; apt-get install cpio')
  return archive
}

function run(kernel: string, archive: string): Promise<number> {
  const machine = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-accel',
        'tcg,thread=multi',
        '-cpu',
        'max',
        '-smp',
        '2',
        '-m',
        '2048',
        '-nographic',
        '-no-reboot',
        '-nic',
        'none',
      ],
      ...['-kernel', kernel, '-initrd', archive, '-append', 'console=ttyS0 quiet panic=-1 rdinit=/init'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'], timeout: limit * 60_000, killSignal: 'SIGKILL' },
  )
  machine.on('error', () => missing('no qemu-system-x86_64; apt-get install qemu-system-x86'))
  let said = ''
  machine.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    process.stdout.write(text)
  })
  return new Promise(resolve => {
    machine.once('close', () => {
      const found = closing.exec(said.replaceAll('\r', ''))
      if (!found) console.error('guest: the machine ended without a result')
      resolve(found ? Number(found[1]) : 1)
    })
  })
}

mkdirSync(folder, { recursive: true })
const { values, positionals } = parseArgs({ options: { kernel: { type: 'string' } }, allowPositionals: true })
for (const name of positionals)
  if (!trialNames.includes(name)) missing(`no program ${name}; there are ${trialNames.join(', ')}`)
const kernel = values.kernel ?? debianKernel()
console.log(`guest: ${basename(kernel)}`)
process.exitCode = await run(kernel, fileSystem(positionals.length ? positionals : trialNames))
