import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { up } from '../../../src/lab/lab.js'
import { root } from '../../../tools/sources.js'
import { withoutAfXdp } from '../probes.js'
import { udpServer } from './hosts.js'

const file = join(root, 'dist/test/kernel/queue/example.js')

test('the example of README.md is the one that is typed and run', () => {
  const source = readFileSync(join(root, 'test/kernel/queue/example.ts'), 'utf8').replace(/^\/\/.*\n\n/, '')
  const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n([^]*?)^```/gm)]
  assert.equal(blocks.find(([, text]) => text.includes('openQueue'))?.[1], source)
})

test(
  'the example takes the packets of its queue, gives some back, and leaves the interface as it was',
  { skip: withoutAfXdp },
  async () => {
    const lab = up({
      namespaces: { left: {}, right: {} },
      pairs: [
        {
          queues: 5,
          ends: [
            { namespace: 'left', device: 'out', addresses: ['10.77.0.1/24'] },
            { namespace: 'right', device: 'eth3', addresses: ['10.77.0.2/24'] },
          ],
        },
      ],
    })
    try {
      const [flooded, other] = [
        await udpServer(lab, 'right', '10.77.0.2', 53),
        await udpServer(lab, 'right', '10.77.0.2', 54),
      ]
      const child = lab.start('right', [process.execPath, file], { stdio: ['ignore', 'pipe', 'inherit'] })
      const lines: string[] = []
      child.stdout!.on('data', (text: Buffer) => lines.push(...text.toString().trim().split('\n')))
      while (lab.interface('right', 'eth3').xdp.length === 0) await pause(20)
      // 200 flows to each port, which the device hashes over its five queues.
      const source = `const dgram = require('node:dgram')
for (let k = 0; k < 400; k++) {
  const s = dgram.createSocket('udp4')
  s.bind(20000 + k, '10.77.0.1', () => s.send('x', 53 + k % 2, '10.77.0.2', () => s.close()))
}`
      await lab.run('left', [process.execPath, '-e', source])
      await pause(1200)
      const [a, b] = [await flooded.count(), await other.count()]
      const taken = lines.reduce((sum, line) => sum + Number(/^UDP pps: (\d+)$/.exec(line)![1]), 0)
      assert.equal(b, 200, 'what it injects, and what came in on other queues')
      assert.ok(a < 200 && a > 100, `port 53: ${a} of 200 came in on other queues`)
      assert.ok(taken > 200 - a && taken < 200, `taken ${taken}`)
      child.kill('SIGINT')
      const [code] = await once(child, 'close')
      assert.equal(code, 0)
      assert.deepEqual(lab.interface('right', 'eth3').xdp, [])
      flooded.stop()
      other.stop()
    } finally {
      lab.down()
    }
  },
)
