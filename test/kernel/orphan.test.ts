/**
 * What a killed process leaves on a kernel without links for XDP: the program stays attached over netlink, and hairpin
 * list and hairpin detach find it all the same. A kernel that pretends to have no links stands in for the old one.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { up } from '../../src/lab/lab.js'
import type { Lab } from '../../src/lab/lab.js'
import { builtFile, root } from '../../tools/sources.js'
import { main, run } from '../cli/hairpin.js'
import type { Ended } from '../cli/hairpin.js'
import { counterProgram, verdicts } from './counter.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'
import { attachXdp } from '../../src/sys/xdp.js'

const skip = withoutLab || withoutPrograms
let lab: Lab

before(() => {
  if (skip) return
  lab = up({
    namespaces: { left: {}, right: {} },
    pairs: [
      {
        ends: [
          { namespace: 'left', device: 'a' },
          { namespace: 'right', device: 'b' },
        ],
      },
    ],
  })
})
after(() => {
  if (!skip) lab.down()
})

const hairpin = (...args: string[]): Promise<Ended> =>
  run('nsenter', [`--net=${lab.path('right')}`, process.execPath, main, ...args])
const programsOn = (): number => lab.interface('right', 'b').xdp.length

/** Attaches the forwarder without a link, says so, and waits to be killed. */
const owner = (): string => {
  const from = (file: string): string => `await import(${JSON.stringify(builtFile(file))})`
  return `const { kernel, replaceKernel } = ${from('src/sys/kernel.ts')}
const { command } = ${from('src/sys/bpf.ts')}
const { compile } = ${from('src/compile.ts')}
const { load } = ${from('src/engine/kernel/load.ts')}
const { attachXdp } = ${from('src/sys/xdp.ts')}
const { readFileSync } = await import('node:fs')
const real = kernel()
replaceKernel({ ...real, bpf: (n, attr) => (n === command.LINK_CREATE ? -22 : real.bpf(n, attr)) })
const file = ${JSON.stringify(join(root, 'programs/forwarder.ts'))}
const { compiled } = compile(file, readFileSync(file, 'utf8'))
const { program } = load(compiled, { settings: new Map(), seed: 1n })
const { mode, link } = attachXdp(program, 'b', 'native')
console.log(mode, link === undefined)
setInterval(() => {}, 1000)`
}

test('a program without a link outlives its owner, and is listed and taken off', { skip }, async () => {
  const child = spawn(
    'nsenter',
    [`--net=${lab.path('right')}`, process.execPath, '--input-type=module', '-e', owner()],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(said.toString(), 'native true\n')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(programsOn(), 1)

  const listed = await hairpin('list')
  assert.match(listed.out, /^ {2}b +native +forwarder +\d+ +- +-$/m)
  const again = await hairpin('attach', 'programs/forwarder.ts', 'b')
  assert.equal(again.code, 3)
  assert.match(
    again.err,
    /the device has a program already: native program \d+ \(forwarder\).*hairpin detach b/,
  )
  assert.equal((await hairpin('detach', 'b')).code, 0)
  assert.equal(programsOn(), 0)
})

test('detach leaves the program of somebody else where it is', { skip }, async () => {
  const counter = counterProgram(verdicts.pass)
  const attachment = lab.inNamespace('right', () => attachXdp(counter.program, 'b', 'native'))
  const ended = await hairpin('detach', 'b')
  assert.equal(ended.code, 1)
  assert.match(ended.err, /no program of hairpin is pinned as or attached to b/)
  assert.equal(programsOn(), 1)
  attachment.detach()
  counter.close()
})
