// Tiles that warps cannot share evenly, and columns that matrix instructions cannot take.
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(assign-layouts))" -split-input-file -verify-diagnostics

func.func @rows() attributes {tile.warps = 4 : i64} {
  // expected-error @below {{expects tiles whose rows are a multiple of 16 x 4 warps, got 'tensor<96x64xf32>'}}
  %a = arith.constant dense<0.0> : tensor<96x64xf32>
  return
}

// -----

// Values per row are spread like the rows.
func.func @values_per_row() attributes {tile.warps = 8 : i64} {
  // expected-error @below {{expects tiles whose rows are a multiple of 16 x 8 warps, got 'tensor<64xf32>'}}
  %a = arith.constant dense<0.0> : tensor<64xf32>
  return
}

// -----

func.func @columns() attributes {tile.warps = 4 : i64} {
  // expected-error @below {{expects tiles whose columns are a multiple of 16, got 'tensor<64x40xf32>'}}
  %a = arith.constant dense<0.0> : tensor<64x40xf32>
  return
}

// -----

// In shared memory any rows do, but columns come in chunks as well.
func.func @columns_in_shared_memory(%n: index) attributes {tile.warps = 4 : i64} {
  %ring = tile.ring : !tile.ring<1 x tensor<8x24xf16>>
  // expected-error @below {{expects tiles whose columns are a multiple of 16, got 'tensor<8x24xf16>'}}
  %a = tile.await %ring[%n] : !tile.ring<1 x tensor<8x24xf16>> -> tensor<8x24xf16>
  return
}

// -----

// What a loop carries is a tile too.
func.func @carried(%n: index, %x: tensor<40x64xf32>) attributes {tile.warps = 1 : i64} {
  // expected-error @below {{expects tiles whose rows are a multiple of 16 x 1 warps, got 'tensor<40x64xf32>'}}
  %r = scf.for %t = %n to %n step %n iter_args(%a = %x) -> (tensor<40x64xf32>) {
    scf.yield %a : tensor<40x64xf32>
  }
  return
}
