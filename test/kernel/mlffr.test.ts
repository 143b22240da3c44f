// MLFFR trials on a veth pair: what is sent is received or lost, nothing else.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { vethTrials } from '../../src/measure/veth-trial.js'
import { defaultStream, streamPackets } from '../../src/traffic/stream.js'
import { bundledProgram } from '../programs.js'
import { without } from './probes.js'

const threads = (): number =>
  readdirSync('/proc').filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith(`napi/mlffr${process.pid}`)
    } catch {
      return false
    }
  }).length

for (const closed of [true, false])
  test(
    `trials on a veth pair account for every packet, ${closed ? 'in a closed loop' : 'received on a thread'}`,
    { skip: without('liveFrames') },
    async () => {
      const packets = streamPackets({ ...defaultStream, flows: 8 })
      const options = { settings: new Map<string, bigint>(), seed: 1n }
      const trials = await vethTrials(bundledProgram('ddos-mitigator'), options, packets, closed)
      try {
        assert.equal(trials.mode, 'native')
        assert.equal(threads(), trials.closedLoop ? 0 : 1)
        assert.ok((await trials.calibrate(0.05)) > 10_000)
        const { requested, sent, lost } = await trials.run(50_000, 0.1)
        assert.deepEqual([requested, sent], [50_000, 5000])
        assert.ok(lost >= 0 && lost <= sent, `${lost} of ${sent}`)
        // In a closed loop nothing can be lost.
        if (trials.closedLoop) assert.equal(lost, 0)
      } finally {
        trials.close()
      }
      assert.equal(threads(), 0)
    },
  )
