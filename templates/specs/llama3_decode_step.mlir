// Llama 3 8B decode, with the cache in the same launch: the new token's keys and values are written behind those in the
// pages, then all of them are attended to. `kv_lens` counts the new token already.
!q     = tensor<?x1x32x128xbf16>    // batch, seq_q, heads, head_dim
!new   = tensor<?x1x8x128xbf16>     // batch, seq_new, kv_heads, head_dim
!pool  = tensor<?x16x8x128xbf16>    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>            // batch, max_pages
!lens  = tensor<?xi32>              // batch
attn.kernel @llama3_decode_step(%q: !q, %k_new: !new, %v_new: !new, %k_pool: !pool, %v_pool: !pool,
                                %page_table: !table, %kv_lens: !lens) -> (o: !q) {
  %new = attn.dense %k_new, %v_new : !new, !new
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  attn.append %new to %kv : !attn.seq
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
