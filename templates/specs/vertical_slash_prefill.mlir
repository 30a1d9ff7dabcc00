// MInference's vertical-slash attention, and with a window SampleAttention's second stage, for Llama 3 8B: each head sees
// some columns, some diagonals, and its neighbours. What several of them hold counts once.
!q     = tensor<1x?x32x128xbf16>                                                    // one, seq_q, heads, head_dim
!kv    = tensor<1x?x8x128xbf16>                                                     // one, seq_kv, kv_heads, head_dim
!list  = tensor<32x?xi32, #attn.dims<heads, most_columns>>                          // increasing
!far   = tensor<32x?xi32, #attn.dims<heads, most_slashes>>                          // distances, increasing
!count = tensor<32xi32>
attn.kernel @vertical_slash_prefill(%q: !q, %k: !kv, %v: !kv, %columns: !list, %column_count: !count, %slashes: !far,
                                    %slash_count: !count, %window_left: index) -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %seen = attn.mask %s by @vertical_slash(%columns, %column_count, %slashes, %slash_count, %window_left)
          : !list, !count, !far, !count, index
  %m = attn.mask %seen by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func @vertical_slash(%b: index, %h: index, %q: index, %kv: index, %columns: tensor<?x?xi32>,
                          %column_count: tensor<?xi32>, %slashes: tensor<?x?xi32>, %slash_count: tensor<?xi32>,
                          %window_left: index) -> i1 {
  %distance = arith.subi %q, %kv : index
  %column = attn.member %kv of %columns[%h] count %column_count : tensor<?x?xi32> count tensor<?xi32>
  %slash = attn.member %distance of %slashes[%h] count %slash_count : tensor<?x?xi32> count tensor<?xi32>
  %near = arith.cmpi sle, %distance, %window_left : index
  %line = arith.ori %column, %slash : i1
  %visible = arith.ori %line, %near : i1
  return %visible : i1
}
