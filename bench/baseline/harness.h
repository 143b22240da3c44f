/* The measuring half of a baseline. Include it last; the program before it defines
     static inline u32 process(const struct context *, struct packet);

   Arguments: TRACE STATE RULES SETTINGS COUNTERS REWRITES
     TRACE     u32 packets, u32 data bytes, u64 span in ns, descriptors, data
     STATE     the state block as it begins        RULES     the rules block, may be empty
     SETTINGS  u64 numbers joined by commas        COUNTERS  how many the program declares
     REWRITES  1 if the program changes packets: they are restored before every round
   Commands on standard input: `round` runs once over all packets, one span later each time, and prints the nanoseconds
   it took; `least` prints the sum of the least nanoseconds that each batch took in any round; `dump FILE` writes
   counters, verdicts, state and data, for comparison. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Packets between two returns to the caller, as in the engine. */
#define BATCH 1024

static __attribute__((noinline)) void single(const struct context *c, u8 *data, struct descriptor *d, u32 count,
                                             u64 sequence) {
  for (u32 i = 0; i < count; i++, d++)
    d->verdict = process(c, (struct packet){data + d->address, d->length, d->timestamp, sequence + i});
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* A file in anonymous memory of its own, aligned to pages. */
static u8 *slurp(const char *path, size_t *size) {
  const int fd = open(path, O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) fail(path);
  *size = st.st_size;
  u8 *at = mmap(0, *size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) fail("mmap");
  for (size_t got = 0; got < *size;) {
    const ssize_t n = read(fd, at + got, *size - got);
    if (n <= 0) fail(path);
    got += n;
  }
  close(fd);
  return at;
}

static u64 nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 7) return fprintf(stderr, "usage: TRACE STATE RULES SETTINGS COUNTERS REWRITES\n"), 2;
  size_t size, state_bytes, rules_bytes;
  u8 *trace = slurp(argv[1], &size);
  u8 *state = slurp(argv[2], &state_bytes);
  u8 *rules = slurp(argv[3], &rules_bytes);
  static u64 settings[64], counters[64];
  int n = 0;
  for (char *text = argv[4]; *text && n < 64; text += *text == ',') settings[n++] = strtoull(text, &text, 10);
  const u32 packets = load32(trace), data_bytes = load32(trace + 4);
  const u64 span = load64(trace + 8);
  struct descriptor *descriptors = (struct descriptor *)(trace + 16);
  u8 *data = (u8 *)(descriptors + packets);
  u8 *pristine = 0;
  if (atoi(argv[6])) memcpy(pristine = malloc(data_bytes), data, data_bytes);
  const struct context c = {state, rules, settings, counters};
  u64 *least = calloc(packets / BATCH + 1, sizeof *least);
  u64 sequence = 1;
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    if (!strcmp(line, "round")) {
      if (pristine && sequence > 1) memcpy(data, pristine, data_bytes);
      if (sequence > 1)
        for (u32 i = 0; i < packets; i++) descriptors[i].timestamp += span;
      const u64 begun = nanoseconds();
      u64 since = begun;
      for (u32 at = 0; at < packets; at += BATCH) {
        single(&c, data, descriptors + at, packets - at < BATCH ? packets - at : BATCH, sequence + at);
        const u64 now = nanoseconds(), took = now - since;
        if (!least[at / BATCH] || took < least[at / BATCH]) least[at / BATCH] = took;
        since = now;
      }
      printf("%llu\n", (unsigned long long)(since - begun));
      sequence += packets;
    } else if (!strcmp(line, "least")) {
      u64 sum = 0;
      for (u32 at = 0; at < packets; at += BATCH) sum += least[at / BATCH];
      printf("%llu\n", (unsigned long long)sum);
    } else if (!strncmp(line, "dump ", 5)) {
      FILE *out = fopen(line + 5, "wb");
      if (!out) fail(line + 5);
      fwrite(counters, 8, atoi(argv[5]), out);
      for (u32 i = 0; i < packets; i++) fwrite(&descriptors[i].verdict, 4, 1, out);
      fwrite(state, 1, state_bytes, out);
      fwrite(data, 1, data_bytes, out);
      fclose(out);
      printf("dumped\n");
    }
    fflush(stdout);
  }
  return 0;
}
