// Names of labs on the machine: by them a lab knows what it made, and who made it.
//
// A namespace of a lab is called hairpin-PID.START-SERIAL-NAME while the lab lives with its process, and
// hairpin-kept-LAB-NAME if it was made to stay. Nothing else is ever touched.

import { readdirSync } from 'node:fs'
import { namespaceFolder } from '../sys/namespace.js'
import { isAlive, thisProcess } from '../sys/process.js'
import type { ProcessIdentity } from '../sys/process.js'

let serial = 0

/** A new name for a lab of this process, to which `-` and a namespace's name are added. */
export function ownedName(): string {
  const { pid, start } = thisProcess()
  return `hairpin-${pid}.${start}-${++serial}`
}

/** The name of a lab that outlives its maker. */
export function keptName(lab: string): string {
  return `hairpin-kept-${lab}`
}

/** A namespace of a lab, found on the machine. */
export interface FoundNamespace {
  /** As `ip netns` knows it. */
  readonly full: string
  /** Of the lab: what `ownedName` or `keptName` gave. */
  readonly lab: string
  /** In the lab. */
  readonly name: string
  /** Who made it; undefined for a lab that was made to stay. */
  readonly owner: ProcessIdentity | undefined
}

/** Reads the name of a namespace; undefined if it is no lab's. */
export function readName(full: string): FoundNamespace | undefined {
  const owned = /^(hairpin-(\d+)\.(\d+)-\d+)-([a-z][a-z0-9]*)$/.exec(full)
  if (owned !== null) {
    const [, lab, pid, start, name] = owned
    return { full, lab, name, owner: { pid: Number(pid), start: Number(start) } }
  }
  const kept = /^(hairpin-kept-[a-z][a-z0-9]*)-([a-z][a-z0-9]*)$/.exec(full)
  return kept === null ? undefined : { full, lab: kept[1], name: kept[2], owner: undefined }
}

/** All namespaces of labs on this machine. */
export function foundNamespaces(): FoundNamespace[] {
  let names: string[] = []
  try {
    names = readdirSync(namespaceFolder)
  } catch {
    // Nobody has made a namespace yet.
  }
  return names.flatMap(full => readName(full) ?? [])
}

/** Names, as given to `keptName`, of the labs that were made to stay. */
export function keptLabs(): string[] {
  const kept = foundNamespaces().filter(({ owner }) => owner === undefined)
  return [...new Set(kept.map(({ lab }) => lab.slice(keptName('').length)))].toSorted()
}

/** Those whose maker is gone without having taken them down. */
export function staleNamespaces(): FoundNamespace[] {
  return foundNamespaces().filter(({ owner }) => owner !== undefined && !isAlive(owner))
}
