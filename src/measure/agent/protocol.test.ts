import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isProof, Lines, longestLine, parseMessage, proofOf } from './protocol.js'

test('messages are taken by their fields, and nothing else comes along', () => {
  const trial = { type: 'trial', id: 1, rate: 1e6, seconds: 0.2 }
  assert.deepEqual(parseMessage(JSON.stringify({ ...trial, more: 'x', __proto__: 1 })), trial)
  assert.deepEqual(parseMessage('{"type":"trial","id":2,"rate":null,"seconds":1}'), {
    ...trial,
    id: 2,
    rate: null,
    seconds: 1,
  })
  for (const [line, problem] of [
    ['', /no JSON/],
    ['[]', /no message/],
    ['{"type":"toString"}', /no known type/],
    ['{"type":"trial","id":1.5,"rate":1,"seconds":1}', /wrong id/],
    ['{"type":"trial","id":1,"rate":1e99,"seconds":1}', /wrong rate/],
    ['{"type":"trial","id":1,"rate":0,"seconds":1}', /wrong rate/],
    ['{"type":"trial","id":1,"rate":5,"seconds":1e9}', /wrong seconds/],
    ['{"type":"open","trace":"../etc","packets":1,"destination":"02:00:00:00:00:01"}', /wrong trace/],
    ['{"type":"open","trace":"uniform","packets":1e9,"destination":"02:00:00:00:00:01"}', /wrong packets/],
    ['{"type":"open","trace":"uniform","packets":9,"destination":"02:00"}', /wrong destination/],
    ['{"type":"hello","version":"1"}', /wrong version/],
  ] as const) {
    const found = parseMessage(line)
    assert.ok('problem' in found, line)
    assert.match(found.problem, problem)
  }
})

test('whatever comes in, in whatever pieces, nothing throws and no line grows without end', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 200 }), { maxLength: 20 }), pieces => {
      const lines = new Lines()
      for (const piece of pieces)
        for (const line of lines.push(Buffer.from(piece).toString('latin1')) ?? []) parseMessage(line)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.json(), text => void parseMessage(text)),
    { numRuns: 300 },
  )
  const lines = new Lines()
  assert.deepEqual(lines.push('{"a":'), [])
  assert.deepEqual(lines.push('1}\n\n{"b":2}\n{'), ['{"a":1}', '{"b":2}'])
  assert.equal(lines.push('x'.repeat(longestLine + 1)), undefined)
  assert.equal(lines.push('{"c":3}\n'), undefined, 'it stays broken')
  assert.deepEqual(new Lines().push(Buffer.from('"ü"\n').toString('latin1')), ['"ü"'])
})

test('a proof is of one token and one nonce', () => {
  const proof = proofOf('a token of some length', '00ff')
  assert.ok(isProof(proof, 'a token of some length', '00ff'))
  assert.ok(!isProof(proof, 'a token of some length', '00fe'))
  assert.ok(!isProof(proof, 'another token, as long', '00ff'))
  assert.ok(!isProof(undefined, 'a token of some length', '00ff'))
  assert.ok(!isProof('', 'a token of some length', '00ff'))
})
