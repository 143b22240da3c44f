// Our programs in the kernel: which there are, where they are attached, who keeps them, and how to take them off.
//
// Ours is what has a description (description.ts). A program lives while its owner runs, or while it is pinned in a
// folder of its name below `pinFolder`; one attached over netlink outlives its owner and is found all the same.

import { mkdirSync, rmdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { linkInfo, links, openLink, openMap, programInfo, programs, xdpLinkType } from '../../sys/info.js'
import { interfaces } from '../../sys/interfaces.js'
import {
  bpfFilesystem,
  openPinnedLink,
  openPinnedProgram,
  pin,
  pinned,
  requirePinning,
  unpin,
} from '../../sys/pin.js'
import { holders } from '../../sys/process.js'
import type { Holder } from '../../sys/process.js'
import { detachProgram } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import { descriptionMap, readDescription } from './description.js'
import type { Description } from './description.js'
import type { LoadedProgram } from './load.js'

/** Where our pins are. */
export const pinFolder = join(bpfFilesystem, 'hairpin')

export interface AttachedTo {
  readonly index: number
  readonly name: string
  readonly mode: 'native' | 'generic' | 'hardware'
}

export interface OwnProgram {
  readonly programId: number
  readonly description: Description
  readonly tag: string
  readonly mapIds: readonly number[]
  /** Devices in this namespace. */
  readonly devices: readonly AttachedTo[]
  readonly linkIds: readonly number[]
  /** Links with a device that this namespace does not show. */
  readonly elsewhere: number
  /** Names it is pinned under. */
  readonly pins: readonly string[]
  /** Processes that hold it. */
  readonly holders: readonly Holder[]
}

/** What there is to know of a program without asking every process whether it holds it. */
export type SeenProgram = Omit<OwnProgram, 'holders'>

/** All programs of ours on this machine, by id. */
export const ownPrograms = (): OwnProgram[] =>
  seenPrograms().map(seen => {
    const held = [...holders('prog', seen.programId), ...seen.linkIds.flatMap(id => holders('link', id))]
    return { ...seen, holders: held.filter(({ pid }, k) => held.findIndex(h => h.pid === pid) === k) }
  })

/** The same without holders, which take a walk through all processes to find. */
export function seenPrograms(): SeenProgram[] {
  const devices = interfaces()
  const allLinks = links().filter(l => l.type === xdpLinkType)
  const pins = pinnedPrograms()
  return programs().flatMap(({ id, type, tag, mapIds }) => {
    const description = type === 'xdp' ? descriptionOf(mapIds) : undefined
    if (!description) return []
    const own = allLinks.filter(l => l.programId === id)
    const here = devices.flatMap(({ index, name, xdp }) =>
      xdp.filter(x => x.programId === id).map(({ mode }) => ({ index, name, mode })),
    )
    const attached = own.filter(l => l.interfaceIndex !== 0).length
    return {
      programId: id,
      description,
      tag,
      mapIds,
      devices: here,
      linkIds: own.map(l => l.id),
      elsewhere: Math.max(0, attached - here.length),
      pins: [...new Set(pins.filter(p => p.programId === id).map(p => p.name))],
    }
  })
}

function descriptionOf(mapIds: readonly number[]): Description | undefined {
  for (const id of mapIds) {
    const map = openMap(id)
    try {
      const found = map?.name === descriptionMap ? readDescription(map) : undefined
      if (found) return found
    } finally {
      map?.close()
    }
  }
  return undefined
}

interface Pinned {
  readonly name: string
  readonly programId: number
}

function pinnedPrograms(): Pinned[] {
  return pinned(pinFolder).flatMap(path => {
    const name = basename(dirname(path))
    if (/^link(-\d+)?$/.test(basename(path))) {
      const link = openPinnedLink(path)
      const { programId } = linkInfo(link)
      link.close()
      return [{ name, programId }]
    }
    if (basename(path) !== 'program') return []
    const program = openPinnedProgram(path)
    const { id } = programInfo(program)
    program.close()
    return [{ name, programId: id }]
  })
}

/** Whether something is pinned under that name. */
export const isPinned = (name: string): boolean => pinned(join(pinFolder, name)).length > 0

/** Makes sure pins can be made, before anything is attached. */
export function preparePins(): void {
  requirePinning()
  mkdirSync(pinFolder, { recursive: true })
}

/** Pins maps first and then what keeps the program attached; takes all away again if one fails. */
export function pinProgram(
  name: string,
  { program, maps }: LoadedProgram,
  attachments: readonly Attachment[],
): void {
  const folder = join(pinFolder, name)
  try {
    for (const [map, descriptor] of maps) pin(descriptor, join(folder, 'maps', pinNameOf(map)))
    pin(program, join(folder, 'program'))
    for (const { link, interfaceIndex } of attachments)
      if (link) pin(link, join(folder, `link-${interfaceIndex}`))
  } catch (error) {
    removePins(name)
    throw error
  }
}

/** BPF file systems have no dots in names; no identifier of a program has a hyphen. */
const pinNameOf = (map: string): string => map.replace(/^\./, 'hairpin-')

/** Removes what is pinned under a name, and the folders. */
export function removePins(name: string): void {
  const folder = join(pinFolder, name)
  for (const path of pinned(folder)) unpin(path)
  for (const path of [join(folder, 'maps'), folder])
    try {
      rmdirSync(path)
    } catch {
      // It was not there.
    }
}

/** Takes a program off its devices and removes its pins. A process that holds it notices and ends. */
export function detachOwn({ programId, linkIds, devices, pins }: SeenProgram): void {
  for (const id of linkIds) {
    const link = openLink(id)
    if (!link) continue
    if (linkInfo(link).interfaceIndex !== 0) link.detach()
    link.close()
  }
  // What no link holds was attached over netlink.
  for (const { index, mode } of devices) if (mode !== 'hardware') detachProgram(index, mode, programId)
  for (const name of pins) removePins(name)
}
