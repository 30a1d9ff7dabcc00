// Block-sparse prefill with two lists for each head and row of 128 queries: blocks of 128 keys that are seen whole, and
// blocks of which the past is seen. They are what FlexAttention calls full and partial blocks.
!q     = tensor<?x?x32x128xbf16>                                                    // batch, seq_q, heads, head_dim
!kv    = tensor<?x?x8x128xbf16>                                                     // batch, seq_kv, kv_heads, head_dim
!list  = tensor<?x32x?x?xi32, #attn.dims<batch, heads, q_blocks, kv_blocks>>        // increasing
!count = tensor<?x32x?xi32, #attn.dims<batch, heads, q_blocks>>
attn.kernel @block_sparse_prefill(%q: !q, %k: !kv, %v: !kv, %full: !list, %full_count: !count, %partial: !list,
                                  %partial_count: !count) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @listed_blocks(%full, %full_count, %partial, %partial_count) : !list, !count, !list, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func private @causal(index, index, index, index) -> i1
func.func @listed_blocks(%b: index, %h: index, %q: index, %kv: index, %full: tensor<?x?x?x?xi32>,
                         %full_count: tensor<?x?x?xi32>, %partial: tensor<?x?x?x?xi32>,
                         %partial_count: tensor<?x?x?xi32>) -> i1 {
  %size = arith.constant 128 : index
  %row = attn.row
  %i = arith.floordivsi %row, %size : index
  %j = arith.floordivsi %kv, %size : index
  %whole = attn.member %j of %full[%b, %h, %i] count %full_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %part = attn.member %j of %partial[%b, %h, %i] count %partial_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %past = func.call @causal(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  %edge = arith.andi %part, %past : i1
  %visible = arith.ori %whole, %edge : i1
  return %visible : i1
}
