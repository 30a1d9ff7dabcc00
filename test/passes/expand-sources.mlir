// A walk over joined sequences becomes one walk for each, and what one ends with the next begins with.
// RUN: attn-opt %s --expand-sources | FileCheck %s
// RUN: attn-opt %s --expand-sources | attn-opt | FileCheck %s

!view = !tile.view<128 x bf16>
!mem = memref<?x?x8x128xbf16>
!tile = tensor<64x128xbf16>

// Keys and values take their own parts; the range of a part is its length, where a view says it.

// CHECK-LABEL: func.func @two
// CHECK-SAME: %[[B:[a-z0-9]+]]: index, %[[NA:[a-z0-9]+]]: index, %[[NB:[a-z0-9]+]]: index, %[[INIT:[a-z0-9]+]]: index
// CHECK-DAG: %[[KA:.*]] = tile.view %{{.*}}[%[[B]], %[[B]]] length %[[NA]] :
// CHECK-DAG: %[[KB:.*]] = tile.view %{{.*}}[%[[B]], %[[B]]] length %[[NB]] index %[[NA]] :
// CHECK-DAG: %[[VA:.*]] = tile.view %{{.*}}[%[[NA]], %[[B]]]
// CHECK-DAG: %[[VB:.*]] = tile.view %{{.*}}[%[[NB]], %[[B]]]
// CHECK-NOT: tile.concat
// CHECK-NOT: tile.extent
// CHECK: %[[FIRST:.*]] = tile.walk %[[C:.*]] in %[[KA]][%c0 to %[[NA]]] step 64 iter_args(%[[S:.*]] = %[[INIT]])
// CHECK:   tile.load %[[KA]][%[[C]]]
// CHECK:   tile.load %[[VA]][%[[C]]]
// CHECK: %[[SECOND:.*]] = tile.walk %[[D:.*]] in %[[KB]][%c0 to %[[NB]]] step 64 iter_args(%[[T:.*]] = %[[FIRST]])
// CHECK:   tile.load %[[KB]][%[[D]]]
// CHECK:   tile.load %[[VB]][%[[D]]]
// CHECK: return %[[SECOND]]
func.func @two(%b: index, %na: index, %nb: index, %init: index, %k: !mem, %l: !mem) -> index {
  %c0 = arith.constant 0 : index
  %ka = tile.view %k[%b, %b] length %na : !mem -> !view
  %kb = tile.view %l[%b, %b] length %nb index %na : !mem -> !view
  %va = tile.view %k[%na, %b] length %na : !mem -> !view
  %vb = tile.view %l[%nb, %b] length %nb index %na : !mem -> !view
  %keys = tile.concat %ka, %kb : !view, !view -> !view
  %values = tile.concat %va, %vb : !view, !view -> !view
  %n = tile.extent %keys : !view
  %r = tile.walk %col in %keys[%c0 to %n] step 64 iter_args(%x = %init) : !view -> (index) {
    %kt = tile.load %keys[%col] : !view -> !tile
    %vt = tile.load %values[%col] : !view -> !tile
    %y = arith.addi %x, %col : index
    tile.yield %y : index
  }
  return %r : index
}

// A part that is an argument is asked for its extent; a walk over one sequence stays as it is.

// CHECK-LABEL: func.func @three
// CHECK-SAME: %[[A:[a-z0-9]+]]: !tile.view<128 x bf16>, %[[BB:[a-z0-9]+]]: !tile.view<128 x bf16>
// CHECK: %[[N1:.*]] = tile.extent %[[A]]
// CHECK: tile.walk %{{.*}} in %[[A]][%c0 to %[[N1]]]
// CHECK: %[[N2:.*]] = tile.extent %[[BB]]
// CHECK: tile.walk %{{.*}} in %[[BB]][%c0 to %[[N2]]]
// CHECK: %[[N3:.*]] = tile.extent %[[A]]
// CHECK: tile.walk %{{.*}} in %[[A]][%c0 to %[[N3]]]
// CHECK: tile.walk %{{.*}} in %[[A]][%c0 to %{{.*}}] step 32
func.func @three(%a: !view, %b: !view, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %keys = tile.concat %a, %b, %a : !view, !view, !view -> !view
  %all = tile.extent %keys : !view
  %r = tile.walk %col in %keys[%c0 to %all] step 64 iter_args(%x = %n) : !view -> (index) {
    tile.yield %col : index
  }
  %s = tile.walk %col in %a[%c0 to %n] step 32 iter_args(%x = %r) : !view -> (index) {
    tile.yield %col : index
  }
  return %s : index
}
