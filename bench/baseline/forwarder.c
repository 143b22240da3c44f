/* programs/forwarder.ts in C. */
#include "parse.h"

static inline u32 process(const struct context *c, struct packet p) {
  (void)c;
  if (p.length < 14) return DROP;
  swap_macs(p.data);
  return TRANSMIT;
}

#include "harness.h"
