// A load outside the loops is awaited before the first of them, so it cannot stand behind it.
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(pipeline-loads))" -split-input-file -verify-diagnostics

!view = !tile.view<64 x f16>
!q = tensor<64x64xf16>
!s = tensor<64x64xf32>
func.func @between_loops(%query: !view, %k: !q, %n: index, %zero: !s) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %first = scf.for %t = %c0 to %n step %c1 iter_args(%a = %zero) -> (!s) {
    scf.yield %a : !s
  }
  // expected-error @below {{'tile.load' op expects to stand before the loops that read it}}
  %q = tile.load %query[%n] : !view -> !q
  %second = scf.for %t = %c0 to %n step %c1 iter_args(%a = %first) -> (!s) {
    %s = tile.dot %q, trans_b %k into %a : !s, !q, !q -> !s
    scf.yield %s : !s
  }
  return %second : !s
}

// -----

!view = !tile.view<64 x f16>
!q = tensor<64x64xf16>
!s = tensor<64x64xf32>
func.func @behind_the_loop(%query: !view, %k: !q, %n: index, %zero: !s) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %sum = scf.for %t = %c0 to %n step %c1 iter_args(%a = %zero) -> (!s) {
    scf.yield %a : !s
  }
  // expected-error @below {{'tile.load' op expects to stand before the loops that read it}}
  %q = tile.load %query[%n] : !view -> !q
  %s = tile.dot %q, trans_b %k into %sum : !s, !q, !q -> !s
  return %s : !s
}
