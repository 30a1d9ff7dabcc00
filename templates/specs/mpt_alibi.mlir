// MPT 7B, prefill, or another model with linear biases: instead of position embeddings, scores fall with distance, each
// head by its own slope.
!x      = tensor<?x?x32x128xbf16>   // batch, seq_q or seq_kv, heads, head_dim
!slopes = tensor<32xf32>            // heads; negative distances times positive slopes
attn.kernel @mpt_alibi(%q: !x, %k: !x, %v: !x, %slopes: !slopes) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %a = attn.modify %s by @alibi(%slopes) : !slopes
  %m = attn.mask %a by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
