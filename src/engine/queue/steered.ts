// One XDP program per interface, shared by all queues of it that this process opens by hand: an interface takes only one.

import { inNamespace, namespaceId } from '../../sys/namespace.js'
import type { HeldNamespace } from '../../sys/namespace.js'
import type { NetworkInterface } from '../../sys/interfaces.js'
import { attachXdp } from '../../sys/xdp.js'
import type { Attachment } from '../../sys/xdp.js'
import type { Match } from './match.js'
import { loadSteering } from './steering.js'
import type { Steering } from './steering.js'

interface Shared {
  readonly steering: Steering
  readonly attachment: Attachment
  readonly text: string
  users: number
}

const known = new Map<string, Shared>()

export interface Steered {
  readonly steering: Steering
  readonly mode: 'native' | 'generic'
  /** Takes the program off once nobody uses it. */
  release(): void
}

/** Steering of an interface: loaded and attached, or that which is there already for the same expression. */
export function steered(
  device: NetworkInterface,
  match: Match,
  xdp: 'native' | 'generic' | 'auto',
  home: HeldNamespace,
): Steered {
  const key = `${namespaceId(home.path)} ${device.index}`
  let shared = known.get(key)
  if (shared !== undefined && shared.text !== match.text)
    throw new RangeError(
      `another queue of ${device.name} is open with steer '${shared.text}', and one expression holds for all`,
    )
  if (shared === undefined) {
    const steering = loadSteering(match)
    try {
      const attachment = inNamespace(home.path, () => attachXdp(steering.program, device.index, xdp))
      shared = { steering, attachment, text: match.text, users: 0 }
    } catch (error) {
      steering.close()
      throw error
    }
    known.set(key, shared)
  }
  const { steering, attachment } = shared
  shared.users++
  let released = false
  return {
    steering,
    mode: attachment.mode,
    release() {
      if (released) return
      released = true
      if (--shared.users > 0) return
      known.delete(key)
      try {
        inNamespace(home.path, () => attachment.detach())
      } catch {
        // It went with the interface.
      }
      steering.close()
    },
  }
}
