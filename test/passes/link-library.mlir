// Functions that are named and not here come from the library, with what they call; ours go first.
// RUN: attn-opt %s -link-library | FileCheck %s

// CHECK: attn.mask {{.*}} by @streaming
// CHECK: attn.mask {{.*}} by @causal
!x = tensor<?x?x8x64xf16>
attn.kernel @uses(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %sink_tokens = arith.constant 4 : index
  %window_left = arith.constant 1023 : index
  %cap = arith.constant 30.0 : f32
  %s = attn.scores %q, %k : !x, !x
  %c = attn.modify %s by @softcap(%cap) : f32
  %a = attn.mask %c by @streaming(%sink_tokens, %window_left) : index, index
  %b = attn.mask %a by @causal
  %d = attn.mask %b by @dilated(%sink_tokens) : index
  %p = attn.softmax %d
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// A function of ours hides the library's of that name.
// CHECK: func.func @dilated(
// CHECK-NEXT: arith.constant true
// CHECK-NEXT: return
func.func @dilated(%visible: index, %h: index, %q: index, %kv: index, %step: index) -> i1 {
  %yes = arith.constant true
  return %yes : i1
}

// A declaration takes the library's body.
// CHECK-NOT: func.func private @band(index
func.func private @band(index, index, index, index, index, index) -> i1

// CHECK: func.func private @softcap(
// CHECK: func.func private @streaming(
// CHECK: func.func private @causal(
// CHECK: func.func private @band(%
// CHECK: func.func private @sliding_window(
// CHECK-NOT: func.func
