// hairpin generate: packets of a stream or a law at a rate, out of a device. README.md beside this is the help.

import { laws } from '../../traffic/law.js'
import { longestPacket } from '../../traffic/live-program.js'
import { CHECK_SEQUENCE, defaultStream, streamPackets } from '../../traffic/stream.js'
import { TraceError } from '../../traffic/specification.js'
import { makeTrace } from '../../traffic/trace.js'
import { meanWireBits } from '../../traffic/wire-rate.js'
import { UsageError } from '../command.js'
import type { Command, Flags } from '../command.js'
import { integer, isSet, text } from '../flags.js'
import { grouped } from '../grid.js'
import { hint } from '../nearest.js'
import { ipv4Of, macOf, quantityOf, rateOf } from '../quantity.js'
import { send, sendFlags } from '../sending.js'

const streamOnly = ['source', 'destination', 'source-port', 'destination-port', 'protocol'] as const
const lawOnly = ['packets', 'seed'] as const

export const command: Command = {
  name: 'generate',
  flags: {
    ...sendFlags,
    size: { type: 'string' },
    flows: { type: 'string' },
    protocol: { type: 'string' },
    source: { type: 'string' },
    destination: { type: 'string' },
    'source-port': { type: 'string' },
    'destination-port': { type: 'string' },
    'source-mac': { type: 'string' },
    'destination-mac': { type: 'string' },
    law: { type: 'string' },
    packets: { type: 'string' },
    seed: { type: 'string' },
  },
  async run(flags, io) {
    if (flags.positionals.length > 0)
      throw new UsageError(`generate takes flags only, not ${flags.positionals[0]}; replay sends a capture`)
    const { packets, title } = text(flags, 'law') === undefined ? stream(flags) : trace(flags)
    const given = text(flags, 'rate')
    if (given !== undefined && isSet(flags, 'top-speed'))
      throw new UsageError('--rate and --top-speed exclude each other')
    if (given === undefined && !isSet(flags, 'top-speed'))
      throw new UsageError('--rate R or --top-speed is missing')
    const rate = given === undefined ? undefined : rateOf(given, meanWireBits(packets).layer1)
    return send({ packets, rate, title }, flags, io)
  },
}

interface Made {
  readonly packets: Uint8Array[]
  readonly title: string
}

function stream(flags: Flags): Made {
  for (const name of lawOnly)
    if (text(flags, name) !== undefined) throw new UsageError(`--${name} belongs to --law`)
  const protocol = text(flags, 'protocol') ?? 'udp'
  if (protocol !== 'udp' && protocol !== 'tcp')
    throw new UsageError(`--protocol takes udp or tcp, not ${protocol}`)
  const size = integer(flags, 'size', { least: 64, most: longestPacket + CHECK_SEQUENCE }) ?? 64
  const flows = countOf(flags, 'flows', 1)
  const port = (name: string, fallback: number): number =>
    integer(flags, name, { least: 0, most: 65_535 }) ?? fallback
  const address = (name: 'source' | 'destination'): number => {
    const value = text(flags, name)
    return value === undefined ? defaultStream[name] : ipv4Of(value, name)
  }
  const packets = streamPackets({
    ...defaultStream,
    size,
    flows,
    udp: protocol === 'udp',
    source: address('source'),
    destination: address('destination'),
    sourcePort: port('source-port', defaultStream.sourcePort),
    destinationPort: port('destination-port', defaultStream.destinationPort),
    sourceMac: macOf(text(flags, 'source-mac') ?? '02:00:00:00:00:01', 'source-mac'),
    destinationMac: macOf(text(flags, 'destination-mac') ?? '02:00:00:00:00:02', 'destination-mac'),
  })
  const many = flows === 1 ? 'one flow' : `${grouped(flows)} flows`
  return { packets, title: `${many} of ${size}-byte ${protocol.toUpperCase()} packets` }
}

function trace(flags: Flags): Made {
  for (const name of streamOnly)
    if (text(flags, name) !== undefined) throw new UsageError(`--${name} does not go with --law`)
  const law = text(flags, 'law')!
  if (!Object.hasOwn(laws, law))
    throw new UsageError(
      `--law takes ${Object.keys(laws).join(', ')}, not ${law}.${hint(law, Object.keys(laws))}`,
    )
  const count = countOf(flags, 'packets', 10_000)
  const size = integer(flags, 'size', { least: 68, most: longestPacket + CHECK_SEQUENCE })
  const limit = (size ?? 1518) - CHECK_SEQUENCE
  const frameMinimum = 60
  try {
    const made = makeTrace({
      law,
      packets: count,
      ...(text(flags, 'flows') !== undefined && { flows: countOf(flags, 'flows', 1) }),
      seed: integer(flags, 'seed', { least: 0, most: Number.MAX_SAFE_INTEGER }) ?? 1,
      frameLimit: limit,
      frameMinimum,
    })
    const region = new Uint8Array(made.room)
    const macs = Uint8Array.of(
      ...macOf(text(flags, 'destination-mac') ?? '02:00:00:00:00:02', 'destination-mac'),
      ...macOf(text(flags, 'source-mac') ?? '02:00:00:00:00:01', 'source-mac'),
    )
    const own = text(flags, 'destination-mac') ?? text(flags, 'source-mac')
    const packets: Uint8Array[] = []
    while (made.next(region, 0)) {
      const packet = region.slice(0, made.captured)
      if (own !== undefined) packet.set(macs)
      packets.push(packet)
    }
    return {
      packets,
      title: `${grouped(packets.length)} packets of ${grouped(made.flows)} flows by the law ${law}, in a loop`,
    }
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(error.problems.join('; '))
    throw error
  }
}

function countOf(flags: Flags, name: string, fallback: number): number {
  const value = text(flags, name)
  if (value === undefined) return fallback
  const count = quantityOf(value, name)
  if (Number.isInteger(count) && count >= 1 && count <= 4_000_000) return count
  throw new UsageError(`--${name} takes a whole number from 1 to 4,000,000, not ${value}`)
}
