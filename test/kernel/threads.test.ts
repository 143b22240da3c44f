import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { up } from '../../src/lab/lab.js'
import { onlineCpus, pinThread } from '../../src/sys/cpus.js'
import { interfaces } from '../../src/sys/interfaces.js'
import { namespaceId } from '../../src/sys/namespace.js'
import { builtFile } from '../../tools/sources.js'
import { withoutLab } from './probes.js'

const skip = withoutLab
const place = (file: string): string => JSON.stringify(builtFile(file))

test('a worker thread lives in a namespace and on a CPU of its own', { skip }, async () => {
  const lab = up({
    namespaces: { inside: {}, other: {} },
    pairs: [
      {
        ends: [
          { namespace: 'inside', device: 'in' },
          { namespace: 'other', device: 'out' },
        ],
      },
    ],
  })
  try {
    const cpu = onlineCpus().at(-1)!
    const script = `
      const { parentPort } = require('node:worker_threads')
      Promise.all([${['src/sys/namespace.ts', 'src/sys/interfaces.ts', 'src/sys/cpus.ts'].map(file => `import(${place(file)})`).join(', ')}])
        .then(([{ enterNamespace }, { interfaces }, { pinThread }]) => {
          enterNamespace(${JSON.stringify(lab.path('inside'))})
          pinThread([${cpu}])
          const status = require('node:fs').readFileSync('/proc/thread-self/status', 'utf8')
          parentPort.postMessage([interfaces().map(({ name }) => name), /Cpus_allowed_list:\\s*(\\S+)/.exec(status)[1]])
        })`
    const home = [namespaceId(), ...interfaces().map(({ name }) => name)]
    const allowed = (): string =>
      /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]
    const before = allowed()
    const worker = new Worker(script, { eval: true })
    const [[names, cpus]] = (await once(worker, 'message')) as [[string[], string]]
    await worker.terminate()
    assert.deepEqual(names.toSorted(), ['in', 'lo'])
    assert.equal(cpus, String(cpu))
    assert.deepEqual([namespaceId(), ...interfaces().map(({ name }) => name)], home)
    assert.equal(allowed(), before)
  } finally {
    lab.down()
  }
})

test('a CPU that is not there is refused', { skip }, () => {
  assert.throws(() => pinThread([4000]), /sched_setaffinity: EINVAL/)
})
