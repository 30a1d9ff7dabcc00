// What assign-roles refuses, with its sentences.
// RUN: attn-opt %s --assign-roles -split-input-file -verify-diagnostics

!view = !tile.view<64 x f16>
!mem = memref<?x?x4x64xf16, strided<[?, ?, ?, 1]>>
func.func @row_of_tile(%m: !mem, %q: tensor<128x64xf16>, %rows: tensor<4xindex>, %end: index)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
  %c1 = arith.constant 1 : index
  %view = tile.view %m[%c1, %c1] length %end : !mem -> !view
  %at = tensor.extract %rows[%c1] : tensor<4xindex>
  // expected-error @below {{'tile.fill' op expects a row that can be known without computing tiles}}
  %k = tile.load %view[%at] : !view -> tensor<32x64xf16>
  %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, tensor<32x64xf16> -> tensor<128x32xf32>
  return
}

// -----

!view = !tile.view<64 x f16>
!mem = memref<?x?x4x64xf16, strided<[?, ?, ?, 1]>>
func.func @carried_row(%m: !mem, %q: tensor<128x64xf16>, %rows: tensor<4xindex>, %from: index, %end: index)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
  %c1 = arith.constant 1 : index
  %view = tile.view %m[%c1, %c1] length %end : !mem -> !view
  %at = scf.for %t = %from to %end step %c1 iter_args(%i = %from) -> (index) {
    // expected-error @below {{'tile.fill' op expects a row that can be known without computing tiles}}
    %k = tile.load %view[%i] : !view -> tensor<32x64xf16>
    %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, tensor<32x64xf16> -> tensor<128x32xf32>
    %next = tensor.extract %rows[%t] : tensor<4xindex>
    scf.yield %next : index
  }
  return
}
