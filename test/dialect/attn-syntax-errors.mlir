// What the parser refuses: one fault at a time, at the word.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expects one name per dimension, got 1 names for 2 dimensions}}
func.func private @f(tensor<?x?xf32, #attn.dims<batch>>)

// -----

// expected-error @+1 {{expects every dimension to have its own name, got 'heads' twice}}
func.func private @f(tensor<?x?xf32, #attn.dims<heads, heads>>)

// -----

// expected-error @+1 {{expects an argument with a name, got '%0'}}
attn.kernel @f(%0: tensor<1x1x8x64xf16>) {
}

// -----

// expected-error @+1 {{expects one schedule name, got 'decode' and 'stream_k'}}
attn.kernel @f() schedule<decode, stream_k> {
}

// -----

// expected-error @+1 {{expects block_q, block_kv, num_stages, num_warps, num_splits, packed or overlap, got 'block_k'}}
attn.kernel @f() schedule<block_k = 64> {
}

// -----

// expected-error @+1 {{expects 'block_q' to be positive, got -1}}
attn.kernel @f() schedule<block_q = -1> {
}

// -----

// expected-error @+1 {{expects every key of a schedule once, got 'block_q' twice}}
attn.kernel @f() schedule<block_q = 64, block_q = 128> {
}

// -----

// expected-error @+1 {{expects 'overlap' to be none, scores_ahead or output_behind, got 'both'}}
attn.kernel @f() schedule<overlap = both> {
}

// -----

// A line in the wrong place has the wrong type.
!x = tensor<?x?x8x64xf16>
attn.kernel @mask_after_softmax(%q: !x, %k: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-note @below {{prior use here}}
  %p = attn.softmax %s
  // expected-error @below {{use of value '%p' expects different type than prior uses: '!attn.scores' vs '!attn.probs'}}
  %m = attn.mask %p by @causal
  attn.return %q : !x
}

// -----

!x = tensor<?x?x8x64xf16>
func.func @no_kernel(%q: !x, %k: !x) {
  // expected-error @below {{'attn.scores' op expects parent op 'attn.kernel'}}
  %s = attn.scores %q, %k : !x, !x
  return
}

// -----

!x = tensor<?x?x8x64xf16>
attn.kernel @parameter(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %d = arith.constant 1.0 : f64
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{operand #1 must be variadic of a parameter of a score or mask function: f32, index, i32, i1 or a tensor, but got 'f64'}}
  %m = attn.modify %s by @f(%d) : f64
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
