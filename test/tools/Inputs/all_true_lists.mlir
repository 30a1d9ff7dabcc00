// The same behind lists of blocks, of 48 keys and queries, which divide no tile.
!x = tensor<1x?x2x64xbf16>
!list  = tensor<2x?x?xi32, #attn.dims<heads, q_blocks, kv_blocks>>
!count = tensor<2x?xi32, #attn.dims<heads, q_blocks>>
attn.kernel @all_true(%q: !x, %k: !x, %v: !x, %blocks: !list, %count: !count) -> (o: !x) schedule<block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %b = attn.mask %s by @in_blocks(%blocks, %count) : !list, !count
  %m = attn.mask %b by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @in_blocks(%b: index, %h: index, %q: index, %kv: index, %blocks: tensor<?x?x?xi32>, %count: tensor<?x?xi32>) -> i1 {
  %size = arith.constant 48 : index
  %row = attn.row
  %i = arith.floordivsi %row, %size : index
  %j = arith.floordivsi %kv, %size : index
  %seen = attn.member %j of %blocks[%h, %i] count %count : tensor<?x?x?xi32> count tensor<?x?xi32>
  return %seen : i1
}
