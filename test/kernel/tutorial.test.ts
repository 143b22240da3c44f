/** Types the commands of docs/tutorial.md and compares what comes back with what the page says. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isPinned, removePins } from '../../src/engine/kernel/attached.js'
import { openLab } from '../../src/lab/lab.js'
import { keptLabs } from '../../src/lab/name.js'
import { root } from '../../tools/sources.js'
import { folder, main } from '../cli/hairpin.js'
import { withoutPrograms } from './machine.js'
import { withoutLab } from './probes.js'

const page = readFileSync(join(root, 'docs/tutorial.md'), 'utf8')

interface Step {
  readonly command: string
  /** Lines, with … for what differs; a line of nothing else for any number of lines. */
  readonly expected: readonly string[]
}

const steps: readonly Step[] = [...page.matchAll(/^```console\n\$ (.*)\n([^]*?)^```/gm)].map(
  ([, command, output]) => ({ command, expected: output.split('\n').slice(0, -1) }),
)

/** The machine may have a lab and a firewall already: ours have names of their own. */
const lab = `tutorial${process.pid}`
const pin = `firewall${process.pid}`
const ours = (text: string): string =>
  text
    .replace(/\bsudo /g, '')
    .replace(/\bnpx hairpin\b/g, `${process.execPath} ${main}`)
    .replace(/ lab run /g, ` lab run ${lab}/`)
    .replace(/ lab (up|down)\b/g, ` lab $1 ${lab}`)
    .replace(/\blab lab\b/g, `lab ${lab}`)
    .replace(/\bfirewall\b(?!-)/g, pin)

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** What the output has to be. */
const pattern = (expected: readonly string[]): RegExp =>
  new RegExp(
    `^${expected
      .map(line =>
        line === '…'
          ? '(.*\\n)*?'
          : `${escaped(ours(line)).replaceAll('…', '.*?').replaceAll(/ +/g, ' +')}\\n`,
      )
      .join('')}\\n*$`,
  )

const background: ChildProcess[] = []
after(() => {
  for (const child of background) child.kill()
  openLab(lab)?.down()
  removePins(pin)
})

async function type({ command, expected }: Step): Promise<void> {
  const env = { ...process.env, HAIRPIN_CACHE: join(folder, 'cache'), NO_COLOR: '1' }
  const typed = ours(command).replace(/ &$/, '')
  if (command.endsWith(' &')) {
    background.push(spawn('bash', ['-c', `exec ${typed}`], { cwd: root, env, stdio: 'ignore' }))
    return
  }
  const ended = spawnSync('bash', ['-c', typed], { cwd: root, env, encoding: 'utf8', timeout: 60_000 })
  assert.equal(ended.status, 0, `${command}\n${ended.stderr}`)
  assert.match(ended.stdout, pattern(expected), command)
}

/** Asks again while the server has not begun to listen. */
async function untilAnswered(step: Step): Promise<void> {
  for (let k = 0; ; k++)
    try {
      return await type(step)
    } catch (error) {
      if (k === 10) throw error
      await setTimeout(200)
    }
}

test('the tutorial has ten commands, of which the first two are git clone and npm run ready', () => {
  assert.equal(steps.length, 10)
  assert.match(steps[0].command, /^git clone /)
  assert.equal(steps[1].command, 'npm run ready')
})

test('the tutorial: what it says comes back', { skip: withoutLab || withoutPrograms }, async () => {
  for (const [k, step] of steps.slice(2).entries()) await (k === 2 ? untilAnswered(step) : type(step))
  assert.ok(!keptLabs().includes(lab))
  assert.ok(!isPinned(pin))
})
