import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mitigations, mitigationsIn } from './mitigations.js'

const namesOf = (told: Record<string, string>): string[] =>
  mitigationsIn(new Map(Object.entries(told))).map(m => m.name)

test('what slows returns and indirect calls down is named, by the kernel’s own words', () => {
  const zen4 = {
    spec_rstack_overflow: 'Vulnerable: Safe RET, no microcode',
    spectre_v2:
      'Mitigation: Retpolines; STIBP: disabled; RSB filling; PBRSB-eIBRS: Not affected; BHI: Not affected',
    retbleed: 'Not affected',
    meltdown: 'Not affected',
    mds: 'Not affected',
  }
  assert.deepEqual(namesOf(zen4), ['safe-ret', 'retpoline'])
  const [first] = mitigationsIn(new Map(Object.entries(zen4)))
  assert.equal(first.slower, 'every return')
  assert.equal(first.evidence, 'spec_rstack_overflow: Vulnerable: Safe RET, no microcode')
})

test('what is off, enhanced or about guests alone is not named', () => {
  assert.deepEqual(
    namesOf({
      spectre_v2:
        'Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; RSB filling; PBRSB-eIBRS: SW sequence; BHI: Retpoline',
      spec_rstack_overflow: 'Mitigation: IBPB on VMEXIT only',
      meltdown: 'Vulnerable',
      retbleed: 'Mitigation: Enhanced IBRS',
    }),
    ['retpoline'],
  )
  assert.deepEqual(
    namesOf({ spectre_v2: 'Mitigation: IBRS; STIBP: disabled', meltdown: 'Mitigation: PTI' }),
    ['ibrs', 'pti'],
  )
  assert.deepEqual(
    namesOf({ retbleed: 'Mitigation: Stuffing', mds: 'Mitigation: Clear CPU buffers; SMT vulnerable' }),
    ['call-depth', 'clear-buffers'],
  )
  assert.deepEqual(namesOf({}), [])
})

test('a kernel that does not tell is not one without mitigations', () => {
  assert.equal(mitigations('/nowhere/at/all'), undefined)
})
