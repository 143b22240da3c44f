/* programs/port-knocking.ts in C. */
#include "parse.h"

enum { CLOSED_1, CLOSED_2, CLOSED_3, OPEN };
enum { FIRST, SECOND, THIRD };
enum { OPENED, REFUSED };

struct source { u32 address; };
struct knocks { u32 tag; struct source key; u8 state; u8 padding[7]; };
#define TABLE knocks
#define ENTRY struct knocks
#define KEY struct source
#define CAPACITY 65536
#include "table.h"

static inline u8 next(const u64 *settings, u8 state, u16 knock) {
  if (state == OPEN) return OPEN;
  if (state == CLOSED_1 && knock == (u16)settings[FIRST]) return CLOSED_2;
  if (state == CLOSED_2 && knock == (u16)settings[SECOND]) return CLOSED_3;
  if (state == CLOSED_3 && knock == (u16)settings[THIRD]) return OPEN;
  return CLOSED_1;
}

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  u8 *segment = ip ? tcp(p, ip) : 0;
  if (!segment) return DROP;
  const struct source key = {load32(ip + 12)};
  bool made;
  struct knocks *e = knocks_upsert(c, c->state, &key, 0, 0, &made);
  const u8 before = e ? e->state : CLOSED_1;
  const u8 state = next(c->settings, before, be16(load16(segment + 2)));
  if (e) e->state = state;
  else c->counters[REFUSED]++;
  if (state != OPEN) return DROP;
  if (before != OPEN) c->counters[OPENED]++;
  return TRANSMIT;
}

#include "harness.h"
