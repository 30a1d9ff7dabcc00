// A walk over joined sequences becomes one walk for each, and what one ends with the next begins with.
// RUN: attn-opt %s --expand-sources | FileCheck %s
// RUN: attn-opt %s --expand-sources | attn-opt | FileCheck %s
// RUN: attn-opt %s --expand-sources --canonicalize | FileCheck %s --check-prefix=SHARES

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

// A range counts each part from a multiple of the step on: parts of 100, 40 and 70 rows begin at 0, 128 and 192, and end
// at 320. Shares of 128 rows of these: of each part what lies between, from a tile's beginning on. Between them they have
// the tiles 0 and 64 of the first part, 0 of the second, and 0 and 64 of the third, each once.

// CHECK-LABEL: func.func @ranges
// CHECK: %[[INSIDE:.*]] = arith.minsi %[[TO:[a-z0-9]+]], %[[N:.*]] : index
// CHECK: tile.walk %{{.*}} in %{{.*}}[%[[FROM:[a-z0-9]+]] to %[[INSIDE]]] step 64
// CHECK: %[[TILES:.*]] = arith.ceildivui %[[N]], %{{.*}} : index
// CHECK: %[[BEGIN:.*]] = arith.muli %[[TILES]], %{{.*}} : index
// CHECK: %[[F:.*]] = arith.subi %[[FROM]], %[[BEGIN]] : index
// CHECK: %[[F0:.*]] = arith.maxsi %[[F]], %c0{{.*}} : index
// CHECK: %[[T:.*]] = arith.subi %[[TO]], %[[BEGIN]] : index
// CHECK: %[[T0:.*]] = arith.maxsi %[[T]], %c0{{.*}} : index
// CHECK: %[[T1:.*]] = arith.minsi %[[T0]], %{{.*}} : index
// CHECK: tile.walk %{{.*}} in %{{.*}}[%[[F0]] to %[[T1]]] step 64
func.func @ranges(%b: index, %n: index, %from: index, %to: index, %k: !mem) -> index {
  %ka = tile.view %k[%b, %b] length %n : !mem -> !view
  %kb = tile.view %k[%b, %b] length %n index %n : !mem -> !view
  %keys = tile.concat %ka, %kb : !view, !view -> !view
  %r = tile.walk %col in %keys[%from to %to] step 64 iter_args(%x = %n) : !view -> (index) {
    tile.yield %col : index
  }
  return %r : index
}

// SHARES-LABEL: func.func @first_share
// SHARES-DAG: %[[C0:.*]] = arith.constant 0 : index
// SHARES-DAG: %[[C100:.*]] = arith.constant 100 : index
// SHARES: tile.walk %{{.*}} in %[[A:.*]][%[[C0]] to %[[C100]]] step 64
// SHARES: tile.walk %{{.*}} in %[[B:.*]][%[[C0]] to %[[C0]]] step 64
// SHARES: tile.walk %{{.*}} in %[[C:.*]][%[[C0]] to %[[C0]]] step 64
func.func @first_share(%b: index, %x: index, %k: !mem) -> index {
  %c0 = arith.constant 0 : index
  %c40 = arith.constant 40 : index
  %c70 = arith.constant 70 : index
  %c100 = arith.constant 100 : index
  %c128 = arith.constant 128 : index
  %ka = tile.view %k[%b, %b] length %c100 : !mem -> !view
  %kb = tile.view %k[%b, %b] length %c40 : !mem -> !view
  %kc = tile.view %k[%b, %b] length %c70 : !mem -> !view
  %keys = tile.concat %ka, %kb, %kc : !view, !view, !view -> !view
  %r = tile.walk %col in %keys[%c0 to %c128] step 64 iter_args(%y = %x) : !view -> (index) {
    %z = arith.addi %y, %col : index
    tile.yield %z : index
  }
  return %r : index
}

// SHARES-LABEL: func.func @second_share
// SHARES-DAG: %[[C0:.*]] = arith.constant 0 : index
// SHARES-DAG: %[[C40:.*]] = arith.constant 40 : index
// SHARES-DAG: %[[C64:.*]] = arith.constant 64 : index
// SHARES-DAG: %[[C100:.*]] = arith.constant 100 : index
// SHARES-DAG: %[[C128:.*]] = arith.constant 128 : index
// SHARES: tile.walk %{{.*}} in %[[A:.*]][%[[C128]] to %[[C100]]] step 64
// SHARES: tile.walk %{{.*}} in %[[B:.*]][%[[C0]] to %[[C40]]] step 64
// SHARES: tile.walk %{{.*}} in %[[C:.*]][%[[C0]] to %[[C64]]] step 64
func.func @second_share(%b: index, %x: index, %k: !mem) -> index {
  %c40 = arith.constant 40 : index
  %c70 = arith.constant 70 : index
  %c100 = arith.constant 100 : index
  %c128 = arith.constant 128 : index
  %c256 = arith.constant 256 : index
  %ka = tile.view %k[%b, %b] length %c100 : !mem -> !view
  %kb = tile.view %k[%b, %b] length %c40 : !mem -> !view
  %kc = tile.view %k[%b, %b] length %c70 : !mem -> !view
  %keys = tile.concat %ka, %kb, %kc : !view, !view, !view -> !view
  %r = tile.walk %col in %keys[%c128 to %c256] step 64 iter_args(%y = %x) : !view -> (index) {
    %z = arith.addi %y, %col : index
    tile.yield %z : index
  }
  return %r : index
}

// SHARES-LABEL: func.func @last_share
// SHARES-DAG: %[[C64:.*]] = arith.constant 64 : index
// SHARES-DAG: %[[C70:.*]] = arith.constant 70 : index
// SHARES-DAG: %[[C100:.*]] = arith.constant 100 : index
// SHARES-DAG: %[[C128:.*]] = arith.constant 128 : index
// SHARES-DAG: %[[C256:.*]] = arith.constant 256 : index
// SHARES-DAG: %[[C40:.*]] = arith.constant 40 : index
// SHARES: tile.walk %{{.*}} in %[[A:.*]][%[[C256]] to %[[C100]]] step 64
// SHARES: tile.walk %{{.*}} in %[[B:.*]][%[[C128]] to %[[C40]]] step 64
// SHARES: tile.walk %{{.*}} in %[[C:.*]][%[[C64]] to %[[C70]]] step 64
func.func @last_share(%b: index, %x: index, %k: !mem) -> index {
  %c40 = arith.constant 40 : index
  %c70 = arith.constant 70 : index
  %c100 = arith.constant 100 : index
  %c256 = arith.constant 256 : index
  %c384 = arith.constant 384 : index
  %ka = tile.view %k[%b, %b] length %c100 : !mem -> !view
  %kb = tile.view %k[%b, %b] length %c40 : !mem -> !view
  %kc = tile.view %k[%b, %b] length %c70 : !mem -> !view
  %keys = tile.concat %ka, %kb, %kc : !view, !view, !view -> !view
  %r = tile.walk %col in %keys[%c256 to %c384] step 64 iter_args(%y = %x) : !view -> (index) {
    %z = arith.addi %y, %col : index
    tile.yield %z : index
  }
  return %r : index
}
