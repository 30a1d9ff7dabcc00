// Two tensors of integers, of which the functions of the library read.
!x = tensor<?x?x2x64xf16, #attn.dims<batch, seq, heads, head_dim>>
!ids = tensor<?x?xi32, #attn.dims<batch, seq>>
attn.kernel @documents(%q: !x, %k: !x, %v: !x, %ids: !ids, %more: !ids) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 64, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %d = attn.mask %s by @sorted_documents(%ids) : !ids
  %m = attn.mask %d by @sorted_documents(%more) : !ids
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
