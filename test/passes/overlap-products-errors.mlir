// What overlap-products refuses, with its sentences.
// RUN: attn-opt %s --overlap-products -split-input-file -verify-diagnostics

func.func @one(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>, %from: index, %end: index)
    attributes {tile.overlap = "output_behind"} {
  %c1 = arith.constant 1 : index
  // expected-error @below {{expects two products in a loop whose products overlap}}
  scf.for %t = %from to %end step %c1 {
    %s = tile.dot %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> tensor<64x32xf32>
  }
  return
}

// -----

func.func @alike(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>, %from: index, %end: index)
    attributes {tile.overlap = "output_behind"} {
  %c1 = arith.constant 1 : index
  scf.for %t = %from to %end step %c1 {
    // expected-note @below {{the other product of its kind}}
    %s = tile.dot %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> tensor<64x32xf32>
    // expected-error @below {{expects one product of scores and one into a carried output in a loop whose products overlap}}
    %t2 = tile.dot %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> tensor<64x32xf32>
  }
  return
}
