// ALISA's sparse window attention, decode: the newest keys and those of the past that drew most weight, named by their
// positions in a cache of pages. Nothing is copied or renumbered.
!q     = tensor<?x1x32x128xf16>                                                     // batch, seq_q, heads, head_dim
!pool  = tensor<?x16x32x128xf16>                                                    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>                                                            // batch, max_pages
!lens  = tensor<?xi32>                                                              // batch
!heavy = tensor<?x32x?xi32, #attn.dims<batch, heads, most_heavy>>                   // increasing
!count = tensor<?x32xi32, #attn.dims<batch, heads>>
attn.kernel @alisa_decode(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens, %heavy: !heavy,
                          %heavy_count: !count, %recent: index) -> (o: !q) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @recent_or_heavy(%recent, %heavy, %heavy_count) : index, !heavy, !count
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
func.func @recent_or_heavy(%b: index, %h: index, %q: index, %kv: index, %recent: index, %heavy: tensor<?x?x?xi32>,
                           %count: tensor<?x?xi32>) -> i1 {
  %age = arith.subi %q, %kv : index
  %near = arith.cmpi slt, %age, %recent : index
  %kept = attn.member %kv of %heavy[%b, %h] count %count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %visible = arith.ori %near, %kept : i1
  return %visible : i1
}
