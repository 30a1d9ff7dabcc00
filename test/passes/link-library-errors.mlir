// Names that nobody has, and rules that hold for functions of the library too.
// RUN: attn-opt %s -link-library -split-input-file -verify-diagnostics=only-expected

!x = tensor<?x?x8x64xf16>
attn.kernel @misspelt(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.modify' op expects a function @sofcap in this file or the library; did you mean @softcap?}}
  %a = attn.modify %s by @sofcap
  // expected-error @below {{'attn.mask' op expects a function @cuasal in this file or the library; did you mean @causal?}}
  %b = attn.mask %a by @cuasal
  // expected-error @below {{'attn.mask' op expects a function @mien in this file or the library; did you mean @mine?}}
  %c = attn.mask %b by @mien
  // expected-error-re @below {{'attn.mask' op expects a function @nothing_like_it in this file or the library{{$}}}}
  %d = attn.mask %c by @nothing_like_it
  %p = attn.softmax %d
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @mine(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi eq, %kv, %q : index
  return %visible : i1
}

// -----

// expected-error @below {{'func.func' op expects a function @cauzal in this file or the library; did you mean @causal?}}
func.func private @cauzal(index, index, index, index) -> i1

// -----

// expected-error @below {{'func.func' op expects @causal to be '(index, index, index, index) -> i1', as it is in the library, got '(index) -> i1'}}
func.func private @causal(index) -> i1

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @parameter(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.mask' op expects @sliding_window to be '(index, index, index, index) -> i1' (b, h, q, kv, then the parameters given here), got '(index, index, index, index, index) -> i1'}}
  %m = attn.mask %s by @sliding_window
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
