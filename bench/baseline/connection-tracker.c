/* programs/connection-tracker.ts in C; the comments that explain it stand there. */
#include "parse.h"

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
/* What one end has shown, apart from its scale; the entry holds the low end's, then the high end's. */
struct half { u32 end, limit, window; };
struct connections {
  u32 tag, time, seq;
  struct ends key;
  u8 state, opened_by_low, unchecked, scale[2];
  u32 seen;
  struct half half[2];
} __attribute__((aligned(8)));
#define TABLE connections
#define ENTRY struct connections
#define KEY struct ends
#define CAPACITY 65536
#define AFTER 432000000u
#define EVICT
#include "table.h"

static inline bool before(u32 a, u32 b) { return (i32)(a - b) < 0; }

static u8 offered_scale(struct packet p, const u8 *tcp) {
  const u32 end = (tcp[12] >> 4) * 4, there = p.data + p.length - tcp;
  for (u32 at = 20, option = 0; option < 40 && at < end; option++) {
    const u8 kind = tcp[at];
    if (kind == 0) break;
    if (kind == 3) return at + 2 < there ? (tcp[at + 2] > 14 ? 14 : tcp[at + 2]) : 0;
    const u8 size = kind == 1 ? 1 : at + 1 < there ? tcp[at + 1] : 0;
    if (size == 0) break;
    at += size;
  }
  return NO_SCALE;
}

static inline u8 next(u8 state, u8 flags, bool opener) {
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

static inline u32 timeout(const u64 *settings, u8 state) {
  switch (state) {
    case SYN_SENT: case SYN_SENT2: return settings[SYN_SENT_T];
    case SYN_RECEIVED: return settings[SYN_RECEIVED_T];
    case ESTABLISHED: return settings[ESTABLISHED_T];
    case FIN_WAIT: return settings[FIN_WAIT_T];
    case CLOSE_WAIT: return settings[CLOSE_WAIT_T];
    case LAST_ACK: return settings[LAST_ACK_T];
    case TIME_WAIT: return settings[TIME_WAIT_T];
    default: return settings[CLOSED_T];
  }
}

static inline u32 process(const struct context *c, struct packet p) {
  u8 *ip = ipv4(p);
  u8 *segment = ip ? tcp(p, ip) : 0;
  if (!segment) return TRANSMIT;
  const u8 flags = segment[13] & (SYN | ACK | FIN | RST);
  const bool syn = flags & SYN, ack = flags & ACK, fin = flags & FIN, rst = flags & RST;
  const u32 headers = ((ip[0] & 15) + (segment[12] >> 4)) * 4, total = be16(load16(ip + 2));
  if (total < headers || (syn && (fin || rst)) || !(syn || ack || rst)) {
    c->counters[MALFORMED]++;
    return DROP;
  }
  const u32 now = p.timestamp / 1000000;
  const u32 sequence = be32(load32(segment + 4)), end = sequence + (total - headers) + syn + fin;
  const u8 offer = syn ? offered_scale(p, segment) : NO_SCALE;

  const u32 source = load32(ip + 12), destination = load32(ip + 16);
  const u16 source_port = load16(segment), destination_port = load16(segment + 2);
  const bool from_low = be32(source) < be32(destination) ||
                        (source == destination && be16(source_port) <= be16(destination_port));
  const struct ends key = from_low ? (struct ends){source, destination, source_port, destination_port}
                                   : (struct ends){destination, source, destination_port, source_port};

  const bool opens = !rst && !fin && (syn ? !ack : (bool)c->settings[LOOSE]);
  if (!opens && !connections_find(c->state, &key, now)) {
    c->counters[STATELESS]++;
    return DROP;
  }
  bool made;
  struct connections *e = connections_upsert(c, c->state, &key, now, p.sequence, &made);
  if (!e) return DROP;

  struct half *from = &e->half[from_low ? 0 : 1], *to = &e->half[from_low ? 1 : 0];
  u8 *scale = &e->scale[from_low ? 0 : 1];
  const u8 *peer_scale = &e->scale[from_low ? 1 : 0];
  u8 state = ESTABLISHED;
  bool fresh = false;
  if (syn || fin || rst || e->state != ESTABLISHED || now - e->seen >= (u32)c->settings[ESTABLISHED_T] * 1000) {
    const bool opener = from_low == e->opened_by_low;
    const bool gone = e->state == NONE || now - e->seen >= timeout(c->settings, e->state) * 1000;
    if (gone && !opens) {
      connections_remove(c, c->state, e);
      c->counters[STATELESS]++;
      return DROP;
    }
    const bool renumbered = e->state == SYN_SENT && opener && end != from->end;
    const bool over = e->state == TIME_WAIT || e->state == CLOSED || renumbered;
    fresh = gone || (over && syn && !ack);
    if (fresh) {
      e->opened_by_low = from_low;
      e->unchecked = !syn;
      from->window = to->window = from->end = to->end = 0;
      e->scale[0] = e->scale[1] = NO_SCALE;
      c->counters[OPENED_C]++;
    }
    state = fresh ? (syn ? SYN_SENT : ESTABLISHED) : next(e->state, flags, opener);
    if (state == INVALID) {
      c->counters[STATELESS]++;
      return DROP;
    }
  }

  u32 reached = from->end, limit = from->limit;
  const u32 window = from->window, peer_end = to->end;
  u8 own_scale = *scale;
  const u32 raw_window = be16(load16(segment + 14));
  const bool first = window == 0;
  if (first) {
    reached = end;
    limit = syn ? end : end + raw_window;
    own_scale = offer;
  }
  const bool scaled = !syn && own_scale != NO_SCALE && *peer_scale != NO_SCALE;
  const u32 offered = scaled ? raw_window << own_scale : raw_window;
  const u32 acknowledged = ack ? be32(load32(segment + 8)) : peer_end;
  const u32 reach = window > ACK_WINDOW ? window : ACK_WINDOW;
  const bool empty = end == sequence && !rst;
  if (!e->unchecked &&
      ((!empty && (before(limit, sequence) || (to->window != 0 && before(end + to->window, reached)))) ||
       before(peer_end, acknowledged) || before(acknowledged + reach, peer_end)) &&
      (rst || !c->settings[LIBERAL])) {
    c->counters[OUT_OF_WINDOW]++;
    return DROP;
  }

  const u32 granted = offered == 0 ? 1 : offered, allowed = acknowledged + granted;
  if (state == ESTABLISHED && (fresh || e->state != ESTABLISHED)) c->counters[ESTABLISHED_C]++;
  if ((state == CLOSED || state == TIME_WAIT) && e->state != state) c->counters[CLOSED_C]++;
  e->state = state;
  e->seen = now;
  from->end = before(reached, end) ? end : reached;
  from->window = window < granted ? granted : window;
  if (first) {
    from->limit = limit;
    *scale = offer;
  }
  if (before(to->limit, allowed)) to->limit = allowed;
  return TRANSMIT;
}

#include "harness.h"
