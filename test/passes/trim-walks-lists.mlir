// Walks whose masks ask lists become loops over a list of tiles.
// RUN: attn-opt %s -split-input-file -trim-walks | FileCheck %s
// RUN: attn-opt %s -split-input-file -trim-walks -split-loops | FileCheck %s --check-prefix=SPLIT

!x = memref<?x?x8x64xbf16>
!view = !tile.view<64 x bf16>
!q = tensor<64x64xbf16>
!k = tensor<32x64xbf16>
!s = tensor<64x32xf32>

// Each entry gives the columns it admits, each gap between entries those that it hides; threads share them out.
// CHECK-LABEL: func.func @columns
// CHECK: %[[list:.*]] = tile.collect %{{.*}} to %{{.*}} most 1024 {
// CHECK: tile.each %[[e:.*]] in [%{{.*}} to %{{.*}}] {
// CHECK-NEXT: memref.load %{{.*}}[%[[e]]]
// CHECK: tile.mark visible
// CHECK: scf.if
// CHECK: tile.each
// CHECK: tile.mark hidden
// CHECK: } else {
// CHECK: tile.mark hidden
// Columns behind the last one are hidden, too.
// CHECK: tile.mark hidden
// CHECK: %[[n:.*]] = tile.count %[[list]]
// CHECK: scf.for %[[place:.*]] = %{{.*}} to %[[n]]
// CHECK: %[[t:.*]] = tile.entry %[[list]][%[[place]]]
// CHECK: %[[col:.*]] = arith.muli %[[t]],
// CHECK: tile.mask %{{.*}} by [@visible, @in_bounds]{{.*}} unless %[[place]] full in %[[list]]
// SPLIT-LABEL: func.func @columns
// SPLIT: scf.while (%[[from:.*]] = %{{.*}}, %{{.*}} = %{{.*}})
// SPLIT: tile.run of hidden %{{.*}}[%{{.*}}]
// SPLIT: scf.for
// SPLIT: tile.mask
// SPLIT: {tile.part = "masked"}
// SPLIT: tile.run of visible
// SPLIT: scf.for
// SPLIT-NOT: tile.mask
// SPLIT: {tile.part = "full"}
func.func @columns(%x: !x, %b: index, %h: index, %n: index, %row: index, %list: memref<?xi32>, %init: !s) -> !s {
  %zero = arith.constant 0 : index
  %query = tile.view %x[%b, %h] length %n : !x -> !view
  %keys = tile.view %x[%b, %h] length %n : !x -> !view
  %q = tile.load %query[%row] : !view -> !q
  %r = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%a = %init) : !view -> (!s) {
    %k = tile.load %keys[%col] : !view -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !s
    %m = tile.mask %raw by [@visible, @in_bounds](%list : memref<?xi32>) rows %query[%row] cols %keys[%col] : !s, !view, !view
    tile.yield %m : !s
  }
  return %r : !s
}
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %list: memref<?xi32>) -> i1 {
  %from = arith.constant 0 : index
  %to = arith.constant 1073741824 : index
  %found = tile.member %kv of %list from %from to %to : memref<?xi32>
  return %found : i1
}
func.func private @in_bounds(index, index, index, index, index, index) -> i1

// -----

!x = memref<?x?x8x64xbf16>
!view = !tile.view<64 x bf16>
!q = tensor<64x64xbf16>
!k = tensor<32x64xbf16>
!s = tensor<64x32xf32>

// Rows of a block have a list in common: a loop over the blocks of the tile's rows, in which threads take entries. Two
// lists in what is hidden leave what both leave.
// CHECK-LABEL: func.func @blocks
// CHECK: tile.collect
// CHECK: scf.for
// CHECK: tile.each
// CHECK: tile.mark visible
// CHECK: tile.common hidden {
// CHECK: tile.mark hidden
// CHECK: }, {
// CHECK: tile.mark hidden
func.func @blocks(%x: !x, %batch: index, %h: index, %n: index, %row: index, %a: memref<?x?xi32>, %b: memref<?x?xi32>, %init: !s) -> !s {
  %zero = arith.constant 0 : index
  %query = tile.view %x[%batch, %h] length %n : !x -> !view
  %keys = tile.view %x[%batch, %h] length %n : !x -> !view
  %q = tile.load %query[%row] : !view -> !q
  %r = tile.walk %col in %keys[%zero to %n] step 32 iter_args(%acc = %init) : !view -> (!s) {
    %k = tile.load %keys[%col] : !view -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !s
    %m = tile.mask %raw by [@visible](%a, %b : memref<?x?xi32>, memref<?x?xi32>) rows %query[%row] cols %keys[%col] : !s, !view, !view
    tile.yield %m : !s
  }
  return %r : !s
}
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %one: memref<?x?xi32>, %two: memref<?x?xi32>) -> i1 {
  %size = arith.constant 48 : index
  %from = arith.constant 0 : index
  %to = arith.constant 1073741824 : index
  %i = arith.floordivsi %row, %size : index
  %j = arith.floordivsi %kv, %size : index
  %x = tile.member %j of %one[%i] from %from to %to : memref<?x?xi32>
  %y = tile.member %j of %two[%i] from %from to %to : memref<?x?xi32>
  %either = arith.ori %x, %y : i1
  return %either : i1
}
