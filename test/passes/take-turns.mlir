// Warpgroups take turns with beginning their two products, whichever comes first.
// RUN: attn-opt %s --take-turns | FileCheck %s
// RUN: attn-opt %s --take-turns | attn-opt | FileCheck %s

!q = tensor<128x64xf16>
!k = tensor<32x64xf16>
!p = tensor<128x32xf16>
!s = tensor<128x32xf32>
!acc = tensor<128x64xf32>
!ring_q = !tile.ring<1 x !q>
!ring_k = !tile.ring<2 x !k>

// CHECK-LABEL: func.func @both(
func.func @both(%n: index) {
  %q_ring = tile.ring : !ring_q
  %k_ring = tile.ring : !ring_k
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  tile.roles load warps = 4 registers = 24 {
  } compute warps = 8 registers = 240 {
    %p = arith.constant dense<1.0> : !p
    %zero = arith.constant dense<0.0> : !acc
    %q = tile.await %q_ring[%c0] : !ring_q -> !q
    %k = tile.await %k_ring[%c0] : !ring_k -> !k
    // CHECK: scf.for
    // CHECK: tile.take_turn
    // CHECK-NEXT: tile.dot_start %{{.*}}, trans_b
    // CHECK-NEXT: tile.dot_start %{{.*}} into
    // CHECK-NEXT: tile.pass_turn
    scf.for %t = %c0 to %n step %c1 {
      %s = tile.dot_start %q, trans_b %k : !q, !k -> !tile.pending<!s>
      %o = tile.dot_start %p, %k into %zero : !acc, !p, !k -> !tile.pending<!acc>
      %s_n = tile.dot_wait %s leaving 1 : !tile.pending<!s> -> !s
      %o_n = tile.dot_wait %o leaving 0 : !tile.pending<!acc> -> !acc
    }
    // CHECK: scf.for
    // CHECK: tile.take_turn
    // CHECK-NEXT: tile.dot_start %{{.*}} into
    // CHECK-NEXT: tile.dot_start %{{.*}}, trans_b
    // CHECK-NEXT: tile.pass_turn
    scf.for %t = %c0 to %n step %c1 {
      %o = tile.dot_start %p, %k into %zero : !acc, !p, !k -> !tile.pending<!acc>
      %s = tile.dot_start %q, trans_b %k : !q, !k -> !tile.pending<!s>
      %o_n = tile.dot_wait %o leaving 1 : !tile.pending<!acc> -> !acc
      %s_n = tile.dot_wait %s leaving 0 : !tile.pending<!s> -> !s
    }
    // One product alone needs no turn.
    // CHECK: scf.for
    // CHECK-NOT: tile.take_turn
    // CHECK: return
    scf.for %t = %c0 to %n step %c1 {
      %s = tile.dot_start %q, trans_b %k : !q, !k -> !tile.pending<!s>
      %s_n = tile.dot_wait %s leaving 0 : !tile.pending<!s> -> !s
    }
  }
  return
}
