/* programs/busy-forwarder.ts in C. */
#include "parse.h"

static inline u32 process(const struct context *c, struct packet p) {
  if (p.length < 14) return DROP;
  const u32 source = be32(load32(p.data + 8)), destination = be32(load32(p.data + 2));
  u32 hash = load32(c->state) ^ source ^ destination ^ p.length;
  const u32 iterations = c->settings[0];
  for (u32 i = 0; i < 4096 && i < iterations; i++) {
    hash ^= hash << 13;
    hash ^= hash >> 17;
    hash ^= hash << 5;
  }
  store32(c->state, hash);
  swap_macs(p.data);
  return TRANSMIT;
}

#include "harness.h"
