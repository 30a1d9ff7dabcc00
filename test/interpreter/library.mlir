// Every function of the library, by itself: a spec names it and holds no declaration.
// RUN: %python %S/library.py %s %t | FileCheck %s
// CHECK: 12 kernels agree

!x      = tensor<?x?x2x8xf32>
!l      = tensor<?x?x2xf32>
!slopes = tensor<2xf32>
!lens   = tensor<?xi32, #attn.dims<batch>>
!ids    = tensor<?x?xi32, #attn.dims<batch, most_tokens>>

attn.kernel @with_alibi(%q: !x, %k: !x, %v: !x, %slopes: !slopes) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.modify %s by @alibi(%slopes) : !slopes
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_band(%q: !x, %k: !x, %v: !x, %left: index, %right: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @band(%left, %right) : index, index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_butterfly(%q: !x, %k: !x, %v: !x, %block: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @butterfly(%block) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_causal(%q: !x, %k: !x, %v: !x) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_dilated(%q: !x, %k: !x, %v: !x, %step: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @dilated(%step) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_same_chunk(%q: !x, %k: !x, %v: !x, %chunk: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @same_chunk(%chunk) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_sliding_window(%q: !x, %k: !x, %v: !x, %window_left: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sliding_window(%window_left) : index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_streaming(%q: !x, %k: !x, %v: !x, %sink_tokens: index, %window_left: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @streaming(%sink_tokens, %window_left) : index, index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_prefix_lm(%q: !x, %k: !x, %v: !x, %prefix_lens: !lens) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @prefix_lm(%prefix_lens) : !lens
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_same_document(%q: !x, %k: !x, %v: !x, %document: !ids) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @same_document(%document) : !ids
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_sorted_documents(%q: !x, %k: !x, %v: !x, %document: !ids) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sorted_documents(%document) : !ids
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
attn.kernel @with_softcap(%q: !x, %k: !x, %v: !x, %cap: f32) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.modify %s by @softcap(%cap) : f32
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
