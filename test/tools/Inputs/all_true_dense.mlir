// Causal attention, to be equalled bit by bit.
!x = tensor<1x?x2x64xbf16>
attn.kernel @dense(%q: !x, %k: !x, %v: !x) -> (o: !x) schedule<block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
