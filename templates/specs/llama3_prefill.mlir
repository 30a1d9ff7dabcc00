// Llama 3 8B, prefill: each of 8 key/value heads serves four of 32 query heads; a token sees itself and its past.
!q  = tensor<?x?x32x128xbf16>   // batch, seq_q, heads, head_dim
!kv = tensor<?x?x8x128xbf16>    // batch, seq_kv, kv_heads, head_dim
attn.kernel @llama3_prefill(%q: !q, %k: !kv, %v: !kv) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
