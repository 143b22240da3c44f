// The system calls hairpin makes, as one interface, and the place where tests put another kernel.
//
// Every function answers like the system call itself: a result that is not negative, or the negative error number.
// Nothing here throws for what the kernel says; the modules around turn numbers into `SystemError` and `Unsupported`.
// The real one (linux.ts) is loaded at the first use, so that hairpin runs without it where there is no Linux.

import { linux } from './linux.js'

/** Bytes that the kernel reads or writes in place. */
export type Bytes = Uint8Array<ArrayBufferLike>

export interface Kernel {
  /** bpf(2). `attr` is union bpf_attr up to the last field in use; the kernel writes results into it. */
  bpf(command: number, attr: Bytes): number
  close(fd: number): number
  /** mmap(2) where the kernel likes, or at `address` with MAP_FIXED: the address, or a negative error number. */
  mmap(address: bigint, length: number, protection: number, flags: number, fd: number, offset: bigint): bigint
  munmap(address: bigint, length: number): number
  socket(domain: number, type: number, protocol: number): number
  /** bind(2) to a struct sockaddr. */
  bind(fd: number, address: Bytes): number
  /** send(2); without bytes, a kick of an AF_XDP socket. */
  send(fd: number, bytes: Bytes | null, flags: number): number
  receive(fd: number, into: Bytes, flags: number): number
  setsockopt(fd: number, level: number, name: number, value: Bytes): number
  /** getsockopt(2): the length of the value written to `into`. */
  getsockopt(fd: number, level: number, name: number, into: Bytes): number
  /** poll(2) on an array of struct pollfd, which it writes to; 0 when `milliseconds` have passed. */
  poll(fds: Bytes, milliseconds: number): number
  /** The same on a thread of the FFI's pool; the bytes must stay as they are until `done`. */
  pollLater(fds: Bytes, milliseconds: number, done: (result: number) => void): void
  ioctl(fd: number, request: number, argument: Bytes): number
  /** Moves the calling thread, and no other, into the namespace behind a descriptor. */
  setns(fd: number, kind: number): number
  unshare(flags: number): number
  /** clock_gettime(2): nanoseconds, or a negative error number. */
  clock(clock: number): bigint
  /** Pins the calling thread to the CPUs of a bit mask. */
  setAffinity(mask: Bytes): number
  mount(source: string, target: string, type: string, flags: number): number
  umount(target: string, flags: number): number

  /** Where bytes lie in memory. Valid while the caller holds a reference to them. */
  address(bytes: ArrayBufferView | ArrayBuffer): bigint
  /** Memory at an address as a buffer, which does not keep it mapped. */
  view(address: bigint, length: number): ArrayBuffer
}

let current: Kernel | undefined

/** The kernel; throws `Unsupported` where there is none to talk to. */
export function kernel(): Kernel {
  return (current ??= linux())
}

/** Puts another kernel in place, in this thread, for tests; gives the way back. */
export function replaceKernel(other: Kernel): () => void {
  const before = current
  current = other
  return () => {
    current = before
  }
}
