// HP13xx: state while packets flow.

import type { Entry } from './catalogue.js'

export const stateRules = {
  staleEntry: {
    code: 'HP1301',
    message: 'this entry of {object} may have moved',
    reason:
      'Inserting into a table moves and evicts other entries, and removing frees them: a handle is valid until the next set, upsert or delete on the same table.',
    suggestion: 'Finish with the entry before the other operation, or look it up again behind it.',
    example: [
      "import { type Packet, Verdict, table, u32 } from 'hairpin'",
      '',
      'const seen = table({ key: u32, value: { packets: u32 }, capacity: 100 })',
      '',
      'export default function example(packet: Packet): Verdict {',
      '  const entry = seen.upsert(packet.device)',
      '  if (!entry) return Verdict.Drop',
      '  seen.delete(packet.length)',
      '  entry.packets += 1',
      '  return Verdict.Pass',
      '}',
    ].join('\n'),
  },
} satisfies Record<string, Entry>
