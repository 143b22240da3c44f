// Processor time of the calling thread: what a measurement of work in the kernel is made by, because waiting, other
// threads and other processes are not in it.

import { kernel } from './kernel.js'
import { checked } from './failure.js'

const CLOCK_THREAD_CPUTIME_ID = 3

/** Nanoseconds that the calling thread has run, in user space and in the kernel. */
export function threadTime(): bigint {
  const time = kernel().clock(CLOCK_THREAD_CPUTIME_ID)
  if (time < 0n) checked(Number(time), 'clock_gettime')
  return time
}
