// hairpin replay: the packets of a capture out of a device, at their own times or at a rate.

import { openCapture } from '../../device/capture.js'
import { faultText } from '../../device/fault.js'
import { compiledWalkers } from '../../device/walker.js'
import { loadPackets } from '../../engine/packets.js'
import { meanWireBits } from '../../traffic/wire-rate.js'
import { Failure, UsageError } from '../command.js'
import type { Command, Flags } from '../command.js'
import { exit } from '../exit.js'
import { integer, isSet, onlyArgument, text } from '../flags.js'
import { grouped } from '../grid.js'
import { openable } from '../inputs.js'
import { quantityOf, rateOf } from '../quantity.js'
import { longestFor, send, sendFlags } from '../sending.js'

export const command: Command = {
  name: 'replay',
  flags: {
    ...sendFlags,
    speed: { type: 'string' },
    loops: { type: 'string' },
    first: { type: 'string' },
  },
  async run(flags, io) {
    const path = openable(onlyArgument(flags, 'FILE'))
    const given = ['rate', 'top-speed', 'speed'].filter(name => flags.values[name] !== undefined)
    if (given.length > 1) throw new UsageError(`--${given.join(' and --')} exclude each other`)
    const speed = quantityOf(text(flags, 'speed') ?? '1', 'speed')
    if (!(speed > 0)) throw new UsageError('--speed takes a factor above 0')
    const loops = integer(flags, 'loops', { least: 1, most: 1e9 })
    const { packets, times, notes, damaged } = read(path, flags)
    const rateText = text(flags, 'rate')
    const rate = rateText === undefined ? undefined : rateOf(rateText, meanWireBits(packets).layer1)
    const own = rate === undefined && !isSet(flags, 'top-speed')
    const stretched = times.map(time => time / speed)
    const last = stretched[stretched.length - 1]
    // The first packet follows the last one as far as two packets are apart in the mean.
    const span = last + Math.max(1, last / Math.max(1, packets.length - 1))
    const load = {
      packets,
      rate,
      ...(own && { times: stretched, span }),
      ...(text(flags, 'seconds') === undefined && { count: packets.length * (loops ?? 1) }),
      title: `${grouped(packets.length)} packets of ${path}${own ? (speed === 1 ? ' at their own times' : ` at ${speed} times their speed`) : ''}`,
      notes,
    }
    const code = await send(load, flags, io)
    return damaged && code === exit.ok ? exit.input : code
  },
}

interface Read {
  readonly packets: Uint8Array[]
  /** ns from the first packet that is sent. */
  readonly times: Float64Array
  readonly notes: string[]
  readonly damaged: boolean
}

function read(path: string, flags: Flags): Read {
  const first = text(flags, 'first')
  const most = first === undefined ? Infinity : quantityOf(first, 'first')
  const store = loadPackets(
    (memory, workspace) => openCapture(path, { memory, workspace, walkers: compiledWalkers(memory) }),
    most,
  )
  const longest = longestFor(text(flags, 'to'))
  const packets: Uint8Array[] = []
  const times: number[] = []
  let [short, long, cut, begin] = [0, 0, 0, 0n]
  for (let k = 0; k < store.count; k++) {
    const { bytes, originalLength, timestamp } = store.packet(k)
    if (bytes.length < 14) short++
    else if (bytes.length > longest) long++
    else {
      if (bytes.length < originalLength) cut++
      if (packets.length === 0) begin = timestamp
      packets.push(bytes)
      times.push(Math.max(times[times.length - 1] ?? 0, Number(timestamp - begin)))
    }
  }
  const { fault } = store
  if (packets.length === 0)
    throw new Failure(
      fault ? faultText(fault) : `${path} has no packet of 14 to ${longest} bytes`,
      exit.input,
    )
  const notes = [
    ...(short ? [`left out: ${grouped(short)} packets shorter than an Ethernet header`] : []),
    ...(long
      ? [
          `left out: ${grouped(long)} packets longer than the ${longest} bytes that ${text(flags, 'to')} takes`,
        ]
      : []),
    ...(cut ? [`${grouped(cut)} packets lack their end in the capture and were sent as they are`] : []),
    ...(fault ? [`the capture is damaged, what comes before was sent: ${faultText(fault)}`] : []),
  ]
  return { packets, times: Float64Array.from(times), notes, damaged: fault !== undefined }
}
