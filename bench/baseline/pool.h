/* Pools of docs/state.md, section 5. An empty pool's expiring tables are the caller's to sweep. */
#pragma once
#include "types.h"

struct pool { u32 head, available, size, first, exhausted, rejected, zero[10]; u32 ring[]; };
#define NO_NUMBER 0xffffffffu

static inline u32 pool_take(struct pool *pool) {
  if (pool->available == 0) {
    pool->exhausted++;
    return NO_NUMBER;
  }
  const u32 number = pool->ring[pool->head];
  pool->head = pool->head + 1 == pool->size ? 0 : pool->head + 1;
  pool->available--;
  return number;
}

static inline void pool_give(struct pool *pool, u32 number) {
  if (number - pool->first >= pool->size || pool->available == pool->size) {
    pool->rejected++;
    return;
  }
  u32 at = pool->head + pool->available;
  if (at >= pool->size) at -= pool->size;
  pool->ring[at] = number;
  pool->available++;
}
