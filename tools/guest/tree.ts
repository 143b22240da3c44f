// The file system that the machine boots into: busybox, Node, our build, and what a suite adds; as a cpio archive.

import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../sources.js'
import { busybox, folder, missing, output } from './needs.js'

export interface Tree {
  /** Files of the machine by their path in it. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Commands of this machine that are there too, by their path; with the libraries they are linked to. */
  readonly commands: readonly string[]
  /** Kernel modules, in the order they are loaded in. */
  readonly modules: readonly string[]
  /** Commands of hairpin whose programs the machine gets compiled, in the cache that it has in /app/cache. */
  readonly compiled?: readonly (readonly string[])[]
  /** Shell commands before the test, in /app. */
  readonly setup: readonly string[]
  /** The test: a module of dist/test. */
  readonly test: string
}

/** Ours that the machine has. */
const parts = [
  'dist/src',
  'dist/test',
  'dist/tools',
  'node_modules/koffi',
  'node_modules/@koromix',
  'package.json',
  'programs',
]

/** Makes the archive; answers its path. */
export function makeTree({ files, commands, modules, compiled = [], setup, test }: Tree): string {
  const tree = join(folder, 'tree')
  rmSync(tree, { recursive: true, force: true })
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'run', 'app', 'modules'])
    mkdirSync(join(tree, name), { recursive: true })
  copyFileSync(busybox, join(tree, 'bin/busybox'))
  for (const applet of ['sh', 'mount', 'ip', 'insmod', 'poweroff'])
    symlinkSync('busybox', join(tree, 'bin', applet))
  for (const path of [process.execPath, ...commands]) install(tree, path)
  const app = join(tree, 'app')
  for (const part of parts) cpSync(join(root, part), join(app, part), { recursive: true })
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), bytes)
  }
  fillCache(app, compiled)
  modules.forEach((path, k) => copyFileSync(path, join(tree, `modules/${k}.ko`)))
  writeFileSync(
    join(tree, 'init'),
    `#!/bin/sh
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
mount -t bpf none /sys/fs/bpf
${modules.map((_, k) => `insmod /modules/${k}.ko`).join('\n')}
ip link set lo up
cd /app
export HOME=/tmp
${setup.join('\n')}
${process.execPath} dist/test/${test}; echo "guest: exit $?"
poweroff -f
`,
    { mode: 0o755 },
  )
  const archive = join(folder, 'initramfs.cpio')
  const made = spawnSync('sh', ['-c', `find . | cpio --quiet -o -H newc >${archive}`], { cwd: tree })
  if (made.status !== 0) missing(`cpio failed: ${made.stderr.toString()}`)
  return archive
}

/** Has commands compile their programs and fail for something else, with the build that the machine has. */
function fillCache(app: string, commands: readonly (readonly string[])[]): void {
  if (commands.length === 0) return
  // The compiler's own compiler is of no use inside.
  const compiler = join(app, 'node_modules/typescript')
  symlinkSync(join(root, 'node_modules/typescript'), compiler)
  for (const args of commands)
    spawnSync(process.execPath, ['dist/src/cli/main.js', ...args], {
      cwd: app,
      env: { ...process.env, HAIRPIN_CACHE: join(app, 'cache') },
    })
  rmSync(compiler)
}

/** Copies a program with the libraries it is linked to. */
function install(tree: string, path: string): void {
  const libraries = [...output('ldd', path).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(m => m[1])
  for (const file of [path, ...libraries]) {
    mkdirSync(join(tree, dirname(file)), { recursive: true })
    copyFileSync(file, join(tree, file))
  }
}
