// SampleAttention for ChatGLM3 6B, a prompt in three launches: some query rows say how much weight each column draws, the
// fewest columns of each head that hold a share of it are listed, and attention sees those and a window.
!q     = tensor<1x?x32x128xbf16, #attn.dims<one, seq, heads, head_dim>>
!kv    = tensor<1x?x2x128xbf16,  #attn.dims<one, seq, kv_heads, head_dim>>
!rows  = tensor<?xi32,           #attn.dims<sampled>>                              // increasing
!sums  = tensor<1x32x?xf32,      #attn.dims<one, heads, seq>>
!list  = tensor<1x32x?xi32,      #attn.dims<one, heads, most_columns>>              // increasing
!count = tensor<1x32xi32,        #attn.dims<one, heads>>
attn.kernel @sample_columns(%q: !q, %k: !kv, %rows: !rows) -> (sums: !sums) {
  %s = attn.scores %q, %k : !q, !kv
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %sums = attn.sums %p per key by @sampled (%rows : !rows) -> !sums
  attn.return %sums : !sums
}
func.func @sampled(%b: index, %h: index, %q: index, %kv: index, %rows: tensor<?xi32>) -> i1 {
  %row = attn.row
  %counts = attn.member %row of %rows : tensor<?xi32>
  return %counts : i1
}
attn.kernel @select_columns(%sums: !sums, %share: f32) -> (columns: !list, column_count: !count) {
  %columns, %count = attn.select %sums cover %share : (!sums, f32) -> (!list, !count)
  attn.return %columns, %count : !list, !count
}
attn.kernel @sample_attention(%q: !q, %k: !kv, %v: !kv, %columns: !list, %column_count: !count, %window_left: index)
    -> (o: !q) {
  %s = attn.scores %q, %k : !q, !kv
  %seen = attn.mask %s by @stripes(%columns, %column_count, %window_left) : !list, !count, index
  %m = attn.mask %seen by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}
func.func @stripes(%b: index, %h: index, %q: index, %kv: index, %columns: tensor<?x?x?xi32>,
                   %column_count: tensor<?x?xi32>, %window_left: index) -> i1 {
  %listed = attn.member %kv of %columns[%b, %h] count %column_count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %distance = arith.subi %q, %kv : index
  %near = arith.cmpi sle, %distance, %window_left : index
  %visible = arith.ori %listed, %near : i1
  return %visible : i1
}
