// Table: what the verifier's refusals mean, and what to do about them.
//
// Most of these cannot happen to a program we compiled, since the compiler proves first what the verifier demands;
// the rest are limits, missing features of the kernel, and licences.

export interface KnownRefusal {
  readonly pattern: RegExp
  readonly reason: string
  readonly remedy?: string
}

const oursToMend = 'the compiler should have proved this: please report the program'

export const knownRefusals: readonly KnownRefusal[] = [
  {
    pattern: /prohibited for !root|pointer comparison prohibited|leaks addr/i,
    reason:
      'without CAP_PERFMON the kernel guards against speculation, and forbids arithmetic with addresses that programs need',
    remedy: 'run it as root, or with the capability CAP_PERFMON as well',
  },
  {
    pattern:
      /BPF program is too large|too many (instructions|states)|The sequence of \d+ jumps is too complex/i,
    reason: 'the kernel walks every path and gives up after a million instructions',
    remedy: 'make loops shorter, or branch less inside them',
  },
  {
    pattern: /infinite loop detected|back-edge|loop is not bounded/i,
    reason: 'the kernel cannot see that a loop ends',
    remedy: 'Linux before 5.3 has no loops at all',
  },
  {
    pattern:
      /combined stack size|stack depth|invalid (read from|write to|indirect access to) stack|invalid stack/i,
    reason: 'a program has 512 bytes of stack, over all functions that call each other',
    remedy: 'keep fewer values alive across the place named, or split the key',
  },
  {
    pattern: /invalid func unknown|unknown func/i,
    reason: 'this kernel does not have the helper',
    remedy: 'use a newer kernel, or a build option that does without it',
  },
  {
    pattern: /program of this type cannot use helper/i,
    reason: 'this kernel does not offer the helper to XDP programs',
  },
  {
    pattern: /GPL-restricted|from non-GPL compatible program/i,
    reason: 'the kernel lends this helper only to programs under a licence compatible with the GPL',
    remedy: "declare one in the program: export const licence = 'GPL-2.0-only'",
  },
  {
    pattern: /unknown opcode|BPF_\w+ uses reserved fields|invalid BPF_/,
    reason: 'this kernel does not know the instruction',
    remedy: 'build for an older instruction set',
  },
  {
    pattern: /outside of the packet|invalid access to packet/i,
    reason: 'the kernel does not see that the packet is that long here',
    remedy: oursToMend,
  },
  {
    pattern: /outside of the allowed memory range|invalid access to map value|unbounded memory access/i,
    reason: 'the kernel does not see that the offset stays inside the map’s value',
    remedy: oursToMend,
  },
  {
    pattern: /mem_or_null|map_value_or_null|invalid mem access '(scalar|inv)'/i,
    reason: 'a look-up may have found nothing, or a number is used as an address',
    remedy: oursToMend,
  },
  {
    pattern:
      /!read_ok|unreachable insn|jump out of range|last insn is not|misaligned|pointer .* prohibited|reg type unsupported|invalid bpf_context access|stores into R\d+ \w+ is not allowed|div by zero|invalid shift/i,
    reason: 'the program breaks a rule of the instruction set',
    remedy: oursToMend,
  },
  {
    pattern: /has to have BTF|doesn't have .*btf|missing btf|invalid btf/i,
    reason: 'the kernel needs type information for this',
    remedy: 'build with BTF, on a kernel that has it (Linux 5.1 for spin locks)',
  },
  {
    pattern: /cannot pass map_type \d+ into func/i,
    reason: 'the helper does not work with this kind of map on this kernel',
  },
]
