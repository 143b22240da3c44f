/* One table. Include once, with these defined:

     KEY, VALUE   structs; the key's size is a multiple of 4, and values stand at their alignment behind it
     CAPACITY     entries
     AFTER        ticks after which an entry expires, if it does       EVICT  defined if a full table gives up its oldest

   Gives   VALUE *find(const KEY *, u32 now)
           VALUE *upsert(const KEY *, u32 now, const VALUE *initial)   null if the table is full
           void erase(const KEY *, VALUE *) */
#include "xdp.h"

#ifdef CUCKOO
#include "cuckoo.h"
#else

/* As one would write it with what the kernel offers. */
struct map table SEC("maps") = {HASH, sizeof(KEY), sizeof(VALUE), CAPACITY, 0};

INLINE VALUE *find(const KEY *key, u32 now) {
  (void)now;
  return map_lookup(&table, key);
}

INLINE VALUE *upsert(const KEY *key, u32 now, const VALUE *initial) {
  VALUE *value = find(key, now);
  if (likely(value != 0)) return value;
  map_update(&table, key, initial, 0);
  return find(key, now);
}

INLINE void erase(const KEY *key, VALUE *value) {
  (void)value;
  map_delete(&table, key);
}
#endif
