// ALISA, which keys stay: of each sequence and head the k largest sums of weight among keys older than the window. The
// list and its count are what alisa_decode.mlir reads.
!sums  = tensor<?x32x?xf32, #attn.dims<batch, heads, seq_kv>>
!older = tensor<?xi32,      #attn.dims<batch>>                                      // keys in front of the window
!heavy = tensor<?x32x?xi32, #attn.dims<batch, heads, most_heavy>>                   // increasing
!count = tensor<?x32xi32,   #attn.dims<batch, heads>>
attn.kernel @alisa_select(%sums: !sums, %k: index, %older: !older) -> (heavy: !heavy, heavy_count: !count) {
  %heavy, %count = attn.select %sums top %k below %older : (!sums, index, !older) -> (!heavy, !count)
  attn.return %heavy, %count : !heavy, !count
}
