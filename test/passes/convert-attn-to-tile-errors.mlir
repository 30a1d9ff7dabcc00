// Without a schedule there are no tiles to write.
// RUN: attn-opt %s --convert-attn-to-tile -split-input-file -verify-diagnostics

!x = tensor<?x?x4x64xf16>
// expected-error @below {{'attn.kernel' op expects a complete schedule: run choose-schedule first}}
attn.kernel @no_schedule(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x4x64xf16>
// expected-error @below {{'attn.kernel' op expects a complete schedule: run choose-schedule first}}
attn.kernel @half_a_schedule(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_kv = 64> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// The code's entry has the kernel's name, so it must be one that PTX allows.
!x = tensor<?x?x4x64xf16>
// expected-error @below {{'attn.kernel' op expects a name of letters, digits and _ that begins with a letter, and not WARP_SZ, got 'two words'}}
attn.kernel @"two words"(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
