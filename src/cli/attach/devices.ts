// The interfaces a program is to be attached to: they are there, and packets come to the one state one after the other.

import { channels } from '../../sys/ethtool.js'
import { interfaces } from '../../sys/interfaces.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { Failure, UsageError } from '../command.js'
import { exit } from '../exit.js'
import { hint } from '../nearest.js'

/** An interface by its name; one that is not there ends the command with what there is. */
export function deviceNamed(name: string): NetworkInterface {
  const all = interfaces()
  const found = all.find(i => i.name === name)
  if (found) return found
  const names = all.map(i => i.name)
  throw new Failure(
    `there is no interface ${name} in this namespace; there are ${names.join(', ')}.${hint(name, names)}`,
    exit.program,
  )
}

/** Receive queues in use. */
export function queuesOf({ name, receiveQueues }: NetworkInterface): number {
  const inUse = channels(name)
  return inUse ? inUse.receive + inUse.combined : receiveQueues
}

/** Makes sure that the interfaces exist; with `serial`, that one CPU at a time runs the program. */
export function checkDevices(
  names: readonly string[],
  serial: boolean,
  io: { err(text: string): void },
): void {
  const twice = names.find((name, k) => names.indexOf(name) !== k)
  if (twice !== undefined) throw new UsageError(`${twice} is there twice`)
  const devices = names.map(deviceNamed)
  for (const { name, up } of devices)
    if (!up) io.err(`${name} is down: it receives nothing until ip link set dev ${name} up\n`)
  if (serial) requireSerial(devices)
}

/** Ends the command where several CPUs would run the program at a time; `why` no table of the card helps. */
export function requireSerial(devices: readonly NetworkInterface[], why?: string): void {
  if (devices.length > 1)
    throw new Failure(
      `on ${devices.length} interfaces CPUs would change the state at the same time; strategy single takes one ` +
        'interface for a program with state, strategy shared any number',
      exit.program,
    )
  for (const device of devices) {
    const queues = queuesOf(device)
    if (queues <= 1) continue
    const combined = (channels(device.name)?.combined ?? 0) > 0
    throw new Failure(
      `${device.name} has ${queues} receive queues, on which CPUs would change the state at the same time; ` +
        `strategy single needs one queue: ethtool -L ${device.name} ${combined ? 'combined' : 'rx'} 1` +
        `${why === undefined ? '' : `; ${why}`}` +
        '\n--strategy shared keeps them apart by a lock',
      exit.program,
    )
  }
}
