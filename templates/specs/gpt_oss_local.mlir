// gpt-oss, a local layer: the last 128 tokens, and a learned logit for each head that takes weight and has no value.
!q    = tensor<?x?x64x64xbf16>                                                      // batch, seq_q, heads, head_dim
!kv   = tensor<?x?x8x64xbf16>                                                       // batch, seq_kv, kv_heads, head_dim
!sink = tensor<64xf32>                                                              // heads
attn.kernel @gpt_oss_local(%q: !q, %k: !kv, %v: !kv, %sink: !sink) -> (o: !q) {
  %window_left = arith.constant 127 : index
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @sliding_window(%window_left) : index
  %p = attn.softmax %m sink %sink : !sink
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
