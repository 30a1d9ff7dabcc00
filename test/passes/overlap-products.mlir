// The loop is rotated by one product: scores of a tile are begun beside the output product of the tile before, or behind
// it.
// RUN: attn-opt %s --overlap-products | FileCheck %s
// RUN: attn-opt %s --overlap-products | attn-opt | FileCheck %s

!view = !tile.view<64 x f16>
!q = tensor<128x64xf16>
!k = tensor<32x64xf16>
!s = tensor<128x32xf32>
!acc = tensor<128x64xf32>
!rows = tensor<128xf32>

// CHECK-LABEL: func.func @behind(
// CHECK-SAME: %[[KEYS:[a-z0-9]+]]: !tile.view<64 x f16>, %[[VALUES:[a-z0-9]+]]: !tile.view<64 x f16>, %[[Q:[a-z0-9]+]]: tensor<128x64xf16>, %[[ALPHA:[a-z0-9]+]]: tensor<128x64xf32>, %[[FROM:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index, %[[FREE:[a-z0-9]+]]: index
func.func @behind(%keys: !view, %values: !view, %q: !q, %alpha: !acc, %from: index, %end: index, %free: index)
    -> (!acc, !rows) attributes {tile.atom = "wgmma_m64k16", tile.overlap = "output_behind"} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %row = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : !acc
  %none = arith.constant dense<0.0> : !rows
  // CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<128x64xf32>
  // CHECK: %[[NONE:.*]] = arith.constant dense<0.000000e+00> : tensor<128xf32>

  // Without tiles nothing is begun.
  // CHECK: %[[ANY:.*]] = arith.cmpi slt, %[[FROM]], %[[END]]
  // CHECK: %{{.*}}:2 = scf.if %[[ANY]]

  // The first tile, with its mask whatever kind of tile it is.
  // CHECK: %[[COL:.*]] = arith.muli %[[FROM]]
  // CHECK: %[[K:.*]] = tile.load %[[KEYS]][%[[COL]]]
  // CHECK: %[[BEGUN:.*]] = tile.dot_start %[[Q]], trans_b %[[K]]
  // CHECK: %[[S:.*]] = tile.dot_wait %[[BEGUN]] leaving 0
  // CHECK: %[[M:.*]] = tile.mask %[[S]] by [@visible] rows %[[KEYS]][%{{.*}}] cols %[[KEYS]][%[[COL]]] : tensor
  // CHECK: %[[L0:.*]] = tile.reduce add %[[M]] into %[[NONE]]
  // CHECK: %[[P0:.*]] = arith.truncf %[[M]]
  // CHECK-NOT: arith.mulf

  // CHECK: %[[SECOND:.*]] = arith.addi %[[FROM]], %{{.*}}
  // CHECK: %[[A:.*]] = arith.maxsi %[[FROM]], %[[SECOND]]
  // CHECK: %[[B:.*]] = arith.maxsi %[[FREE]], %[[SECOND]]
  // CHECK: %[[LOOP:.*]]:3 = scf.for %[[T:.*]] = %[[SECOND]] to %[[END]] step %{{.*}} iter_args(%[[ACC:.*]] = %[[ZERO]], %[[L:.*]] = %[[L0]], %[[P:.*]] = %[[P0]])
  // CHECK: %[[COL:.*]] = arith.muli %[[T]]
  // CHECK: %[[K:.*]] = tile.load %[[KEYS]][%[[COL]]]
  // CHECK: %[[SBEGUN:.*]] = tile.dot_start %[[Q]], trans_b %[[K]]
  // CHECK: %[[BEFORE:.*]] = arith.subi %[[T]]
  // CHECK: %[[VCOL:.*]] = arith.muli %[[BEFORE]]
  // CHECK: %[[V:.*]] = tile.load %[[VALUES]][%[[VCOL]]]
  // CHECK: %[[OBEGUN:.*]] = tile.dot_start %[[P]], %[[V]] into %[[ACC]]
  // CHECK: %[[S:.*]] = tile.dot_wait %[[SBEGUN]] leaving 1
  // CHECK: %[[M:.*]] = tile.mask %[[S]] {{.*}} unless %[[T]] in[%[[A]] to %[[B]]]
  // CHECK: %[[LN:.*]] = tile.reduce add %[[M]] into %[[L]]
  // The weights are converted when the product that reads the last ones is done.
  // CHECK: %[[O:.*]] = tile.dot_wait %[[OBEGUN]] leaving 0
  // CHECK: %[[PN:.*]] = arith.truncf %[[M]]
  // CHECK: %[[OS:.*]] = arith.mulf %[[O]], %[[ALPHA]]
  // CHECK: scf.yield %[[OS]], %[[LN]], %[[PN]]

  // CHECK: %[[LAST:.*]] = arith.subi %[[END]]
  // CHECK: %[[VCOL:.*]] = arith.muli %[[LAST]]
  // CHECK: %[[V:.*]] = tile.load %[[VALUES]][%[[VCOL]]]
  // CHECK: %[[OBEGUN:.*]] = tile.dot_start %[[LOOP]]#2, %[[V]] into %[[LOOP]]#0
  // CHECK: %[[O:.*]] = tile.dot_wait %[[OBEGUN]] leaving 0
  // CHECK: scf.yield %[[O]], %[[LOOP]]#1
  // CHECK: } else {
  // CHECK: scf.yield %[[ZERO]], %[[NONE]]
  %o, %l = scf.for %t = %from to %end step %c1 iter_args(%acc = %zero, %l_i = %none) -> (!acc, !rows) {
    %col = arith.muli %t, %c32 : index
    %k = tile.load %keys[%col] : !view -> !k
    %s = tile.dot %q, trans_b %k : !q, !k -> !s
    %v = tile.load %values[%col] : !view -> !k
    %m = tile.mask %s by [@visible] rows %keys[%row] cols %keys[%col] unless %t in [%from to %free] : !s, !view, !view
    %l_n = tile.reduce add %m into %l_i : !s, !rows
    %acc_s = arith.mulf %acc, %alpha : !acc
    %p = arith.truncf %m : !s to tensor<128x32xf16>
    %acc_n = tile.dot %p, %v into %acc_s : !acc, tensor<128x32xf16>, !k -> !acc
    scf.yield %acc_n, %l_n : !acc, !rows
  }
  return %o, %l : !acc, !rows
}

// Scores of the next tile are begun behind the output product of this one. The loop stands in another, as it does where
// programs are persistent.
// CHECK-LABEL: func.func @ahead(
// CHECK-SAME: %[[KEYS:[a-z0-9]+]]: !tile.view<64 x f16>, %[[VALUES:[a-z0-9]+]]: !tile.view<64 x f16>, %[[Q:[a-z0-9]+]]: tensor<128x64xf16>, %[[ALPHA:[a-z0-9]+]]: tensor<128x64xf32>, %[[FROM:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index, %[[FREE:[a-z0-9]+]]: index
func.func @ahead(%keys: !view, %values: !view, %q: !q, %alpha: !acc, %from: index, %end: index, %free: index)
    -> (!acc, !rows) attributes {tile.atom = "wgmma_m64k16", tile.overlap = "scores_ahead"} {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c32 = arith.constant 32 : index
  %row = arith.constant 0 : index
  %zero = arith.constant dense<0.0> : !acc
  %none = arith.constant dense<0.0> : !rows
  // CHECK: scf.for {{.*}} iter_args(%[[ACC0:.*]] = %{{.*}}, %[[L0:.*]] = %{{.*}})
  // CHECK: %[[ANY:.*]] = arith.cmpi slt, %[[FROM]], %[[END]]
  // CHECK: scf.if %[[ANY]]

  // Nothing but the scores of the first tile stands in front.
  // CHECK-NEXT: %[[COL:.*]] = arith.muli %[[FROM]]
  // CHECK-NEXT: %[[K:.*]] = tile.load %[[KEYS]][%[[COL]]]
  // CHECK-NEXT: %[[BEGUN:.*]] = tile.dot_start %[[Q]], trans_b %[[K]]
  // CHECK-NEXT: %[[S0:.*]] = tile.dot_wait %[[BEGUN]] leaving 0
  // CHECK-NOT: tile.load

  // CHECK: %[[LAST:.*]] = arith.subi %[[END]]
  // The first clause keeps the loop's beginning; the free tiles end where the loop does.
  // CHECK: %[[TO:.*]] = arith.minsi %[[FREE]], %[[LAST]]
  // CHECK: %[[LOOP:.*]]:3 = scf.for %[[T:.*]] = %[[FROM]] to %[[LAST]] step %{{.*}} iter_args(%[[ACC:.*]] = %[[ACC0]], %[[L:.*]] = %[[L0]], %[[S:.*]] = %[[S0]])
  // CHECK: %[[M:.*]] = tile.mask %[[S]] {{.*}} unless %[[T]] in[%[[FROM]] to %[[TO]]]
  // CHECK: %[[LN:.*]] = tile.reduce add %[[M]] into %[[L]]
  // CHECK: %[[ACCS:.*]] = arith.mulf %[[ACC]], %[[ALPHA]]
  // CHECK: %[[P:.*]] = arith.truncf %[[M]]
  // CHECK: %[[VCOL:.*]] = arith.muli %[[T]]
  // CHECK: %[[V:.*]] = tile.load %[[VALUES]][%[[VCOL]]]
  // CHECK: %[[OBEGUN:.*]] = tile.dot_start %[[P]], %[[V]] into %[[ACCS]]
  // CHECK: %[[NEXT:.*]] = arith.addi %[[T]]
  // CHECK: %[[KCOL:.*]] = arith.muli %[[NEXT]]
  // CHECK: %[[K:.*]] = tile.load %[[KEYS]][%[[KCOL]]]
  // CHECK: %[[SBEGUN:.*]] = tile.dot_start %[[Q]], trans_b %[[K]]
  // CHECK: %[[O:.*]] = tile.dot_wait %[[OBEGUN]] leaving 1
  // CHECK: %[[SN:.*]] = tile.dot_wait %[[SBEGUN]] leaving 0
  // CHECK: scf.yield %[[O]], %[[LN]], %[[SN]]

  // The last tile has its mask whatever kind of tile it is, and no keys are loaded behind it.
  // CHECK: %[[M:.*]] = tile.mask %[[LOOP]]#2 by [@visible] rows %[[KEYS]][%{{.*}}] cols %[[KEYS]][%{{.*}}] : tensor
  // CHECK: %[[LN:.*]] = tile.reduce add %[[M]] into %[[LOOP]]#1
  // CHECK: %[[ACCS:.*]] = arith.mulf %[[LOOP]]#0, %[[ALPHA]]
  // CHECK: %[[P:.*]] = arith.truncf %[[M]]
  // CHECK: %[[VCOL:.*]] = arith.muli %[[LAST]]
  // CHECK: %[[V:.*]] = tile.load %[[VALUES]][%[[VCOL]]]
  // CHECK: %[[OBEGUN:.*]] = tile.dot_start %[[P]], %[[V]] into %[[ACCS]]
  // CHECK-NOT: tile.load
  // CHECK: %[[O:.*]] = tile.dot_wait %[[OBEGUN]] leaving 0
  // CHECK: scf.yield %[[O]], %[[LN]]
  // CHECK: } else {
  // CHECK: scf.yield %[[ACC0]], %[[L0]]
  %o:2 = scf.for %w = %c1 to %c2 step %c1 iter_args(%acc_w = %zero, %l_w = %none) -> (!acc, !rows) {
    %acc_r, %l_r = scf.for %t = %from to %end step %c1 iter_args(%acc = %acc_w, %l_i = %l_w) -> (!acc, !rows) {
      %col = arith.muli %t, %c32 : index
      %k = tile.load %keys[%col] : !view -> !k
      %s = tile.dot %q, trans_b %k : !q, !k -> !s
      %v = tile.load %values[%col] : !view -> !k
      %m = tile.mask %s by [@visible] rows %keys[%row] cols %keys[%col] unless %t in [%from to %free] : !s, !view, !view
      %l_n = tile.reduce add %m into %l_i : !s, !rows
      %acc_s = arith.mulf %acc, %alpha : !acc
      %p = arith.truncf %m : !s to tensor<128x32xf16>
      %acc_n = tile.dot %p, %v into %acc_s : !acc, tensor<128x32xf16>, !k -> !acc
      scf.yield %acc_n, %l_n : !acc, !rows
    }
    scf.yield %acc_r, %l_r : !acc, !rows
  }
  return %o#0, %o#1 : !acc, !rows
}

// `none` leaves the loop as it is.
// CHECK-LABEL: func.func @none(
// CHECK-NOT: dot_start
func.func @none(%keys: !view, %q: !q, %from: index, %end: index) -> index
    attributes {tile.atom = "wgmma_m64k16", tile.overlap = "none"} {
  %c1 = arith.constant 1 : index
  %n = scf.for %t = %from to %end step %c1 iter_args(%i = %from) -> (index) {
    %k = tile.load %keys[%t] : !view -> !k
    %s = tile.dot %q, trans_b %k : !q, !k -> !s
    scf.yield %i : index
  }
  return %n : index
}

func.func private @visible(index, index, index, index, index, index) -> i1
