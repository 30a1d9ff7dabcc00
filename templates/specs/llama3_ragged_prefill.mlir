// Llama 3 8B, prefill of prompts of different lengths that are packed one behind the other, without padding.
!q      = tensor<?x32x128xbf16>     // total_q, heads, head_dim
!kv     = tensor<?x8x128xbf16>      // total_kv, kv_heads, head_dim
!lse    = tensor<?x32xf32>          // total_q, heads
!indptr = tensor<?xi32>             // one more than there are sequences
attn.kernel @llama3_ragged_prefill(%q: !q, %k: !kv, %v: !kv, %qo_indptr: !indptr, %kv_indptr: !indptr)
    -> (o: !q, lse: !lse) {
  %queries = attn.ragged %q[%qo_indptr] : !q [!indptr]
  %kv = attn.ragged %k, %v[%kv_indptr] : !kv, !kv [!indptr]
  %s = attn.scores %queries, %kv : !attn.seq, !attn.seq
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m -> !lse
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o, %lse : !q, !lse
}
