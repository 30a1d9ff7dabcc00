// Tiles get the encoding of the thread that holds, or of the place in shared memory that has, each of their elements.
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(assign-layouts))" | FileCheck %s

// Products go to accumulators, what is per row to slices, what comes from rings to shared memory; a product of what
// another product gave reads it as an operand.

// CHECK-LABEL: func.func @chain
// CHECK: tile.ring : <1 x tensor<64x64xf16, #tile.shared<swizzle = 128, slab = 64>>>
// CHECK: %[[SUM:.*]] = arith.constant dense<0.000000e+00> : tensor<128xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>>>
// CHECK: %[[Q:.*]] = tile.await {{.*}} -> tensor<128x64xf16, #tile.shared<swizzle = 128, slab = 64>>
// CHECK: %[[K:.*]] = tile.await {{.*}} -> tensor<64x64xf16, #tile.shared<swizzle = 128, slab = 64>>
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[SUM]]) -> (tensor<128xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>>>)
// CHECK: %[[S:.*]] = tile.dot %[[Q]], trans_b %[[K]] : {{.*}} -> tensor<128x64xf32, #tile.acc<mma_m16n8k16, warps = 4>>
// CHECK: tile.reduce add %[[S]] into %{{.*}} : {{.*}}, tensor<128xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>>>
// CHECK: %[[B:.*]] = tile.broadcast {{.*}} -> tensor<128x64xf32, #tile.acc<mma_m16n8k16, warps = 4>>
// CHECK: %[[P:.*]] = arith.truncf %[[B]] : {{.*}} to tensor<128x64xf16, #tile.acc<mma_m16n8k16, warps = 4>>
// CHECK: %[[A:.*]] = tile.convert %[[P]] : {{.*}} -> tensor<128x64xf16, #tile.operand<0 of <mma_m16n8k16, warps = 4>>>
// CHECK: tile.dot %[[A]], %[[K]] : {{.*}} -> tensor<128x64xf32, #tile.acc<mma_m16n8k16, warps = 4>>
func.func @chain(%n: index) attributes {tile.warps = 4 : i64} {
  %q_ring = tile.ring : !tile.ring<1 x tensor<128x64xf16>>
  %k_ring = tile.ring : !tile.ring<1 x tensor<64x64xf16>>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant dense<0.0> : tensor<128xf32>
  %q = tile.await %q_ring[%c0] : !tile.ring<1 x tensor<128x64xf16>> -> tensor<128x64xf16>
  %k = tile.await %k_ring[%c0] : !tile.ring<1 x tensor<64x64xf16>> -> tensor<64x64xf16>
  %r = scf.for %t = %c0 to %n step %c1 iter_args(%l = %zero) -> (tensor<128xf32>) {
    %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, tensor<64x64xf16> -> tensor<128x64xf32>
    %l_n = tile.reduce add %s into %l : tensor<128x64xf32>, tensor<128xf32>
    %b = tile.broadcast %l_n : tensor<128xf32> -> tensor<128x64xf32>
    %p = arith.truncf %b : tensor<128x64xf32> to tensor<128x64xf16>
    %o = tile.dot %p, %k : tensor<128x64xf16>, tensor<64x64xf16> -> tensor<128x64xf32>
    scf.yield %l_n : tensor<128xf32>
  }
  return
}

// The widest swizzle that divides a row: 192 columns of two bytes are three times 128 bytes, 96 three times 64, 48
// three times 32.

// CHECK-LABEL: func.func @swizzles
// CHECK: tile.ring : <2 x tensor<32x192xbf16, #tile.shared<swizzle = 128, slab = 64>>>
// CHECK: tile.ring : <2 x tensor<32x96xbf16, #tile.shared<swizzle = 64, slab = 32>>>
// CHECK: tile.ring : <2 x tensor<32x48xbf16, #tile.shared<swizzle = 32, slab = 16>>>
// CHECK: tile.ring : <2 x tensor<32x16xbf16, #tile.shared<swizzle = 32, slab = 16>>>
func.func @swizzles() attributes {tile.warps = 4 : i64} {
  %a = tile.ring : !tile.ring<2 x tensor<32x192xbf16>>
  %b = tile.ring : !tile.ring<2 x tensor<32x96xbf16>>
  %c = tile.ring : !tile.ring<2 x tensor<32x48xbf16>>
  %d = tile.ring : !tile.ring<2 x tensor<32x16xbf16>>
  return
}

// The number of warps is the function's; a function that is no kernel keeps its tiles as they are.

// CHECK-LABEL: func.func @eight_warps
// CHECK: tensor<128x16xf32, #tile.acc<mma_m16n8k16, warps = 8>>
func.func @eight_warps() attributes {tile.warps = 8 : i64} {
  %a = arith.constant dense<0.0> : tensor<128x16xf32>
  return
}
// CHECK-LABEL: func.func @no_kernel
// CHECK: tensor<5x3xf32>
func.func @no_kernel() {
  %a = arith.constant dense<0.0> : tensor<5x3xf32>
  return
}
