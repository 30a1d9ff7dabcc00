// Llama 3 decode over a cache in pages of 16 tokens: one new token per sequence, which is in the cache already. The 8B
// model has 32 query heads, the 70B one 64; both share 8 key/value heads.
!q8    = tensor<?x1x32x128xbf16>    // batch, seq_q, heads, head_dim
!q70   = tensor<?x1x64x128xbf16>
!pool  = tensor<?x16x8x128xbf16>    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>            // batch, max_pages
!lens  = tensor<?xi32>              // batch
attn.kernel @llama3_8b_paged_decode(%q: !q8, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens)
    -> (o: !q8) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q8, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q8
  attn.return %o : !q8
}
attn.kernel @llama3_70b_paged_decode(%q: !q70, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens)
    -> (o: !q70) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q70, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q70
  attn.return %o : !q70
}
