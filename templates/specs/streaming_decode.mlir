// StreamingLLM, decode over pages of 16 tokens: the first four tokens and the last 1024.
!q     = tensor<?x1x32x128xbf16>                                                    // batch, seq_q, heads, head_dim
!pool  = tensor<?x16x8x128xbf16>                                                    // pages, page_size, kv_heads, head_dim
!table = tensor<?x?xi32>                                                            // batch, max_pages
!lens  = tensor<?xi32>                                                              // batch
attn.kernel @streaming_decode(%q: !q, %k_pool: !pool, %v_pool: !pool, %page_table: !table, %kv_lens: !lens) -> (o: !q) {
  %sink_tokens = arith.constant 4 : index
  %window_left = arith.constant 1023 : index
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %m = attn.mask %s by @streaming(%sink_tokens, %window_left) : index, index
  %p = attn.softmax %m
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
