// Llama 3 8B, chunked prefill: the newest tokens of each sequence against a cache in pages, which holds them already.
// A token sees everything before it, whatever part of the prompt came in earlier chunks.
!q     = tensor<?x?x32x128xbf16>    // batch, seq_q, heads, head_dim
!pool  = tensor<?x16x8x128xbf16>    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>            // batch, max_pages
!lens  = tensor<?xi32>              // batch
attn.kernel @llama3_chunked_prefill(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens)
    -> (o: !q) {
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
