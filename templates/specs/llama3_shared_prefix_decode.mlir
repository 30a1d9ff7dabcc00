// Llama 3 8B decode behind a system prompt that all sequences share and that is stored once; what each sequence has of
// its own lies in pages of 16 tokens.
!q      = tensor<?x1x32x128xbf16>                                                       // batch, seq_q, heads, head_dim
!prefix = tensor<1x?x8x128xbf16, #attn.dims<one, seq_prefix, kv_heads, head_dim>>
!pool   = tensor<?x16x8x128xbf16>                                                       // pages, page_size, kv_heads, head_dim
!table  = tensor<?x?xi32>                                                               // batch, max_pages
!lens   = tensor<?xi32>                                                                 // batch
attn.kernel @llama3_shared_prefix_decode(%q: !q, %k_prefix: !prefix, %v_prefix: !prefix, %k_pool: !pool,
                                         %v_pool: !pool, %page_table: !table, %page_lens: !lens) -> (o: !q) {
  %prompt = attn.dense %k_prefix, %v_prefix : !prefix, !prefix
  %prefix = attn.share %prompt
  %own = attn.pages %k_pool, %v_pool[%page_table, %page_lens] : !pool, !pool [!table, !lens]
  %kv = attn.concat %prefix, %own
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
