/* programs/connection-tracker.ts as XDP; the comments that explain it stand there. The hash map's connections are
   forgotten by their own timeouts only. With HISTORY defined it is what a replica does about the items of others' packets,
   without verdicts and counters. */
#include "xdp.h"

enum {
  NONE, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSED, SYN_SENT2,
  INVALID = 15,
  NO_SCALE = 15,
  ACK_WINDOW = 66000
};
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { LOOSE, LIBERAL, SYN_SENT_T, SYN_RECEIVED_T, ESTABLISHED_T, FIN_WAIT_T, CLOSE_WAIT_T, LAST_ACK_T, TIME_WAIT_T,
       CLOSED_T };
enum { OPENED_C, ESTABLISHED_C, CLOSED_C, MALFORMED, STATELESS, OUT_OF_WINDOW };

struct ends { u32 low, high; u16 low_port, high_port; };
/* What one end has shown, apart from its scale; the value holds the low end's, then the high end's. */
struct half { u32 end, limit, window; };
struct connection {
  u8 state, opened_by_low, unchecked, low_scale, high_scale;
  u32 seen;
  struct half low, high;
};
#define KEY struct ends
#define VALUE struct connection
#define CAPACITY 65536
#define AFTER 432000000u
#define EVICT
#define FORGET
#include "table.h"

INLINE bool before(u32 a, u32 b) { return (i32)(a - b) < 0; }

/* An option byte; 0 behind the packet's end. */
INLINE u8 option_byte(struct packet p, const struct tcp *segment, u32 at) {
  const u8 *byte = (const u8 *)segment + at;
  keep(byte);
  return byte + 1 <= p.end ? *byte : 0;
}

INLINE u8 offered_scale(struct packet p, const struct tcp *segment) {
  const u32 end = (segment->offset >> 4) * 4;
  u32 at = 20;
  for (u32 option = 0; option < 40 && at < end; option++) {
    at &= 0x3ff;
    const u8 kind = option_byte(p, segment, at);
    if (kind == 0) break;
    if (kind == 3) {
      const u8 shift = option_byte(p, segment, at + 2);
      return shift > 14 ? 14 : shift;
    }
    const u8 size = kind == 1 ? 1 : option_byte(p, segment, at + 1);
    if (size == 0) break;
    at += size;
  }
  return NO_SCALE;
}

INLINE u8 next(u8 state, u8 flags, bool opener) {
  if (flags & RST) return CLOSED;
  if ((flags & (SYN | ACK)) == (SYN | ACK)) {
    if (state == SYN_SENT) return opener ? INVALID : SYN_RECEIVED;
    if (state == SYN_SENT2) return SYN_RECEIVED;
    return opener && state != SYN_RECEIVED ? INVALID : state;
  }
  if (flags & SYN) {
    if (opener || state == SYN_SENT2) return state;
    return state == SYN_SENT ? SYN_SENT2 : INVALID;
  }
  if (flags & FIN) {
    if (state == SYN_SENT || state == SYN_SENT2) return INVALID;
    if (state == SYN_RECEIVED || state == ESTABLISHED) return FIN_WAIT;
    return state == FIN_WAIT || state == CLOSE_WAIT ? LAST_ACK : state;
  }
  if (state == SYN_SENT || state == SYN_SENT2) return opener ? INVALID : state;
  if (state == SYN_RECEIVED) return opener ? ESTABLISHED : SYN_RECEIVED;
  if (state == FIN_WAIT) return CLOSE_WAIT;
  return state == LAST_ACK ? TIME_WAIT : state;
}

INLINE u32 timeout(u8 state) {
  if (state == ESTABLISHED) return settings[ESTABLISHED_T];
  switch (state) {
    case SYN_SENT: case SYN_SENT2: return settings[SYN_SENT_T];
    case SYN_RECEIVED: return settings[SYN_RECEIVED_T];
    case FIN_WAIT: return settings[FIN_WAIT_T];
    case CLOSE_WAIT: return settings[CLOSE_WAIT_T];
    case LAST_ACK: return settings[LAST_ACK_T];
    case TIME_WAIT: return settings[TIME_WAIT_T];
    default: return settings[CLOSED_T];
  }
}

#ifdef HISTORY
/* An item as `hairpin build --emit slice` has it, but three bytes longer, so that loads are aligned; numbers of the packet
   are in network order. */
struct item {
  u32 time, source, destination, sequence, acknowledgement;
  u16 source_port, destination_port, length, window;
  u8 offer : 4, rst : 1, fin : 1, syn : 1, ack : 1;
};

INLINE int follow(const struct item *i) {
  const bool syn = i->syn, ack = i->ack, fin = i->fin, rst = i->rst;
  const u8 flags = syn * SYN | ack * ACK | fin * FIN | rst * RST, offer = i->offer;
  const u32 now = i->time, sent = be32(i->sequence), end = sent + i->length + syn + fin;
  const u32 acknowledgement = be32(i->acknowledgement), raw_window = be16(i->window);
  const u32 source = i->source, destination = i->destination;
  const u16 source_port = i->source_port, destination_port = i->destination_port;
#else
SEC("xdp") int connection_tracker(struct xdp_md *c) {
  const struct packet p = packet_of(c);
  struct ipv4 *ip = ipv4(p);
  struct tcp *segment = ip ? tcp(p, ip) : 0;
  if (!segment) return TRANSMIT;
  const u8 flags = segment->flags & (SYN | ACK | FIN | RST);
  const bool syn = flags & SYN, ack = flags & ACK, fin = flags & FIN, rst = flags & RST;
  const u32 headers = ((ip->version_length & 15) + (segment->offset >> 4)) * 4, total = be16(ip->length);
  if (total < headers || (syn && (fin || rst)) || !(syn || ack || rst)) {
    count(MALFORMED);
    return DROP;
  }
  const u32 now = now_ns() / 1000000;
  const u32 sent = be32(segment->sequence), end = sent + (total - headers) + syn + fin;
  const u32 acknowledgement = be32(segment->acknowledgement), raw_window = be16(segment->window);
  const u8 offer = syn ? offered_scale(p, segment) : NO_SCALE;

  const u32 source = ip->source, destination = ip->destination;
  const u16 source_port = segment->source, destination_port = segment->destination;
#endif

  const bool from_low = be32(source) < be32(destination) ||
                        (source == destination && be16(source_port) <= be16(destination_port));
  KEY key;
  if (from_low) key = (KEY){source, destination, source_port, destination_port};
  else key = (KEY){destination, source, destination_port, source_port};

  const bool opens = !rst && !fin && (syn ? !ack : (bool)settings[LOOSE]);
  if (!opens && !find(&key, now)) {
    count(STATELESS);
    return DROP;
  }
  VALUE initial;
  __builtin_memset(&initial, 0, sizeof initial);
  VALUE *v = upsert(&key, now, &initial);
  if (!v) return DROP;

  struct half *from = from_low ? &v->low : &v->high, *to = from_low ? &v->high : &v->low;
  u8 state = ESTABLISHED;
  bool fresh = false;
  if (flags & (SYN | FIN | RST) || v->state != ESTABLISHED || now - v->seen >= (u32)settings[ESTABLISHED_T] * 1000) {
    const bool opener = from_low == v->opened_by_low;
    const bool gone = v->state == NONE || now - v->seen >= timeout(v->state) * 1000;
    if (gone && !opens) {
      erase(&key, v);
      count(STATELESS);
      return DROP;
    }
    const bool renumbered = v->state == SYN_SENT && opener && end != from->end;
    const bool over = v->state == TIME_WAIT || v->state == CLOSED || renumbered;
    fresh = gone || (over && syn && !ack);
    if (fresh) {
      v->opened_by_low = from_low;
      v->unchecked = !syn;
      from->window = to->window = from->end = to->end = 0;
      v->low_scale = v->high_scale = NO_SCALE;
      count(OPENED_C);
    }
    state = fresh ? (syn ? SYN_SENT : ESTABLISHED) : next(v->state, flags, opener);
    if (state == INVALID) {
      count(STATELESS);
      return DROP;
    }
  }

  u32 h_end = from->end, h_limit = from->limit;
  const u32 h_window = from->window, peer_end = to->end, peer_window = to->window;
  u8 own_scale = from_low ? v->low_scale : v->high_scale;
  const u8 peer_scale = from_low ? v->high_scale : v->low_scale;
  const bool first = h_window == 0;
  if (first) {
    h_end = end;
    h_limit = syn ? end : end + raw_window;
    own_scale = offer;
  }
  const bool scaled = !syn && own_scale != NO_SCALE && peer_scale != NO_SCALE;
  const u32 offered = scaled ? raw_window << (own_scale & 31) : raw_window;
  const u32 acknowledged = ack ? acknowledgement : peer_end;
  const u32 reach = h_window > ACK_WINDOW ? h_window : ACK_WINDOW;
  const bool empty = end == sent && !rst;
  if (!v->unchecked &&
      ((!empty && (before(h_limit, sent) || (peer_window != 0 && before(end + peer_window, h_end)))) ||
       before(peer_end, acknowledged) || before(acknowledged + reach, peer_end)) &&
      (rst || !settings[LIBERAL])) {
    count(OUT_OF_WINDOW);
    return DROP;
  }

  const u32 granted = offered == 0 ? 1 : offered, allowed = acknowledged + granted;
  if (state == ESTABLISHED && (fresh || v->state != ESTABLISHED)) count(ESTABLISHED_C);
  if ((state == CLOSED || state == TIME_WAIT) && v->state != state) count(CLOSED_C);
  v->state = state;
  v->seen = now;
  from->end = before(h_end, end) ? end : h_end;
  from->window = h_window < granted ? granted : h_window;
  if (first) {
    from->limit = h_limit;
    if (from_low) v->low_scale = offer;
    else v->high_scale = offer;
  }
  if (before(to->limit, allowed)) to->limit = allowed;
  return TRANSMIT;
}

#ifdef HISTORY
/* How many items a frame has, and nothing else. */
u64 slots = 0;

SEC("xdp") int history(struct xdp_md *c) {
  const struct item *i = (const struct item *)(long)c->data;
  for (u64 k = slots; k; k--) follow(i++);
  return TRANSMIT;
}
#endif
