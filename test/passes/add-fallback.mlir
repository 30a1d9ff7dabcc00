// Each kernel gets a twin for tensors that 16-byte copies cannot take, behind it, with the smallest tiles.
// RUN: attn-opt %s --add-fallback | FileCheck %s
// RUN: attn-opt %s --add-fallback | attn-opt | FileCheck %s

// CHECK: attn.kernel @first(%q: tensor<?x?x4x64xf16>, %k: {{.*}}) -> (o: tensor<?x?x4x64xf16>) schedule<prefill, block_q = 128, block_kv = 64, num_stages = 2, num_warps = 8> {
// CHECK: attn.mask %scores by @causal
// CHECK: attn.kernel @first_unaligned(%q: tensor<?x?x4x64xf16>, %k: {{.*}}) -> (o: tensor<?x?x4x64xf16>) schedule<prefill, block_q = 64, block_kv = 16, num_stages = 1, num_warps = 4> attributes {attn.unaligned = "first"} {
// CHECK: attn.mask %scores by @causal
// CHECK: attn.kernel @second(
// CHECK-SAME: schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
// CHECK-NOT: attn.mask
// CHECK: attn.kernel @second_unaligned(
// CHECK-SAME: attributes {attn.unaligned = "second"}
// CHECK-NOT: attn.kernel
// CHECK: func.func private @causal
!x = tensor<?x?x4x64xf16>
attn.kernel @first(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 128, block_kv = 64, num_stages = 2, num_warps = 8> {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
attn.kernel @second(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func private @causal(index, index, index, index) -> i1

// A name that the user has already given stays the user's.
// CHECK: attn.kernel @third(
// CHECK: attn.kernel @third_unaligned_(
// CHECK-SAME: attributes {attn.unaligned = "third"}
// CHECK: attn.kernel @third_unaligned(
// CHECK-NOT: attributes
// CHECK: attn.kernel @third_unaligned_unaligned(
// CHECK-SAME: attributes {attn.unaligned = "third_unaligned"}
attn.kernel @third(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
attn.kernel @third_unaligned(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
