import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { up } from '../../../src/lab/lab.js'
import { interfaces } from '../../../src/sys/interfaces.js'
import { unresolvedNeighbours } from '../../../src/sys/neighbours.js'
import { root } from '../../../tools/sources.js'
import { folder, main } from '../../cli/hairpin.js'
import { withoutAfXdp } from '../probes.js'
import { answers } from './hosts.js'

/** Everything goes to the kernel but one UDP port. */
const gate = `import { type Packet, Verdict } from 'hairpin'
export default function gate(packet: Packet): Verdict {
  return packet.ipv4?.udp?.destinationPort === 9 ? Verdict.Drop : Verdict.Pass
}
`

/** A server like a shell: it greets, answers lines, and sends as many bytes as it is told. */
const server = `require('node:net').createServer(s => {
  s.on('error', () => {}).write('SHELL-1\\n')
  let text = ''
  s.on('data', d => {
    text += d
    for (let at; (at = text.indexOf('\\n')) >= 0; text = text.slice(at + 1)) {
      const line = text.slice(0, at)
      const many = /^send (\\d+)$/.exec(line)
      if (many) s.write(Buffer.alloc(Number(many[1]), 'x'))
      else if (line === 'exit') s.end('bye\\n')
      else s.write('you said ' + line.length + '\\n')
    }
  })
}).listen(22, '10.78.0.2', () => console.log('ready'))
process.stdin.resume().on('end', () => process.exit())`

/** A session: a greeting, many short lines that are answered, a long one, a long answer, and the end. */
const client = `const s = require('node:net').connect(22, '10.78.0.2')
let got = '', lines = 0
s.setNoDelay().setTimeout(8000, () => { console.error('silence', got.length); process.exit(1) })
s.on('error', e => { console.error(e.message); process.exit(1) })
s.on('data', d => {
  got += d
  if (got.endsWith('\\n') && lines < 100) return s.write('line ' + ++lines + '\\n')
  if (lines === 100 && got.endsWith('\\n')) { lines++; return s.write('y'.repeat(200000) + '\\n') }
  if (lines === 101 && got.endsWith('you said 200000\\n')) { lines++; return s.write('send 300000\\n') }
  if (lines === 102 && got.endsWith('x'.repeat(300000))) { lines++; s.write('exit\\n') }
})
s.on('end', () => { console.log(got.startsWith('SHELL-1\\n') && got.endsWith('bye\\n') ? 'complete' : 'cut'); process.exit() })`

for (const workers of [1, 2])
  test(
    `hp0 carries the address: a ping and a shell session go through the program, ${workers} worker(s)`,
    { skip: withoutAfXdp },
    async () => {
      const lab = up({
        namespaces: { left: {}, right: {} },
        pairs: [
          {
            queues: workers,
            ends: [
              { namespace: 'left', device: 'out', addresses: ['10.78.0.1/24'] },
              { namespace: 'right', device: 'wire' },
            ],
          },
        ],
      })
      const file = join(folder, 'gate.ts')
      writeFileSync(file, gate)
      const all = workers === 1 ? '0' : '0,1'
      const args = [
        'wire',
        '-q',
        all,
        '--steer',
        'all',
        '--address',
        '10.78.0.2/24',
        file,
        '--cpu',
        'any',
        '--json',
      ]
      const child = spawn(
        'nsenter',
        [`--net=${lab.path('right')}`, process.execPath, main, 'bypass', ...args, '-c', String(workers)],
        { cwd: root, env: { ...process.env, HAIRPIN_CACHE: join(folder, 'cache') } },
      )
      let [out, err] = ['', '']
      child.stdout.on('data', (part: Buffer) => (out += part.toString()))
      child.stderr.on('data', (part: Buffer) => (err += part.toString()))
      try {
        for (const end = performance.now() + 15_000; !out.includes('opened'); await pause(20))
          assert.ok(performance.now() < end && child.exitCode === null, err)
        const shell = lab.start('right', [process.execPath, '-e', server], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        await once(shell.stdout!, 'data')
        assert.ok(await answers(lab, 'left', '10.78.0.2'), 'ping')
        const session = await lab.run('left', [process.execPath, '-e', client])
        assert.equal(session.stdout, 'complete\n', session.stderr)
        assert.ok(await answers(lab, 'right', '10.78.0.1'), 'and the other way')
        // A neighbour that does not answer is told.
        await lab.run('right', [process.execPath, '-e', `require('node:dgram').createSocket('udp4').send('x', 9, '10.78.0.99', () => process.exit())`]) // prettier-ignore
        for (const end = performance.now() + 3000; !err.includes('without an answer'); await pause(20))
          assert.ok(performance.now() < end, `nothing about the neighbour: ${err}`)
        assert.ok(
          lab.inNamespace('right', () =>
            unresolvedNeighbours(interfaces().find(i => i.name === 'hp0')!.index),
          ) > 0,
        )
        shell.stdin!.end()
        child.kill('SIGINT')
        const [code] = (await once(child, 'close')) as [number]
        assert.equal(code, 130, err)
        const ended = JSON.parse(out.trim().split('\n').at(-1)!) as {
          unaccounted: number
          verdicts: { passed: number }
          taken: number
          fromKernel: { received: number; sent: number; dropped: number }
        }
        const { fromKernel } = ended
        assert.equal(ended.unaccounted, 0)
        assert.ok(ended.verdicts.passed > 200 && fromKernel.sent > 200, JSON.stringify(ended))
        assert.equal(fromKernel.received, fromKernel.sent + fromKernel.dropped)
        assert.deepEqual(
          lab.inNamespace('right', () => interfaces().map(i => i.name)),
          ['lo', 'wire'],
        )
      } finally {
        child.kill('SIGKILL')
        lab.down()
      }
    },
  )
