/* programs/port-knocking.ts as XDP. */
#include "xdp.h"

struct source { u32 address; };
struct state { u8 state; };
#define KEY struct source
#define VALUE struct state
#define CAPACITY 65536
#include "table.h"

enum { CLOSED_1, CLOSED_2, CLOSED_3, OPEN };
enum { FIRST, SECOND, THIRD };
enum { OPENED, REFUSED };

INLINE u8 next(u8 state, u16 knock) {
  if (state == OPEN) return OPEN;
  if (state == CLOSED_1 && knock == (u16)settings[FIRST]) return CLOSED_2;
  if (state == CLOSED_2 && knock == (u16)settings[SECOND]) return CLOSED_3;
  if (state == CLOSED_3 && knock == (u16)settings[THIRD]) return OPEN;
  return CLOSED_1;
}

SEC("xdp") int port_knocking(struct xdp_md *c) {
  const struct packet p = packet_of(c);
  struct ipv4 *ip = ipv4(p);
  struct tcp *segment = ip ? tcp(p, ip) : 0;
  if (!segment) return DROP;
  const KEY key = {ip->source};
  const VALUE initial = {CLOSED_1};
  VALUE *v = upsert(&key, 0, &initial);
  const u8 before = v ? v->state : CLOSED_1;
  const u8 state = next(before, be16(segment->destination));
  if (v) v->state = state;
  else count(REFUSED);
  if (state != OPEN) return DROP;
  if (before != OPEN) count(OPENED);
  return TRANSMIT;
}
