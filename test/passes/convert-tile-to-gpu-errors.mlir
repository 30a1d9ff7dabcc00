// What threads cannot do with tiles and functions, with its sentences.
// RUN: attn-opt %s --convert-tile-to-gpu -split-input-file -verify-diagnostics

// A walk that trim-walks has not made a loop of.
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
func.func @walk(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !tile.view<16 x f16>
  // expected-error @below {{'tile.walk' op has no lowering to threads}}
  tile.walk %col in %v[%c0 to %c0] step 16 iter_args() : !tile.view<16 x f16> -> () {
    tile.yield
  }
  return
}

// -----

func.func @constant() attributes {tile.warps = 1 : i64} {
  // expected-error @below {{'arith.constant' op expects one value for the whole tile}}
  %t = arith.constant dense<[0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]> : tensor<16xf32, #tile.slice<1 of #tile.acc<mma_m16n8k16, warps = 1>>>
  return
}

// -----

!narrow = tensor<16x16xf16, #tile.acc<mma_m16n8k16, warps = 1>>
!wide = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
func.func @narrow() attributes {tile.warps = 1 : i64} {
  %x = arith.constant dense<1.0> : !wide
  %y = arith.truncf %x : !wide to !narrow
  // expected-error @below {{'arith.addf' op expects tiles of f32: 16-bit tiles are only converted to and multiplied}}
  %z = arith.addf %y, %y : !narrow
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!shared = tensor<16x16xf32, #tile.shared<swizzle = 32, slab = 8>>
func.func @convert() attributes {tile.warps = 1 : i64} {
  %x = arith.constant dense<1.0> : !acc
  // expected-error @below {{'tile.convert' op expects accumulator to operand, or one slice to another, got 'tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>' and 'tensor<16x16xf32, #tile.shared<swizzle = 32, slab = 8>>'}}
  %y = tile.convert %x : !acc -> !shared
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!narrow = tensor<16x16xf16, #tile.acc<mma_m16n8k16, warps = 1>>
!operand = tensor<16x16xf16, #tile.operand<0 of #tile.acc<mma_m16n8k16, warps = 1>>>
func.func @right_operand() attributes {tile.warps = 1 : i64} {
  %x = arith.constant dense<1.0> : !acc
  %y = arith.truncf %x : !acc to !narrow
  %a = tile.convert %y : !narrow -> !operand
  // expected-error @below {{'tile.dot' op expects its right operand in shared memory, got 'tensor<16x16xf16, #tile.acc<mma_m16n8k16, warps = 1>>'}}
  %z = tile.dot %a, %y : !operand, !narrow -> !acc
  return
}

// -----

!tile = tensor<16x16xf32, #tile.shared<swizzle = 64, slab = 16>>
!mem = memref<?x?x4x16xf32, strided<[?, ?, ?, 1]>>
func.func @wide_rows(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !tile.view<16 x f32>
  %ring = tile.ring : !tile.ring<1 x !tile>
  // expected-error @below {{'tile.fill' op expects rows of a 16-bit type, got 'f32'}}
  tile.fill %ring[%c0] from %v[%c0] : !tile.ring<1 x !tile>, !tile.view<16 x f32>
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
func.func private @score(f32, index, index, index, index, index, index) -> f32
func.func @score_without_body(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !view
  %x = arith.constant dense<1.0> : !acc
  // expected-error @below {{'tile.apply' op expects @score to have a body}}
  %y = tile.apply @score to %x rows %v[%c0] cols %v[%c0] : !acc rows !view cols !view
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
func.func private @visible(index, index, index, index, index, index) -> i1
func.func @mask_without_body(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !view
  %x = arith.constant dense<1.0> : !acc
  // expected-error @below {{'tile.mask' op expects @visible to have a body}}
  %y = tile.mask %x by [@visible] rows %v[%c0] cols %v[%c0] : !acc, !view, !view
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32 {
  // expected-error @below {{'math.erf' op has no PTX form yet: expects exp, exp2, log, log2, tanh, sqrt, rsqrt, powf, sin, cos, absf, absi, fma, floor, ceil or ctpop}}
  %r = math.erf %s : f32
  return %r : f32
}
func.func @unknown_function(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !view
  %x = arith.constant dense<1.0> : !acc
  %y = tile.apply @score to %x rows %v[%c0] cols %v[%c0] : !acc rows !view cols !view
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
func.func private @half(f32) -> f32
func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32 {
  // expected-error @below {{'func.call' op has no lowering in a score or mask function}}
  %r = func.call @half(%s) : (f32) -> f32
  return %r : f32
}
func.func @call(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !view
  %x = arith.constant dense<1.0> : !acc
  %y = tile.apply @score to %x rows %v[%c0] cols %v[%c0] : !acc rows !view cols !view
  return
}

// -----

!tile = tensor<64x64xf16, #tile.shared<swizzle = 128, slab = 64>>
func.func @part_of_a_token(%q: memref<?x?x14x64xf16, strided<[?, ?, ?, 1]>> {attn.name = "q", attn.dims = ["b", "seq", "h", "d"]})
    attributes {tile.warps = 4 : i64} {
  %ring = tile.ring : !tile.ring<1 x !tile>
  tile.roles load warps = 4 registers = 24 {
    %c0 = arith.constant 0 : index
    %rows = tile.view %q[%c0, %c0] length %c0 packed 7 : memref<?x?x14x64xf16, strided<[?, ?, ?, 1]>> -> !tile.view<64 x f16>
    // expected-error @below {{expects boxes of whole tokens: 64 rows are no multiple of 7 heads}}
    tile.fill %ring[%c0] from %rows[%c0] : !tile.ring<1 x !tile>, !tile.view<64 x f16>
  } compute warps = 4 registers = 256 {
  }
  return
}

// -----

!half = tensor<16x16xf16, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xbf16, strided<[?, ?, ?, 1]>>
func.func @store_other_type(%q: memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>> {attn.name = "q", attn.dims = ["b", "s", "h", "d"]},
    %o: !mem {attn.name = "o", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %from = tile.view %q[%c0, %c0] length %c0 : memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>> -> !tile.view<16 x f16>
  %to = tile.view %o[%c0, %c0] length %c0 : !mem -> !tile.view<16 x bf16>
  %x = tile.load %from[%c0] : !tile.view<16 x f16> -> !half
  // expected-error @below {{expects a view of 'f16' like the tile, got '!tile.view<16 x bf16>'}}
  tile.store %x, %to[%c0] : !half, !tile.view<16 x bf16>
  return
}

// -----

!acc = tensor<16x16xf32, #tile.acc<mma_m16n8k16, warps = 1>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
func.func @load_other_type(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !tile.view<16 x f16>
  // expected-error @below {{expects rows of 'f32' with 16 or 32 bits, got 'f16'}}
  %x = tile.load %v[%c0] : !tile.view<16 x f16> -> !acc
  return
}

// -----

!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
func.func @columns_of_columns(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !tile.view<16 x f16>
  %w = tile.columns %v[%c0] : !tile.view<16 x f16> -> !tile.view<16 x f16>
  // expected-error @below {{expects columns of a tile.view}}
  %u = tile.columns %w[%c0] : !tile.view<16 x f16> -> !tile.view<8 x f16>
  return
}

// -----

!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
func.func @tallied(%q: !mem {attn.name = "q", attn.dims = ["b", "s", "h", "d"]}) attributes {tile.warps = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %cells = tile.workspace[%c0] sizes %c1, %c1 : memref<?x?xi64>
  %v = tile.view %q[%c0, %c0] length %c0 : !mem -> !tile.view<16 x f16>
  %x = arith.constant dense<1.0> : tensor<16xf32, #tile.slice<1 of #tile.acc<mma_m16n8k16, warps = 1>>>
  // expected-error @below {{'tile.tally' op expects a tile of f32 in the layout of an accumulator, got 'tensor<16xf32}}
  tile.tally %x to %cells[%c0] per key rows %v[%c0] cols %v[%c0] : tensor<16xf32, #tile.slice<1 of #tile.acc<mma_m16n8k16, warps = 1>>>, memref<?x?xi64>, !tile.view<16 x f16>, !tile.view<16 x f16>
  return
}
