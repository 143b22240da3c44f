/* The cuckoo table of docs/state.md, section 4, for one table: include once per table with these defined:

     TABLE     prefix of the functions          ENTRY    struct with u32 tag, [u32 time], [u32 seq], KEY key, values
     KEY       struct of the key area           CAPACITY entries
     AFTER     ticks after which an entry expires; leave out for none
     EVICT     defined if a full table gives up its oldest entry
     RELEASE(context, entry)  what to do with an entry that leaves; leave out for nothing

   Gives TABLE_find, TABLE_insert, TABLE_upsert, TABLE_remove, and TABLE_sweep if it expires. */
#include "types.h"

#ifndef HAIRPIN_TABLE_H
#define HAIRPIN_TABLE_H
#define PASTE2(a, b) a##_##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE_BUCKETS 320
#define BUCKETS_FOR(capacity) ((capacity) <= 8 ? 2 : ((capacity) * 5 + 15) / 16 + 8)
#define TABLE_BYTES(entry, capacity) ((TABLE_BUCKETS + BUCKETS_FOR(capacity) * 4 * sizeof(entry) + 63) / 64 * 64)
enum { VERSION, COUNT, SWEEP, FAILURES, EVICTIONS, EXPIRIES, DISPLACEMENTS };
struct place { u32 tag, first, second; };
#endif

#define T(name) PASTE(TABLE, name)
#define BUCKETS BUCKETS_FOR(CAPACITY)

static inline u32 *T(word)(u8 *table, int word) { return (u32 *)table + word; }
static inline ENTRY *T(bucket)(u8 *table, u32 b) { return (ENTRY *)(table + TABLE_BUCKETS) + 4 * b; }

static inline struct place T(place)(const u8 *table, const KEY *key) {
  u64 h = load64(table + 32);
  for (u32 i = 0; i < sizeof(KEY); i += 8) {
    const u8 *at = (const u8 *)key + i;
    h ^= sizeof(KEY) - i >= 8 ? load64(at) : load32(at);
    h = (h ^ h >> 29) * 0x9E3779B97F4A7C15;
  }
  h = (h ^ h >> 29) * 0xD6E8FEB86659FD93;
  h ^= h >> 32;
  const u32 first = (h & 0xffffffff) * BUCKETS >> 32;
  u32 second = (h >> 32) * BUCKETS >> 32;
  if (second == first) second = first + 1 == BUCKETS ? 0 : first + 1;
  return (struct place){(u32)h | 1, first, second};
}

static inline bool T(expired)(const ENTRY *e, u32 now) {
#ifdef AFTER
  return now - e->time - AFTER < 0xF0000000u - AFTER;
#else
  (void)e, (void)now;
  return false;
#endif
}

static inline void T(touch)(ENTRY *e, u32 now, u32 seq) {
#ifdef AFTER
  e->time = now;
#endif
#ifdef EVICT
  e->seq = seq;
#endif
  (void)e, (void)now, (void)seq;
}

static inline ENTRY *T(find_at)(u8 *table, struct place at, const KEY *key, u32 now) {
  ENTRY *e = T(bucket)(table, at.first);
  for (int slot = 0; slot < 4; slot++, e++)
    if (e->tag == at.tag && !memcmp(&e->key, key, sizeof(KEY)) && !T(expired)(e, now)) return e;
  e = T(bucket)(table, at.second);
  for (int slot = 0; slot < 4; slot++, e++)
    if (e->tag == at.tag && !memcmp(&e->key, key, sizeof(KEY)) && !T(expired)(e, now)) return e;
  return 0;
}

static inline ENTRY *T(find)(u8 *table, const KEY *key, u32 now) {
  return T(find_at)(table, T(place)(table, key), key, now);
}

static inline void T(remove)(const struct context *c, u8 *table, ENTRY *e) {
#ifdef RELEASE
  RELEASE(c, e);
#endif
  (void)c;
  memset(e, 0, sizeof *e);
  --*T(word)(table, COUNT);
}

static inline ENTRY *T(free_slot)(u8 *table, u32 bucket) {
  ENTRY *e = T(bucket)(table, bucket);
  for (int slot = 0; slot < 4; slot++, e++)
    if (!e->tag) return e;
  return 0;
}

#ifdef AFTER
static void T(clear_expired)(const struct context *c, u8 *table, u32 bucket, u32 now) {
  ENTRY *e = T(bucket)(table, bucket);
  for (int slot = 0; slot < 4; slot++, e++)
    if (e->tag && T(expired)(e, now)) {
      T(remove)(c, table, e);
      ++*T(word)(table, EXPIRIES);
    }
}

static inline void T(sweep)(const struct context *c, u8 *table, u32 now) {
  u32 *cursor = T(word)(table, SWEEP);
  T(clear_expired)(c, table, *cursor, now);
  T(clear_expired)(c, table, (*cursor + 1) % BUCKETS, now);
  *cursor = (*cursor + 2) % BUCKETS;
}
#endif

/* Makes room by giving up the oldest entry near a key. */
static bool T(evict)(const struct context *c, u8 *table, struct place at, u32 seq) {
#ifdef EVICT
  ENTRY *victim = 0;
  u32 greatest = 0;
  for (u32 look = 0; look < 32 && !(look >= 2 && victim); look++) {
    ENTRY *e = T(bucket)(table, look == 0 ? at.first : (at.second + look - 1) % BUCKETS);
    for (int slot = 0; slot < 4; slot++, e++)
      if (e->tag && (!victim || seq - e->seq > greatest)) victim = e, greatest = seq - e->seq;
  }
  if (!victim) return false;
  T(remove)(c, table, victim);
  ++*T(word)(table, EVICTIONS);
  return true;
#else
  (void)c, (void)table, (void)at, (void)seq;
  return false;
#endif
}

/* Frees a slot in one of two full buckets by moving entries along the shortest path, breadth first. */
static ENTRY *T(displace)(u8 *table, struct place at) {
  struct { u32 bucket, from, slot; } queue[32] = {{at.first, 0, 0}, {at.second, 0, 0}};
  u32 length = 2;
  for (u32 i = 0; i < length; i++) {
    ENTRY *e = T(bucket)(table, queue[i].bucket);
    for (u32 slot = 0; slot < 4; slot++, e++) {
      const struct place own = T(place)(table, &e->key);
      const u32 other = own.first == queue[i].bucket ? own.second : own.first;
      ENTRY *hole = T(free_slot)(table, other);
      if (hole) {
        ++*T(word)(table, VERSION);
        for (u32 node = i, s = slot;; s = queue[node].slot, node = queue[node].from) {
          ENTRY *source = T(bucket)(table, queue[node].bucket) + s;
          *hole = *source;
          memset(source, 0, sizeof *source);
          ++*T(word)(table, DISPLACEMENTS);
          hole = source;
          if (node < 2) break;
        }
        ++*T(word)(table, VERSION);
        return hole;
      }
      bool queued = length == 32;
      for (u32 q = 0; q < length; q++) queued |= queue[q].bucket == other;
      if (!queued) {
        queue[length].bucket = other;
        queue[length].from = i;
        queue[length++].slot = slot;
      }
    }
  }
  return 0;
}

static __attribute__((noinline)) ENTRY *T(insert)(const struct context *c, u8 *table, struct place at,
                                                  const KEY *key, u32 now, u32 seq) {
#ifdef AFTER
  T(sweep)(c, table, now);
  T(clear_expired)(c, table, at.first, now);
  T(clear_expired)(c, table, at.second, now);
#endif
  ENTRY *e = 0;
  if (*T(word)(table, COUNT) < CAPACITY || T(evict)(c, table, at, seq)) {
    e = T(free_slot)(table, at.first);
    if (!e) e = T(free_slot)(table, at.second);
    if (!e) e = T(displace)(table, at);
    if (!e && T(evict)(c, table, at, seq)) {
      e = T(free_slot)(table, at.first);
      if (!e) e = T(free_slot)(table, at.second);
    }
  }
  if (!e) {
    ++*T(word)(table, FAILURES);
    return 0;
  }
  e->key = *key;
  T(touch)(e, now, seq);
  e->tag = at.tag;
  ++*T(word)(table, COUNT);
  return e;
}

/* The entry under a key, refreshed; made with zeros if absent (*made says so); null if the table refuses. */
static inline ENTRY *T(upsert)(const struct context *c, u8 *table, const KEY *key, u32 now, u32 seq, bool *made) {
  const struct place at = T(place)(table, key);
  ENTRY *e = T(find_at)(table, at, key, now);
  *made = !e;
  if (likely(e != 0)) {
    T(touch)(e, now, seq);
    return e;
  }
  return T(insert)(c, table, at, key, now, seq);
}

#undef T
#undef BUCKETS
#undef TABLE
#undef ENTRY
#undef KEY
#undef CAPACITY
#undef AFTER
#undef EVICT
#undef RELEASE
