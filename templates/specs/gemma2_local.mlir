// Gemma 2 9B, a layer of local attention: scores are bent into (-50, 50), and a token sees the 4096 newest positions,
// its own included.
!q  = tensor<?x?x16x256xbf16>   // batch, seq_q, heads, head_dim
!kv = tensor<?x?x8x256xbf16>    // batch, seq_kv, kv_heads, head_dim
attn.kernel @gemma2_local(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
  %cap = arith.constant 50.0 : f32
  %window_left = arith.constant 4095 : index
  %s = attn.scores %q, %k : !q, !kv
  %c = attn.modify %s by @softcap(%cap) : f32
  %m = attn.mask %c by @sliding_window(%window_left) : index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
