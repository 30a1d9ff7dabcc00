// A ViT-Base or BERT-base encoder: nothing is hidden. The log-sum-exp is returned for a backward pass.
!x   = tensor<?x?x12x64xf16>    // batch, seq_q or seq_kv, heads, head_dim
!lse = tensor<?x?x12xf32>       // batch, seq_q, heads
attn.kernel @vit_encoder(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !lse) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !lse
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !lse
}
