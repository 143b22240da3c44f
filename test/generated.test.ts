import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stale } from '../tools/generate.js'

test('generated files are what their source says; else run npm run generate', () => {
  assert.deepEqual(stale(), [])
})
