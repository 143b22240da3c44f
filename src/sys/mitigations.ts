// Which mitigations of processor flaws are on that make the kernel's code slower per call, per return or per entry.
//
// Read from /sys/devices/system/cpu/vulnerabilities (Documentation/admin-guide/hw-vuln of the kernel), without privilege.
// Only those that a packet pays for are named: a network path is a chain of short functions, so what each return and
// each indirect call costs decides how many packets a second a core can pass on. Nothing throws.

import { readdirSync, readFileSync } from 'node:fs'

/** What costs something, in the kernel's words for it, and what is slower for it. */
interface Costly {
  readonly flaw: string
  readonly state: RegExp
  readonly name: string
  readonly slower: string
}

const returns = 'every return'
const indirect = 'every indirect call'
const entries = 'every entry to the kernel'

const costly: readonly Costly[] = [
  { flaw: 'spec_rstack_overflow', state: /safe ret/i, name: 'safe-ret', slower: returns },
  { flaw: 'spec_rstack_overflow', state: /\bibpb\b(?! on vmexit)/i, name: 'srso-ibpb', slower: entries },
  { flaw: 'retbleed', state: /untrained return thunk/i, name: 'untrained-ret', slower: returns },
  { flaw: 'retbleed', state: /stuffing/i, name: 'call-depth', slower: returns },
  { flaw: 'indirect_target_selection', state: /aligned/i, name: 'its-thunk', slower: indirect },
  { flaw: 'spectre_v2', state: /retpolines?\b/i, name: 'retpoline', slower: indirect },
  {
    flaw: 'spectre_v2',
    state: /(?<!enhanced \/ automatic |enhanced )\bibrs\b/i,
    name: 'ibrs',
    slower: entries,
  },
  { flaw: 'meltdown', state: /\bpti\b/i, name: 'pti', slower: entries },
  { flaw: 'mds', state: /clear cpu buffers/i, name: 'clear-buffers', slower: entries },
]

/** A mitigation that is on. */
export interface Mitigation {
  /** Short: `safe-ret`. */
  readonly name: string
  /** What is slower for it: `every return`. */
  readonly slower: string
  /** The kernel's own words: `spec_rstack_overflow: Mitigation: Safe RET`. */
  readonly evidence: string
}

/** The mitigations that are on; undefined where the kernel does not tell. */
export function mitigations(
  folder = '/sys/devices/system/cpu/vulnerabilities',
): readonly Mitigation[] | undefined {
  try {
    return mitigationsIn(
      new Map(readdirSync(folder).map(flaw => [flaw, readFileSync(`${folder}/${flaw}`, 'utf8').trim()])),
    )
  } catch {
    return undefined
  }
}

/** The same, of what the kernel says of each flaw. */
export function mitigationsIn(told: ReadonlyMap<string, string>): readonly Mitigation[] {
  return costly.flatMap(({ flaw, state, name, slower }) => {
    // Of several clauses the one that names the mitigation: others speak of what is off or of guests.
    const clauses = (told.get(flaw) ?? '').split(';').map(clause => clause.trim())
    const found = clauses.some(clause => state.test(clause) && !/: (disabled|not affected)/i.test(clause))
    return found ? [{ name, slower, evidence: `${flaw}: ${clauses[0]}` }] : []
  })
}
