// Beam search that never moves its cache, 16 heads: the beams of a request share its prompt, and for each token that was
// generated `row_of` says in which beam's row it lies.
!q        = tensor<?x1x16x128xf16, #attn.dims<beams, one, heads, head_dim>>             // beams = requests * width
!prompt   = tensor<?x?x16x128xf16, #attn.dims<requests, seq_prompt, kv_heads, head_dim>>
!response = tensor<?x?x16x128xf16, #attn.dims<beams, seq_response, kv_heads, head_dim>>
!row_of   = tensor<?x?xi32, #attn.dims<beams, seq_response>>
!p_lens   = tensor<?xi32, #attn.dims<requests>>
!r_lens   = tensor<?xi32, #attn.dims<beams>>
attn.kernel @beam_search(%q: !q, %k_prompt: !prompt, %v_prompt: !prompt, %prompt_lens: !p_lens, %k_response: !response,
                         %v_response: !response, %response_lens: !r_lens, %row_of: !row_of) -> (o: !q) {
  %prompts = attn.dense %k_prompt, %v_prompt[%prompt_lens] : !prompt, !prompt [!p_lens]
  %prompt = attn.share %prompts
  %responses = attn.dense %k_response, %v_response[%response_lens] : !response, !response [!r_lens]
  %response = attn.share %responses[%row_of] : [!row_of]
  %kv = attn.concat %prompt, %response
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
