/* tcp-states.ts as XDP. With HISTORY defined it is a worker: in front of the packet it has `slots` items of others'
   packets, and follows them first. */
#include "xdp.h"

enum { NONE, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSED };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { ESTABLISHED_T, OTHER_T };
enum { REFUSED };

struct ends { u32 low, high; u16 low_port, high_port; };
struct connection { u8 state, opened_by_low; u32 seen, sequence; };
#define KEY struct ends
#define VALUE struct connection
#define CAPACITY 65536
#define FORGET
#include "table.h"

/* What a transition depends on; numbers of the packet are in network order. */
struct item {
  u32 time, source, destination;
  u16 source_port, destination_port;
  u32 sequence;
  u8 flags;
};

INLINE u8 next(u8 state, u8 flags, bool opener) {
  if (flags & RST) return state == NONE ? NONE : CLOSED;
  if (flags & SYN) {
    if (flags & ACK) return state == SYN_SENT && !opener ? SYN_RECEIVED : state;
    return state == NONE || state == TIME_WAIT || state == CLOSED ? SYN_SENT : state;
  }
  if (flags & FIN) {
    if (state == SYN_RECEIVED || state == ESTABLISHED) return FIN_WAIT;
    return state == FIN_WAIT || state == CLOSE_WAIT ? LAST_ACK : state;
  }
  if (state == SYN_RECEIVED) return opener ? ESTABLISHED : SYN_RECEIVED;
  if (state == FIN_WAIT) return CLOSE_WAIT;
  return state == LAST_ACK ? TIME_WAIT : state;
}

/* The state after a segment; CLOSED also if the table is full. */
INLINE u8 follow(const struct item *i) {
  const bool from_low = be32(i->source) < be32(i->destination) ||
                        (i->source == i->destination && be16(i->source_port) <= be16(i->destination_port));
  KEY key;
  if (from_low) key = (KEY){i->source, i->destination, i->source_port, i->destination_port};
  else key = (KEY){i->destination, i->source, i->destination_port, i->source_port};
  VALUE initial;
  __builtin_memset(&initial, 0, sizeof initial);
  VALUE *v = upsert(&key, i->time, &initial);
  if (!v) return CLOSED;
  const u32 timeout = settings[v->state == ESTABLISHED ? ESTABLISHED_T : OTHER_T];
  const u8 before = i->time - v->seen >= timeout * 1000 ? NONE : v->state;
  u8 state = ESTABLISHED;
  if (i->flags & (SYN | FIN | RST) || before != ESTABLISHED)
    state = next(before, i->flags, from_low == v->opened_by_low);
  if (state == SYN_SENT && before != SYN_SENT) v->opened_by_low = from_low;
  v->state = state;
  v->seen = i->time;
  v->sequence = be32(i->sequence);
  return state;
}

INLINE int process(struct packet p, u32 now) {
  struct ipv4 *ip = ipv4(p);
  struct tcp *segment = ip ? tcp(p, ip) : 0;
  if (!segment) return TRANSMIT;
  const struct item item = {now, ip->source, ip->destination, segment->source, segment->destination,
                            segment->sequence, segment->flags};
  const u8 state = follow(&item);
  if (state == NONE) count(REFUSED);
  return state == NONE || state == CLOSED ? DROP : TRANSMIT;
}

#ifdef HISTORY
/* Items in front of a packet, at most 15; a frame begins with its number and its time in milliseconds. */
u64 slots = 0;
struct frame { u32 number, time; struct item items[]; };

SEC("xdp") int worker(struct xdp_md *c) {
  struct packet p = packet_of(c);
  const struct frame *frame = (const struct frame *)p.data;
  if ((u8 *)(frame + 1) > p.end) return DROP;
  const u32 now = frame->time;
  const struct item *i = frame->items;
  const u32 count = slots;
  for (u32 k = 0; k < 15 && k < count; k++, i++) {
    if ((u8 *)(i + 1) > p.end) return DROP;
    follow(i);
  }
  p.data = (u8 *)i;
  return process(p, now);
}
#else
SEC("xdp") int tcp_states(struct xdp_md *c) { return process(packet_of(c), now_ns() / 1000000); }
#endif
