// A note names the file of the library.
// RUN: not attn-opt %s -link-library 2>&1 | FileCheck %s

// CHECK: [[@LINE+5]]:8: error: 'attn.mask' op expects @causal to be '(index, index, index, index, f32) -> i1'
// CHECK: templates/variants/causal.mlir:2:1: note: the function is here
!x = tensor<?x?x8x64xf16>
attn.kernel @parameter(%q: !x, %k: !x, %v: !x, %x: f32) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal(%x) : f32
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
