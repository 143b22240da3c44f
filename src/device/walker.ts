// The compiled walkers: WebAssembly that does what walk.ts defines, about two orders of magnitude faster.
// One function per record format and byte order, emitted here with the assembler of backend/wasm. V8 does not inline
// WebAssembly calls, so every step is a TypeScript function that answers instructions and is placed where it is used.
// Hot path: no allocation, no calls, one return per batch. Benchmark: bench/capture-path.ts.
// Read walk.ts first; the order of tests and of writes here is the same.

import {
  block,
  br,
  i32,
  i64,
  if_,
  label,
  local,
  loop,
  memory as bulk,
  select,
  br_if,
  type Code,
  type Label,
  type Local,
} from '../backend/wasm/asm.js'
import { encode } from '../backend/wasm/encode.js'
import { Module, type Func } from '../backend/wasm/module.js'
import { control, entry, lengthOrder, maximumCaptured, stop, timeMode, type Walkers } from './control.js'
import { ethernetHeaderBytes, linkHeaderBytes, linkKind } from './linktype.js'
import { descriptor, descriptorBytes, linkFlags } from './slab.js'
import { blockType } from './walk.js'

const second = 1_000_000_000n

/** The compiled walkers of a memory. Each is compiled when it is first used, once per thread: about a millisecond. */
export function compiledWalkers(memory: WebAssembly.Memory): Walkers {
  const shared = memory.buffer instanceof SharedArrayBuffer
  const ready = new Map<string, WalkFunction>()
  const walk = (format: RecordFormat, little: boolean): WalkFunction => {
    const name = `${format} ${little ? 'little' : 'big'}`
    let found = ready.get(name)
    if (found === undefined) {
      const key = `${name} ${shared}`
      const module = modules.get(key) ?? new WebAssembly.Module(encode(walkerModule(format, little, shared)))
      modules.set(key, module)
      found = new WebAssembly.Instance(module, { env: { memory } }).exports['walk'] as WalkFunction
      ready.set(name, found)
    }
    return found
  }
  return {
    pcap: (at, little) => walk('pcap', little)(at),
    pcapng: (at, little) => walk('pcapng', little)(at),
  }
}

type RecordFormat = 'pcap' | 'pcapng'
type WalkFunction = (control: number) => number

const modules = new Map<string, WebAssembly.Module>()

/** The module of one walker, before encoding; it exports `walk`. */
export function walkerModule(format: RecordFormat, little: boolean, shared: boolean): Module {
  const module = new Module(`walk ${format}`)
  module.importMemory('env', 'memory', shared ? { initial: 1, maximum: 65_536, shared } : { initial: 1 })
  const walk = new Walk(module, `${format}.${little ? 'little' : 'big'}`, little)
  module.export('walk', format === 'pcap' ? walk.pcap() : walk.pcapng())
  return module
}

/** One walker under construction: its locals, and the steps as instructions. */
class Walk {
  readonly #function: Func<'at'>
  readonly #little: boolean
  readonly #at: Local
  /** State that lives in the control block between calls: local, offset, width. */
  readonly #state: { local: Local; offset: number }[] = []
  readonly #cursor: Local
  readonly #end: Local
  readonly #out: Local
  readonly #outEnd: Local
  readonly #times: Local
  readonly #start: Local
  readonly #last: Local
  readonly #started: Local
  readonly #clamped: Local
  readonly #repaired: Local
  readonly #bytes: Local
  readonly #wireBytes: Local
  /** Of the packet at hand. */
  readonly #left: Local
  readonly #need: Local
  readonly #next: Local
  readonly #entry: Local
  readonly #address: Local
  readonly #captured: Local
  readonly #original: Local
  readonly #time: Local
  readonly #timed: Local
  readonly #since: Local
  readonly #kind: Local
  readonly #header: Local
  readonly #type: Local
  readonly #link: Local
  readonly #wide: Local
  readonly #reason: Local
  readonly #exit: Label = label('exit')
  readonly #again: Label = label('again')

  constructor(module: Module, name: string, little: boolean) {
    this.#function = module.func(name, { at: 'i32' }, ['i32'])
    this.#little = little
    this.#at = this.#function.params.at
    this.#cursor = this.#kept('cursor', 'i32', control.cursor)
    this.#end = this.#kept('end', 'i32', control.end)
    this.#out = this.#kept('out', 'i32', control.descriptor)
    this.#outEnd = this.#kept('outEnd', 'i32', control.descriptorEnd)
    this.#times = this.#kept('times', 'i32', control.times)
    this.#start = this.#kept('start', 'i64', control.start)
    this.#last = this.#kept('last', 'i64', control.last)
    this.#started = this.#kept('started', 'i32', control.started)
    this.#clamped = this.#kept('clamped', 'i64', control.clamped)
    this.#repaired = this.#kept('repaired', 'i64', control.repaired)
    this.#bytes = this.#kept('bytes', 'i64', control.bytes)
    this.#wireBytes = this.#kept('wireBytes', 'i64', control.wireBytes)
    this.#need = this.#kept('need', 'i32', control.need)
    const declare = (local: string, type: 'i32' | 'i64' = 'i32') => this.#function.local(local, type)
    this.#left = declare('left')
    this.#next = declare('next')
    this.#entry = declare('entry')
    this.#address = declare('address')
    this.#captured = declare('captured')
    this.#original = declare('original')
    this.#timed = declare('timed')
    this.#kind = declare('kind')
    this.#header = declare('header')
    this.#type = declare('type')
    this.#link = declare('link')
    this.#reason = declare('reason')
    this.#time = declare('time', 'i64')
    this.#since = declare('since', 'i64')
    this.#wide = declare('wide', 'i64')
  }

  pcap(): Func {
    const header = this.#function.local('recordBytes', 'i32')
    const order = this.#function.local('order', 'i32')
    const factor = this.#function.local('factor', 'i64')
    return this.#finish(
      [
        [local.get(this.#at), i32.const(control.table), i32.add, local.set(this.#entry)],
        [local.get(this.#at), i32.load(control.recordBytes), local.set(header)],
        [local.get(this.#at), i32.load(control.lengthOrder), local.set(order)],
        [local.get(this.#entry), i64.load(entry.factor, 1), local.set(factor)],
      ],
      [
        this.#stopForMore([local.get(header)]),
        [this.#read32(this.#cursor, 8), local.set(this.#captured)],
        [this.#read32(this.#cursor, 12), local.set(this.#original)],
        [local.get(order), if_(this.#maybeSwapLengths(order))],
        this.#stopIf([local.get(this.#captured), i32.const(maximumCaptured), i32.gt_u], stop.length),
        this.#stopForMore([local.get(header), local.get(this.#captured), i32.add]),
        [local.get(this.#cursor), local.get(header), i32.add, local.tee(this.#address)],
        [local.get(this.#captured), i32.add, local.set(this.#next)],
        this.#stopIf([local.get(this.#out), local.get(this.#outEnd), i32.eq], stop.full),
        [this.#read32(this.#cursor, 0), i64.extend_i32_u, i64.const(second), i64.mul],
        [this.#read32(this.#cursor, 4), i64.extend_i32_u, local.get(factor), i64.mul, i64.add],
        local.set(this.#time),
        this.#deliver(true),
      ],
    )
  }

  pcapng(): Func {
    const total = this.#function.local('total', 'i32')
    const block_ = this.#function.local('block', 'i32')
    const is = (type: number): Code => [local.get(block_), i32.const(type), i32.eq]
    return this.#finish(
      [],
      [
        this.#stopForMore([i32.const(12)]),
        [this.#read32(this.#cursor, 0), local.set(block_)],
        this.#stopIf([is(blockType.section), is(blockType.interface), i32.or], stop.host),
        [this.#read32(this.#cursor, 4), local.set(total)],
        this.#stopIf(
          [
            [local.get(total), i32.const(12), i32.lt_u],
            [local.get(total), i32.const(3), i32.and, i32.const(0), i32.ne, i32.or],
          ],
          stop.block,
        ),
        this.#stopForMore([local.get(total)]),
        [local.get(this.#cursor), local.get(total), i32.add, local.tee(this.#next)],
        [i32.const(4), i32.sub, local.set(this.#address)],
        this.#stopIf([this.#read32(this.#address, 0), local.get(total), i32.ne], stop.block),
        [is(blockType.enhancedPacket), is(blockType.packet), i32.or],
        if_(this.#packetBlock(block_, total), [
          is(blockType.simplePacket),
          if_(this.#simplePacketBlock(total)),
        ]),
      ],
    )
  }

  #packetBlock(block_: Local, total: Local): Code {
    return [
      this.#stopIf([local.get(total), i32.const(32), i32.lt_u], stop.block),
      [this.#read32(this.#cursor, 20), local.set(this.#captured)],
      this.#stopIf(
        [
          [local.get(this.#captured), i32.const(maximumCaptured), i32.gt_u],
          [local.get(this.#captured), local.get(total), i32.const(32), i32.sub, i32.gt_u, i32.or],
        ],
        stop.length,
      ),
      [local.get(block_), i32.const(blockType.packet), i32.eq],
      if_('i32', this.#read16(this.#cursor, 8), this.#read32(this.#cursor, 8)),
      this.#pickEntry(),
      this.#stopIf([local.get(this.#out), local.get(this.#outEnd), i32.eq], stop.full),
      [this.#read32(this.#cursor, 24), local.set(this.#original)],
      [this.#read32(this.#cursor, 12), i64.extend_i32_u, i64.const(32), i64.shl],
      [this.#read32(this.#cursor, 16), i64.extend_i32_u, i64.or, local.set(this.#time)],
      this.#nanoseconds(),
      [i32.const(1), local.set(this.#timed)],
      [local.get(this.#cursor), i32.const(28), i32.add, local.set(this.#address)],
      this.#deliver(false),
    ]
  }

  #simplePacketBlock(total: Local): Code {
    const snaplen = this.#header
    return [
      this.#stopIf([local.get(total), i32.const(16), i32.lt_u], stop.block),
      [i32.const(0), this.#pickEntry()],
      [this.#read32(this.#cursor, 8), local.tee(this.#original), local.set(this.#captured)],
      [local.get(this.#entry), i32.load(entry.snaplen, 1), local.tee(snaplen)],
      if_([minimum(this.#captured, [local.get(snaplen)])]),
      minimum(this.#captured, [local.get(total), i32.const(16), i32.sub]),
      this.#stopIf([local.get(this.#captured), i32.const(maximumCaptured), i32.gt_u], stop.length),
      this.#stopIf([local.get(this.#out), local.get(this.#outEnd), i32.eq], stop.full),
      [local.get(this.#started), local.set(this.#timed)],
      [local.get(this.#start), local.get(this.#last), i64.add, local.set(this.#time)],
      [local.get(this.#cursor), i32.const(12), i32.add, local.set(this.#address)],
      this.#deliver(false),
    ]
  }

  /** Takes an interface number from the stack; stops unless it is described and readable. */
  #pickEntry(): Code {
    return [
      local.tee(this.#entry),
      [local.get(this.#at), i32.load(control.interfaces), i32.ge_u],
      if_(this.#stopWith(stop.interface)),
      [local.get(this.#entry), i32.const(entry.bytes), i32.mul, local.get(this.#at), i32.add],
      [i32.const(control.table), i32.add, local.set(this.#entry)],
      this.#stopIf(
        [local.get(this.#entry), i32.load(entry.kind, 1), i32.const(linkKind.unsupported), i32.eq],
        stop.link,
      ),
    ]
  }

  /** The ticks in `time` become ns. */
  #nanoseconds(): Code {
    const ticks = local.get(this.#time)
    const factor = [local.get(this.#entry), i64.load(entry.factor, 1)]
    const shift = this.#wide
    const mode = this.#kind
    const fraction = this.#since
    const binary = [
      [local.get(this.#entry), i64.load32_u(entry.shift, 1), local.set(shift)],
      [ticks, i64.const(1), local.get(shift), i64.shl, i64.const(1), i64.sub, i64.and, local.set(fraction)],
      [ticks, local.get(shift), i64.shr_u, i64.const(second), i64.mul, local.set(this.#time)],
      [local.get(shift), i64.const(32), i64.gt_u],
      if_([
        [local.get(fraction), local.get(shift), i64.const(32), i64.sub, i64.shr_u, local.set(fraction)],
        [i64.const(32), local.set(shift)],
      ]),
      [local.get(fraction), i64.const(second), i64.mul, local.get(shift), i64.shr_u],
      [ticks, i64.add, local.set(this.#time)],
    ]
    return [
      [local.get(this.#entry), i32.load(entry.mode, 1), local.tee(mode)],
      if_(
        [
          [local.get(mode), i32.const(timeMode.divide), i32.eq],
          if_([ticks, factor, i64.div_u, local.set(this.#time)], binary),
        ],
        [ticks, factor, i64.mul, local.set(this.#time)],
      ),
      [ticks, local.get(this.#entry), i64.load(entry.offset, 1), i64.add, local.set(this.#time)],
    ]
  }

  /** Writes the descriptor of the packet in `address`, `captured`, `original`, `time`; `timed` counts if not sure. */
  #deliver(sureOfTime: boolean): Code {
    return [
      [local.get(this.#original), local.get(this.#captured), i32.lt_u],
      if_([[local.get(this.#captured), local.set(this.#original)], increment(this.#repaired, i64.const(1))]),
      increment(this.#bytes, [local.get(this.#captured), i64.extend_i32_u]),
      increment(this.#wireBytes, [local.get(this.#original), i64.extend_i32_u]),
      [i32.const(0), local.set(this.#link)],
      [local.get(this.#entry), i32.load(entry.kind, 1), local.tee(this.#kind)],
      if_(this.#normalise()),
      [local.get(this.#out), local.get(this.#address), i32.store(descriptor.address, 1)],
      [local.get(this.#out), local.get(this.#captured), i32.store(descriptor.length, 1)],
      [local.get(this.#out), local.get(this.#original), i32.store(descriptor.original, 1)],
      [local.get(this.#out), local.get(this.#entry), i32.load(entry.device, 1)],
      i32.store(descriptor.device, 1),
      sureOfTime
        ? this.#relativeTime()
        : [
            local.get(this.#timed),
            if_(this.#relativeTime(), [[i64.const(0), local.tee(this.#since), local.set(this.#time)]]),
          ],
      [local.get(this.#out), local.get(this.#since), i64.store(descriptor.timestamp, 1)],
      [local.get(this.#out), i32.const(0), i32.store(descriptor.verdict, 1)],
      [local.get(this.#out), local.get(this.#link), i32.store(descriptor.link, 1)],
      [local.get(this.#out), i32.const(descriptorBytes), i32.add, local.set(this.#out)],
      local.get(this.#times),
      if_([
        [local.get(this.#times), local.get(this.#time), i64.store(0, 1)],
        [local.get(this.#times), i32.const(8), i32.add, local.set(this.#times)],
      ]),
    ]
  }

  /** `since` becomes the time since the first packet, clamped. */
  #relativeTime(): Code {
    return [
      [local.get(this.#started), i32.eqz],
      if_([
        [i32.const(1), local.set(this.#started)],
        [local.get(this.#time), local.set(this.#start)],
      ]),
      [local.get(this.#time), local.get(this.#start), i64.sub, local.tee(this.#since)],
      [local.get(this.#last), i64.lt_s],
      if_(
        [increment(this.#clamped, i64.const(1)), local.get(this.#last), local.set(this.#since)],
        [local.get(this.#since), local.set(this.#last)],
      ),
    ]
  }

  /** Replaces the link header of the packet by an Ethernet one. */
  #normalise(): Code {
    const lengths = linkHeaderBytes.reduce(
      (all, bytes, kind) => all | (BigInt(bytes) << BigInt(kind * 8)),
      0n,
    )
    const header = this.#header
    const captured = local.get(this.#captured)
    return [
      [i64.const(lengths), local.get(this.#kind), i32.const(3), i32.shl, i64.extend_i32_u, i64.shr_u],
      [i32.wrap_i64, i32.const(0xff), i32.and, local.set(header)],
      this.#etherType(),
      minimum(header, captured),
      [i32.const(linkFlags.synthetic), local.get(header), i32.or],
      [local.get(this.#entry), i32.load(entry.type, 1), i32.const(linkFlags.typeShift), i32.shl, i32.or],
      local.set(this.#link),
      [local.get(this.#address), i32.const(ethernetHeaderBytes), i32.sub],
      [local.get(this.#address), local.get(header), bulk.copy],
      [local.get(this.#address), i32.const(ethernetHeaderBytes), i32.sub, local.get(header), i32.add],
      local.tee(this.#address),
      [i64.const(0), i64.store(0, 1)],
      [local.get(this.#address), i32.const(0), i32.store(8, 1)],
      [local.get(this.#address), local.get(this.#type), i32.const(8), i32.shr_u, i32.store8(12)],
      [local.get(this.#address), local.get(this.#type), i32.store8(13)],
      [captured, i32.const(ethernetHeaderBytes), i32.add, local.get(header), i32.sub],
      local.set(this.#captured),
      [local.get(this.#original), i64.extend_i32_u, i64.const(ethernetHeaderBytes), i64.add],
      [local.get(header), i64.extend_i32_u, i64.sub, local.tee(this.#wide), i32.wrap_i64, i32.const(-1)],
      [local.get(this.#wide), i64.const(0xffff_ffff), i64.le_u, select, local.set(this.#original)],
    ]
  }

  /** `type` becomes the EtherType; `header` is the full length of the link header, `captured` what is there. */
  #etherType(): Code {
    const { ipv4, ipv6 } = { ipv4: 0x0800, ipv6: 0x86dd }
    const set = (type: number): Code => [i32.const(type), local.set(this.#type)]
    const kindIs = (kind: number): Code => [local.get(this.#kind), i32.const(kind), i32.eq]
    const short = [
      local.get(this.#captured),
      [local.get(this.#header), i32.const(1), local.get(this.#header), select],
      i32.lt_u,
    ]
    const done = label('typed')
    const leave = [br(done)]
    return block(done, [
      [set(ipv4), kindIs(linkKind.rawIpv4), br_if(done)],
      [set(ipv6), kindIs(linkKind.rawIpv6), br_if(done)],
      [set(0), short, br_if(done)],
      [kindIs(linkKind.rawIp), if_([this.#versionType(set), leave])],
      [kindIs(linkKind.loopback), if_([this.#familyType(set), leave])],
      [local.get(this.#address), i32.const(14), i32.const(0), kindIs(linkKind.cooked1), select, i32.add],
      [local.tee(this.#type), i32.load8_u(0), i32.const(8), i32.shl],
      [local.get(this.#type), i32.load8_u(1), i32.or, local.tee(this.#type), i32.const(1), i32.eq],
      [local.get(this.#type), i32.const(4), i32.eq, i32.or],
      if_(
        [
          [local.get(this.#original), local.get(this.#header), i32.sub, local.set(this.#type)],
          minimum(this.#type, i32.const(1500)),
        ],
        [local.get(this.#type), i32.const(0x600), i32.lt_u, if_(set(0))],
      ),
    ])
  }

  #versionType(set: (type: number) => Code): Code {
    const version = [local.get(this.#address), i32.load8_u(0), i32.const(4), i32.shr_u]
    return [
      [version, i32.const(4), i32.eq, if_(set(0x0800))],
      [version, i32.const(6), i32.eq, if_(set(0x86dd))],
    ]
  }

  #familyType(set: (type: number) => Code): Code {
    const family = this.#link
    const is = (number: number): Code => [local.get(family), i32.const(number), i32.eq]
    return [
      [local.get(this.#address), i32.load(0, 1), local.tee(family), i32.const(0xffff), i32.gt_u],
      if_([swapped(family, local.get(family)), local.set(family)]),
      [is(2), if_(set(0x0800))],
      [is(10), is(24), i32.or, is(28), i32.or, is(30), i32.or, if_(set(0x86dd))],
    ]
  }

  #maybeSwapLengths(order: Local): Code {
    return [
      [local.get(order), i32.const(lengthOrder.swapped), i32.eq],
      [local.get(this.#captured), local.get(this.#original), i32.gt_u, i32.or],
      if_([
        [local.get(this.#captured), local.get(this.#original)],
        [local.set(this.#captured), local.set(this.#original)],
      ]),
    ]
  }

  /** Stops when fewer than `need` bytes are left at the cursor. */
  #stopForMore(need: Code): Code {
    return [
      [local.get(this.#end), local.get(this.#cursor), i32.sub, need, local.tee(this.#left), i32.lt_u],
      if_([local.get(this.#left), local.set(this.#need), this.#stopWith(stop.more)]),
    ]
  }

  #stopIf(condition: Code, reason: number): Code {
    return [condition, if_(this.#stopWith(reason))]
  }

  #stopWith(reason: number): Code {
    return [i32.const(reason), local.set(this.#reason), br(this.#exit)]
  }

  /** A u32 of the file, at a local plus an offset. */
  #read32(base: Local, offset: number): Code {
    const load = [local.get(base), i32.load(offset, 1)]
    return this.#little ? load : [load, local.set(this.#left), swapped(this.#left, local.get(this.#left))]
  }

  #read16(base: Local, offset: number): Code {
    if (this.#little) return [local.get(base), i32.load16_u(offset, 1)]
    return [
      [local.get(base), i32.load8_u(offset), i32.const(8), i32.shl],
      [local.get(base), i32.load8_u(offset + 1), i32.or],
    ]
  }

  /** A local that is loaded from the control block at entry and stored back at exit. */
  #kept(name: string, type: 'i32' | 'i64', offset: number): Local {
    const made = this.#function.local(name, type)
    this.#state.push({ local: made, offset })
    return made
  }

  /** The function: state in, `body` for each record with `next` as the following cursor, state out. */
  #finish(prologue: Code, body: Code): Func {
    const load = this.#state.map(({ local: kept, offset }) => [
      local.get(this.#at),
      kept.type === 'i32' ? i32.load(offset, 1) : i64.load(offset, 1),
      local.set(kept),
    ])
    const store = this.#state.map(({ local: kept, offset }) => [
      local.get(this.#at),
      local.get(kept),
      kept.type === 'i32' ? i32.store(offset, 1) : i64.store(offset, 1),
    ])
    return this.#function.emit(
      load,
      prologue,
      block(this.#exit, [
        loop(this.#again, [body, local.get(this.#next), local.set(this.#cursor), br(this.#again)]),
      ]),
      store,
      local.get(this.#reason),
    )
  }
}

function increment(counter: Local, by: Code): Code {
  return [local.get(counter), by, i64.add, local.set(counter)]
}

/** `target` becomes the lesser of itself and `limit`, unsigned; `limit` is evaluated twice. */
function minimum(target: Local, limit: Code): Code {
  return [[local.get(target), limit, [local.get(target), limit, i32.lt_u], select, local.set(target)]]
}

/** The bytes of a u32 in the other order; `scratch` is overwritten, `value` evaluated once. */
function swapped(scratch: Local, value: Code): Code {
  return [
    [value, local.tee(scratch), i32.const(8), i32.rotl, i32.const(0x00ff00ff), i32.and],
    [local.get(scratch), i32.const(8), i32.rotr, i32.const(0xff00ff00), i32.and, i32.or],
  ]
}
