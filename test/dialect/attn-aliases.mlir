// Types with names of dimensions are printed by an alias made of the names.
// RUN: attn-opt %s | FileCheck %s
// RUN: attn-opt %s | attn-opt | FileCheck %s

// CHECK: !batch_seq_heads_head_dim_f16 = tensor<?x?x8x64xf16, #attn.dims<batch, seq, heads, head_dim>>
// CHECK: attn.kernel @self(%q: !batch_seq_heads_head_dim_f16, %k: !batch_seq_heads_head_dim_f16,
!x = tensor<?x?x8x64xf16, #attn.dims<batch, seq, heads, head_dim>>
attn.kernel @self(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
