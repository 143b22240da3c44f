/* The table of docs/state.md, section 4, in a global variable. Read table.h first. With FORGET defined, long programs
   verify that do not otherwise, for a load and a comparison.

   An insertion takes a free slot of the key's two buckets and no more: it displaces nothing and evicts nothing. At the
   load of these measurements none has to, and the comparison of states would show it. */
struct entry {
  u32 tag;
#ifdef AFTER
  u32 time;
#endif
#ifdef EVICT
  u32 seq;
#endif
  KEY key;
  VALUE value;
};
#define SIZE sizeof(struct entry)
#define STRIDE (SIZE <= 16 ? 16 : (SIZE + 7) / 8 * 8)
#define BUCKETS (((u64)CAPACITY * 5 + 15) / 16 + 8)

struct {
  u32 version, count, sweep, failures, evictions, expiries, displacements, buckets;
  u64 seed;
  u32 capacity;
  u8 unused[320 - 44];
  u8 entries[(320 + BUCKETS * 4 * STRIDE + 63) / 64 * 64 - 320];
} __attribute__((aligned(64))) table;

u64 sequence = 0;
/* The packet's number: every packet asks once. */
INLINE u32 next_sequence(void) {
#ifdef EVICT
  return sequence++;
#else
  return 0;
#endif
}

struct place { u32 tag, first, second; };

INLINE struct place place_of(const KEY *key) {
  u64 h = table.seed;
  const u32 *words = (const u32 *)key;
#pragma unroll
  for (u32 i = 0; i < sizeof(KEY) / 4; i += 2) {
    h ^= i + 1 < sizeof(KEY) / 4 ? *(const u64 *)(words + i) : words[i];
    h = (h ^ h >> 29) * 0x9E3779B97F4A7C15;
  }
  h = (h ^ h >> 29) * 0xD6E8FEB86659FD93;
  h ^= h >> 32;
  const u32 first = (h & 0xffffffff) * BUCKETS >> 32;
  u32 second = (h >> 32) * BUCKETS >> 32;
  if (unlikely(second == first)) second = first + 1 == BUCKETS ? 0 : first + 1;
  return (struct place){(u32)h | 1, first, second};
}

INLINE struct entry *slot_of(u32 bucket, u32 slot) {
  return (struct entry *)(table.entries + (u64)bucket * 4 * STRIDE + slot * STRIDE);
}

INLINE bool same_key(const struct entry *e, const KEY *key) {
  const u32 *a = (const u32 *)&e->key, *b = (const u32 *)key;
  bool same = true;
#pragma unroll
  for (u32 i = 0; i < sizeof(KEY) / 4; i++) same = same && a[i] == b[i];
  return same;
}

INLINE bool expired(const struct entry *e, u32 now) {
#ifdef AFTER
  return now - e->time - AFTER < 0xF0000000u - AFTER;
#else
  return false;
#endif
}

INLINE struct entry *find_at(struct place at, const KEY *key, u32 now) {
#pragma unroll
  for (u32 slot = 0; slot < 4; slot++) {
    struct entry *e = slot_of(at.first, slot);
    if (e->tag == at.tag && same_key(e, key) && !expired(e, now)) return e;
  }
#pragma unroll
  for (u32 slot = 0; slot < 4; slot++) {
    struct entry *e = slot_of(at.second, slot);
    if (e->tag == at.tag && same_key(e, key) && !expired(e, now)) return e;
  }
  return 0;
}

/* An entry that the verifier has forgotten the way to: it would follow each of the eight to the program's end. */
u64 zero = 0;
INLINE struct entry *forgotten(struct entry *e) {
#ifdef FORGET
  if (!e) return 0;
  const u64 offset = ((u8 *)e - table.entries) ^ *(volatile u64 *)&zero;
  return offset > sizeof table.entries - SIZE ? 0 : (struct entry *)(table.entries + offset);
#else
  return e;
#endif
}

INLINE void touch(struct entry *e, u32 now, u32 seq) {
#ifdef AFTER
  e->time = now;
#endif
#ifdef EVICT
  e->seq = seq;
#endif
}

INLINE VALUE *find(const KEY *key, u32 now) {
  struct entry *e = forgotten(find_at(place_of(key), key, now));
  return e ? &e->value : 0;
}

struct insertion { KEY key; struct place at; u32 now, seq; };

/* Where the new entry is in table.entries, or -1. The verifier does not know what memory says: hence the bounds. */
static __attribute__((noinline)) i32 insert(const struct insertion *i) {
#ifdef AFTER
  table.sweep = table.sweep + 2 < BUCKETS ? table.sweep + 2 : table.sweep + 2 - BUCKETS;
#endif
  for (u32 slot = 0; slot < 8; slot++) {
    const u32 bucket = slot < 4 ? i->at.first : i->at.second;
    if (bucket >= BUCKETS) break;
    struct entry *e = slot_of(bucket, slot & 3);
    if (e->tag || table.count >= CAPACITY) continue;
    e->key = i->key;
    touch(e, i->now, i->seq);
    e->tag = i->at.tag;
    table.count++;
    return (u8 *)e - table.entries;
  }
  table.failures++;
  return -1;
}

INLINE VALUE *upsert(const KEY *key, u32 now, const VALUE *initial) {
  const u32 seq = next_sequence();
  const struct place at = place_of(key);
  struct entry *e = forgotten(find_at(at, key, now));
  if (unlikely(!e)) {
    const struct insertion i = {*key, at, now, seq};
    const u32 offset = insert(&i);
    if (offset > sizeof table.entries - SIZE) return 0;
    e = (struct entry *)(table.entries + offset);
    e->value = *initial;
    return &e->value;
  }
  touch(e, now, seq);
  return &e->value;
}

INLINE void erase(const KEY *key, VALUE *value) {
  struct entry *e = (struct entry *)((u8 *)value - __builtin_offsetof(struct entry, value));
  __builtin_memset(e, 0, sizeof *e);
  table.count--;
}
