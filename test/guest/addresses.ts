// What the emulated machine and its host agree on: addresses, and orders by which the machine has traffic sent to it.

export const addresses = {
  /** Of the wire that traffic goes over. */
  host: '10.66.1.1',
  guest: '10.66.1.2',
  /** Where orders are taken. */
  orders: '10.66.2.1',
  guestOrders: '10.66.2.2',
} as const

export const macs = { host: '02:68:70:00:00:01', guest: '02:68:70:00:00:02' } as const

export const orderPort = 5000

/** One line of JSON each. */
export type Order =
  | {
      /** Sends frames (base64) in turn, `count` in all, at a rate per second. */
      readonly do: 'send'
      readonly frames: readonly string[]
      readonly count: number
      readonly rate: number
    }
  | {
      /** Opens TCP connections to the machine, and has one message come back on each. */
      readonly do: 'talk'
      readonly connections: number
      readonly port: number
    }
  | { readonly do: 'ping'; readonly count: number }

/** One line of JSON for each order. `dropped`: by the host's end of the wire. */
export interface Answer {
  readonly sent?: number
  readonly dropped?: number
  readonly answered?: number
  readonly error?: string
}
