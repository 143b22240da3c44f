// The real kernel: libc's functions called through koffi.
//
// The package is loaded when the first system call is made, never before: everything else of hairpin works where it,
// or Linux, is missing. Calls are synchronous; errno is read directly after each.

import { createRequire } from 'node:module'
import type Koffi from 'koffi'
import { Unsupported } from './failure.js'
import type { Bytes, Kernel } from './kernel.js'

/** Number of the bpf system call, the only one without a function in libc. */
const bpfNumbers: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280 }

/** Bytes of a struct pollfd. */
const pollBytes = 8

type Argument = number | bigint | string | Bytes | null

/** Loads the FFI package and binds the functions; throws `Unsupported` where that is impossible. */
export function linux(): Kernel {
  const feature = 'talking to the kernel (BPF, XDP, namespaces)'
  if (process.platform !== 'linux') throw new Unsupported(feature, 'Linux', process.platform)
  const bpfNumber = bpfNumbers[process.arch]
  if (bpfNumber === undefined)
    throw new Unsupported(feature, `one of ${Object.keys(bpfNumbers).join(', ')}`, process.arch)
  return bind(load(feature), bpfNumber)
}

function load(feature: string): typeof Koffi {
  try {
    return createRequire(import.meta.url)('koffi') as typeof Koffi
  } catch (error) {
    const found = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new Unsupported(feature, 'the package koffi', found, 'run npm install again', { cause: error })
  }
}

function bind(koffi: typeof Koffi, bpfNumber: number): Kernel {
  const libc = koffi.load(null)
  /** A function of libc that answers -1 and sets errno. */
  const bound = (definition: string): ((...args: Argument[]) => number) => {
    const call = libc.func(definition)
    return (...args) => {
      const result: number = call(...args)
      return result === -1 ? -koffi.errno() : result
    }
  }
  const bpf = bound('long syscall(long number, int command, void *attr, uint32_t size)')
  const close = bound('int close(int fd)')
  const map = libc.func(
    'void *mmap(uintptr_t at, size_t length, int prot, int flags, int fd, int64_t offset)',
  )
  const munmap = bound('int munmap(uintptr_t at, size_t length)')
  const socket = bound('int socket(int domain, int type, int protocol)')
  const bindTo = bound('int bind(int fd, void *address, uint32_t length)')
  const send = bound('long send(int fd, void *bytes, size_t length, int flags)')
  const receive = bound('long recv(int fd, void *bytes, size_t length, int flags)')
  const set = bound('int setsockopt(int fd, int level, int name, void *value, uint32_t length)')
  const get = bound('int getsockopt(int fd, int level, int name, void *value, void *length)')
  const pollNow = libc.func('int poll(void *fds, unsigned long count, int milliseconds)')
  const ioctl = bound('int ioctl(int fd, unsigned long request, void *argument)')
  const setns = bound('int setns(int fd, int kind)')
  const unshare = bound('int unshare(int flags)')
  const setAffinity = bound('int sched_setaffinity(int thread, size_t length, void *mask)')
  const clock = bound('int clock_gettime(int clock, void *time)')
  const mount = bound('int mount(str source, str target, str type, unsigned long flags, void *data)')
  const umount = bound('int umount2(str target, int flags)')
  return {
    bpf: (command, attr) => bpf(bpfNumber, command, attr, attr.length),
    close,
    mmap(address, length, protection, flags, fd, offset) {
      const mapped = BigInt(map(address, length, protection, flags, fd, offset) as bigint)
      return BigInt.asIntN(64, mapped) === -1n ? -BigInt(koffi.errno()) : mapped
    },
    munmap,
    socket,
    bind: (fd, address) => bindTo(fd, address, address.length),
    send: (fd, bytes, flags) => send(fd, bytes, bytes?.length ?? 0, flags),
    receive: (fd, into, flags) => receive(fd, into, into.length, flags),
    setsockopt: (fd, level, name, value) => set(fd, level, name, value, value.length),
    getsockopt(fd, level, name, into) {
      const length = new Uint32Array([into.length])
      const result = get(fd, level, name, into, new Uint8Array(length.buffer))
      return result < 0 ? result : length[0]
    },
    poll(fds, milliseconds) {
      const result: number = pollNow(fds, fds.length / pollBytes, milliseconds)
      return result === -1 ? -koffi.errno() : result
    },
    pollLater: (fds, milliseconds, done) =>
      pollNow.async(fds, fds.length / pollBytes, milliseconds, (error: Error | null, result: number) =>
        done(error === null ? result : -1),
      ),
    ioctl,
    setns,
    unshare,
    clock(number) {
      const time = new BigInt64Array(2)
      const result = clock(number, new Uint8Array(time.buffer))
      return result < 0 ? BigInt(result) : time[0] * 1_000_000_000n + time[1]
    },
    setAffinity: mask => setAffinity(0, mask.length, mask),
    mount: (source, target, type, flags) => mount(source, target, type, flags, null),
    umount,
    address: bytes => koffi.address(bytes),
    view: (address, length) => koffi.view(address, length),
  }
}
