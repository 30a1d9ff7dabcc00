// Training forward over packed documents: document[b, i] is that of token i, which sees its own document up to itself.
// The logarithm of the sum of exponents goes to the backward pass.
!x   = tensor<?x?x16x64xbf16, #attn.dims<batch, seq, heads, head_dim>>
!ids = tensor<?x?xi32,        #attn.dims<batch, seq>>                               // increasing along a row
!lse = tensor<?x?x16xf32,     #attn.dims<batch, seq, heads>>
attn.kernel @documents_training(%q: !x, %k: !x, %v: !x, %document: !ids) -> (o: !x, lse: !lse) {
  %s = attn.scores %q, %k : !x, !x
  %d = attn.mask %s by @same_document(%document) : !ids
  %m = attn.mask %d by @causal
  %p, %lse = attn.softmax %m -> !lse
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !lse
}
