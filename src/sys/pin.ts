// Pinning: names in a BPF file system that keep an object alive without a process.

import { mkdirSync, readdirSync, statfsSync, unlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Attributes, bpf } from './bpf.js'
import type { Descriptor } from './descriptor.js'
import { errno } from './errno.js'
import { checked, Unsupported } from './failure.js'
import type { Explanation } from './failure.js'
import { adoptMap, adoptProgram } from './info.js'
import { kernel } from './kernel.js'
import { XdpLink } from './link.js'
import type { BpfMap } from './map.js'
import type { BpfProgram } from './program.js'

/** Where the BPF file system is, by convention. */
export const bpfFilesystem = '/sys/fs/bpf'

const BPF_FS_MAGIC = 0xcafe_4a11

/** Whether a BPF file system is mounted at or above a path that exists. */
export function isBpfFilesystem(path: string): boolean {
  try {
    return statfsSync(path).type === BPF_FS_MAGIC
  } catch {
    return false
  }
}

/** Mounts a BPF file system there if there is none, as bpftool and ip do. */
export function mountBpfFilesystem(path = bpfFilesystem): void {
  if (isBpfFilesystem(path)) return
  checked(kernel().mount('bpf', path, 'bpf', 0), `mount of a BPF file system at ${path}`, error =>
    error === errno.EPERM
      ? { reason: 'mounting needs root', remedy: 'run it as root, or without a pin' }
      : {},
  )
}

/** Gives the object a name; folders above it are made. Throws EEXIST if the name is taken. */
export function pin(object: Descriptor, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  bpf('OBJ_PIN', new Attributes(16).text(0, path).u32(8, object.fd), error => explain(error, path))
}

/** Takes a name away; the object goes when nobody holds it. False if there was none. */
export function unpin(path: string): boolean {
  try {
    unlinkSync(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** Opens what is pinned there, as its kind. */
export const openPinnedMap = (path: string): BpfMap => adoptMap(openPinned(path))
export const openPinnedProgram = (path: string): BpfProgram => adoptProgram(openPinned(path))
export const openPinnedLink = (path: string): XdpLink => new XdpLink(openPinned(path))

function openPinned(path: string): number {
  return bpf('OBJ_GET', new Attributes(16).text(0, path), error => explain(error, path))
}

/** Paths of everything pinned in a folder and below, without the kernel's own; empty if there is no such folder. */
export function pinned(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => !entry.isDirectory() && !ofTheKernel.has(entry.name))
      .map(entry => join(entry.parentPath ?? entry.path, entry.name))
      .toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** What the kernel puts into every BPF file system. */
const ofTheKernel = new Set(['maps.debug', 'progs.debug'])

function explain(error: number, path: string): Explanation {
  switch (error) {
    case errno.EEXIST:
      return { reason: `${path} is already there` }
    case errno.ENOENT:
      return { reason: `nothing is pinned at ${path}` }
    case errno.EPERM:
    case errno.EINVAL:
      return isBpfFilesystem(dirname(path))
        ? {}
        : {
            reason: `${dirname(path)} is not in a BPF file system`,
            remedy: `mount -t bpf bpf ${bpfFilesystem}`,
          }
    default:
      return {}
  }
}

/** Throws unless pins can be made below the folder; mounts the conventional place if needed. */
export function requirePinning(folder = bpfFilesystem): void {
  if (folder === bpfFilesystem) mountBpfFilesystem()
  if (!isBpfFilesystem(folder))
    throw new Unsupported(
      'pinning',
      'a BPF file system',
      `another file system at ${folder}`,
      `mount -t bpf bpf ${folder}`,
    )
}
