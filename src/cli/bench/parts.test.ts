import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openParts } from './parts.js'

test('parts are there for who resumes with the same settings, and for nobody else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-parts-'))
  try {
    const settings = { packets: 1000 }
    const part = { shares: new Map([['replicated 2', [1, 0.9]]]), records: [{ samples: [1.5] }] }
    openParts(folder, settings, false).set('study', part)
    assert.deepEqual(openParts(folder, settings, true).get('study'), part)
    assert.equal(openParts(folder, settings, true).get('another'), undefined)
    for (const name of readdirSync(join(folder, 'parts')).filter(n => n.endsWith('.part')))
      writeFileSync(join(folder, 'parts', name), 'half')
    assert.equal(openParts(folder, settings, true).get('study'), undefined, 'damaged')
    openParts(folder, settings, true).set('study', part)
    assert.equal(openParts(folder, { packets: 2000 }, true).get('study'), undefined, 'other settings')
    openParts(folder, settings, true).set('study', part)
    assert.equal(openParts(folder, settings, false).get('study'), undefined, 'from the beginning')
    openParts(folder, settings, true).clear()
    assert.deepEqual(readdirSync(folder), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
