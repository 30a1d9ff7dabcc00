// Llama 3 8B, speculative decoding with a tree of up to 64 draft tokens, which the cache in pages holds already: each sees
// all of the past, and of the tree itself and its ancestors, whose bits it has.
!q     = tensor<?x?x32x128xbf16,  #attn.dims<batch, drafts, heads, head_dim>>
!pool  = tensor<?x16x8x128xbf16>                                                    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>                                                            // batch, max_pages
!lens  = tensor<?xi32>                                                              // batch
!bits  = tensor<?x?xi64,          #attn.dims<batch, drafts>>                        // bit c: draft c is it, or before it
attn.kernel @llama3_verify_tree(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens,
                                %ancestors: !bits) -> (o: !q) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @tree(%ancestors) : !bits
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
func.func @tree(%b: index, %h: index, %q: index, %kv: index, %ancestors: tensor<?x?xi64>) -> i1 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : i64
  %row = attn.row
  %root = arith.subi %q, %row : index // where the first draft stands
  %node = arith.subi %kv, %root : index
  %past = arith.cmpi slt, %node, %zero : index
  %number = arith.maxsi %node, %zero : index
  %bits = tensor.extract %ancestors[%b, %row] : tensor<?x?xi64>
  %shift = arith.index_cast %number : index to i64
  %rest = arith.shrui %bits, %shift : i64
  %bit = arith.andi %rest, %one : i64
  %ancestor = arith.cmpi eq, %bit, %one : i64
  %visible = arith.ori %past, %ancestor : i1
  return %visible : i1
}
