/** hairpin top on runs in user space: they are there while they run, whatever ends them. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { Lab } from '../../../src/lab/lab.js'
import { openLiveSender } from '../../../src/traffic/live.js'
import { root } from '../../../tools/sources.js'
import { main } from '../../cli/hairpin.js'
import { problemsOf } from '../../schema.js'
import { hosts, udpFrame } from './hosts.js'
import { withoutAfXdp } from '../probes.js'

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/top.json'), 'utf8')) as object

interface Run {
  readonly pid: number
  readonly command: string
  readonly strategy: string
  readonly packets: number
  readonly packetsPerSecond: number | null
  readonly historyBytes?: number
  readonly workers: readonly { readonly packets: number; readonly replayed: number }[]
}

/** The last of some looks, at one interface's run. */
async function look(lab: Lab, looks: number): Promise<Run[]> {
  const args = [process.execPath, main, 'top', '--json', '-i', '1.1', '-n', String(looks)]
  const { stdout, status, stderr } = await lab.run('right', args)
  assert.equal(status, 0, stderr)
  const found = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { readonly runs: Run[] })
  for (const each of found) assert.deepEqual(problemsOf(each, schema), [])
  return found.at(-1)!.runs
}

async function begin(lab: Lab, ...args: string[]) {
  const child = spawn('nsenter', [`--net=${lab.path('right')}`, process.execPath, main, ...args, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.resume()
  const closed = once(child, 'close')
  await once(child.stdout, 'data')
  return { child, closed }
}

test(
  'runs in user space show their workers, and are gone when they end or are killed',
  { skip: withoutAfXdp },
  async () => {
    const lab = hosts()
    try {
      const program = 'programs/ddos-mitigator.ts'
      const live = await begin(lab, 'run', program, '--iface', 'wire', '--backend', 'wasm', '-c', '2')
      const sender = lab.inNamespace('left', () =>
        openLiveSender({ packets: [udpFrame(53)], device: 'out', rate: 2000 }),
      )
      const sending = sender.send(8000)
      const [run] = (await look(lab, 3)).filter(r => r.pid === live.child.pid)
      assert.deepEqual([run.command, run.strategy, run.workers.length], ['run', 'replicated', 2])
      assert.ok(run.packets > 0 && run.packetsPerSecond! > 0, JSON.stringify(run))
      assert.ok(
        run.workers.every(w => w.packets > 0 && w.replayed > 0),
        JSON.stringify(run),
      )
      assert.equal(run.historyBytes, 5)
      await sending
      sender.close()
      live.child.kill('SIGINT')
      await live.closed
      const bypass = await begin(lab, 'bypass', 'wire', '--queue', '0', '--steer', 'udp dst port 53', program)
      const [seen] = (await look(lab, 2)).filter(r => r.pid === bypass.child.pid)
      assert.equal(seen.command, 'bypass')
      bypass.child.kill('SIGKILL')
      await bypass.closed
      await pause(50)
      const left = (await look(lab, 1)).map(r => r.pid)
      assert.ok(!left.includes(bypass.child.pid!) && !left.includes(live.child.pid!))
    } finally {
      lab.down()
    }
  },
)
