// Loads of product operands go to a role of their own, through rings; the other role awaits and releases.
// RUN: attn-opt %s --assign-roles | FileCheck %s
// RUN: attn-opt %s --assign-roles | attn-opt | FileCheck %s

!view = !tile.view<64 x f16>
!mem = memref<?x?x4x64xf16, strided<[?, ?, ?, 1]>>
!q = tensor<128x64xf16>
!k = tensor<32x64xf16>
!s = tensor<128x32xf32>
!acc = tensor<128x64xf32>

// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[QM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[KM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[VM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[OM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[FROM:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
func.func @attention(%q_m: !mem, %k_m: !mem, %v_m: !mem, %o_m: !mem, %from: index, %end: index)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
  // What the loop loads has two buffers, what is loaded once has one.
  // CHECK-DAG: %[[OR:.*]] = tile.ring : <1 x tensor<128x64xf16>>
  // CHECK-DAG: %[[QR:.*]] = tile.ring : <1 x tensor<128x64xf16>>
  // CHECK-DAG: %[[VR:.*]] = tile.ring : <2 x tensor<32x64xf16>>
  // CHECK: tile.roles load warps = 4 registers = 24 {
  // The addresses that fills need are computed here; no tile is.
  // CHECK-NOT: tile.dot
  // CHECK: %[[Q:.*]] = tile.view %[[QM]]
  // CHECK: %[[K:.*]] = tile.view %[[KM]]
  // CHECK: %[[V:.*]] = tile.view %[[VM]]
  // CHECK: tile.fill %[[QR]][%{{.*}}] from %[[Q]]
  // CHECK: scf.for %[[T:.*]] = %[[FROM]] to %[[END]]
  // Fills are counted from 0, wherever the loop begins.
  // CHECK: %[[N:.*]] = arith.subi %[[T]], %[[FROM]]
  // CHECK: tile.fill %[[KR:.*]][%[[N]]] from %[[K]]
  // CHECK: tile.fill %[[VR]][%{{.*}}] from %[[V]]
  // CHECK-NOT: tile.store
  // CHECK: } compute warps = 8 registers = 240 {
  // CHECK-NOT: tile.fill
  // CHECK: %[[QT:.*]] = tile.await %[[QR]]
  // CHECK: %[[LOOP:.*]] = scf.for
  // CHECK: %[[KT:.*]] = tile.await %[[KR]]
  // CHECK: %[[S:.*]] = tile.dot_start %[[QT]], trans_b %[[KT]]
  // CHECK: tile.dot_wait %[[S]]
  // A tile is read until the wait that ends the product.
  // CHECK-NEXT: tile.release %[[KR]]
  // CHECK: %[[VT:.*]] = tile.await %[[VR]]
  // CHECK-NOT: tile.blank
  // CHECK: tile.dot %{{.*}}, %[[VT]]
  // CHECK-NEXT: tile.release %[[VR]]
  // CHECK: scf.yield
  // CHECK: tile.release %[[QR]]
  // CHECK: tile.store %[[LOOP]], %{{.*}} via %[[OR]]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %n = memref.dim %k_m, %c1 : !mem
  %query = tile.view %q_m[%c0, %c0] length %n : !mem -> !view
  %keys = tile.view %k_m[%c0, %c0] length %n : !mem -> !view
  %values = tile.view %v_m[%c0, %c0] length %n : !mem -> !view
  %output = tile.view %o_m[%c0, %c0] length %n : !mem -> !view
  %zero = arith.constant dense<0.0> : !acc
  %q = tile.load %query[%c0] : !view -> !q
  %o = scf.for %t = %from to %end step %c1 iter_args(%acc = %zero) -> (!acc) {
    %col = arith.muli %t, %c32 : index
    %k = tile.load %keys[%col] : !view -> !k
    %begun = tile.dot_start %q, trans_b %k : !q, !k -> !tile.pending<!s>
    %s = tile.dot_wait %begun leaving 0 : !tile.pending<!s> -> !s
    %v = tile.load %values[%col] : !view -> !k
    %p = arith.truncf %s : !s to tensor<128x32xf16>
    %acc_n = tile.dot %p, %v into %acc : !acc, tensor<128x32xf16>, !k -> !acc
    scf.yield %acc_n : !acc
  }
  tile.store %o, %output[%c0] : !acc, !view
  return
}

// Loads in front of a loop, in it and behind it count on: one load in front makes the loop's first fill number 1, and
// what is summed over is blanked where sequences end inside their tensor.
// CHECK-LABEL: func.func @around(
// CHECK: } compute
// CHECK: scf.if
// CHECK: tile.await %[[R:.*]][%[[C0:.*]]] :
// CHECK-NEXT: tile.blank %[[R]][%[[C0]]] from
// CHECK: scf.for %[[T:.*]] = %[[FROM:.*]] to %[[END:.*]] step
// CHECK: %[[STEPS:.*]] = arith.subi %[[T]], %[[FROM]]
// CHECK: %[[N:.*]] = arith.addi %[[STEPS]], %{{.*}}
// CHECK: tile.await %[[R]][%[[N]]]
// CHECK: %[[ALL:.*]] = arith.subi %[[END]], %[[FROM]]
// CHECK: %[[COUNT:.*]] = arith.maxsi %[[ALL]]
// CHECK: %[[LAST:.*]] = arith.addi %[[COUNT]]
// CHECK: tile.await %[[R]][%[[LAST]]]
func.func @around(%v_m: !mem, %p: tensor<128x32xf16>, %from: index, %end: index, %any: i1)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64, attn.lengths = []} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %v_m, %c1 : !mem
  %values = tile.view %v_m[%c0, %c0] length %n : !mem -> !view
  %one = arith.constant dense<1.0> : tensor<128x32xf16>
  scf.if %any {
    %v0 = tile.load %values[%c0] : !view -> !k
    %a = tile.dot %one, %v0 : tensor<128x32xf16>, !k -> !acc
    scf.for %t = %from to %end step %c1 {
      %v1 = tile.load %values[%t] : !view -> !k
      %b = tile.dot %one, %v1 : tensor<128x32xf16>, !k -> !acc
    }
    %v2 = tile.load %values[%end] : !view -> !k
    %c = tile.dot %one, %v2 : tensor<128x32xf16>, !k -> !acc
  }
  return
}

// A warpgroup stores 64 rows by a box if they are whole tokens: eight heads in a group divide them, three do not.
// CHECK-LABEL: func.func @groups(
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}] via
// CHECK: tile.store %{{.*}}, %{{.*}}[%{{.*}}] : tensor
func.func @groups(%q_m: !mem, %o_m: !mem, %p: tensor<128x64xf16>)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 1 : i64, tile.warps = 8 : i64} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %q_m, %c0 : !mem
  %query = tile.view %q_m[%c0, %c0] length %n packed 8 : !mem -> !view
  %eight = tile.view %o_m[%c0, %c0] length %n packed 8 : !mem -> !view
  %three = tile.view %o_m[%c0, %c0] length %n packed 3 : !mem -> !view
  %q = tile.load %query[%c0] : !view -> !q
  %zero = arith.constant dense<0.0> : !acc
  %s = tile.dot %q, trans_b %q : !q, !q -> tensor<128x128xf32>
  tile.store %zero, %eight[%c0] : !acc, !view
  tile.store %zero, %three[%c0] : !acc, !view
  return
}

// A load behind a branch goes on with what the branch hands on, and what rows are computed with may be carried.
// CHECK-LABEL: func.func @behind_branch(
// CHECK: tile.roles load
// CHECK: %[[TWO:.*]]:2 = scf.if %{{.*}} -> (index, index) {
// CHECK: tile.fill %[[R:.*]][%[[ZERO:.*]]] from
// CHECK: scf.yield %{{.*}}, %[[ONE:.*]] : index, index
// CHECK: } else {
// CHECK: scf.yield %{{.*}}, %[[ZERO]] : index, index
// CHECK: tile.fill %[[R]][%[[TWO]]#1] from %{{.*}}[%[[TWO]]#0]
// CHECK: } compute
// CHECK: %[[N:.*]]:2 = scf.if %{{.*}} -> (index, index) {
// CHECK: tile.await %[[R]][%[[NONE:.*]]] :
// CHECK: tile.await %[[R]][%[[N]]#1] :
func.func @behind_branch(%m: !mem, %end: index, %any: i1)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
  %c1 = arith.constant 1 : index
  %view = tile.view %m[%c1, %c1] length %end : !mem -> !view
  %q = arith.constant dense<1.0> : tensor<128x64xf16>
  %row = scf.if %any -> (index) {
    %k = tile.load %view[%c1] : !view -> !k
    %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, !k -> !s
    scf.yield %end : index
  } else {
    scf.yield %c1 : index
  }
  %k = tile.load %view[%row] : !view -> !k
  %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, !k -> !s
  return
}

// Items of work load unequally often: the loop over them carries the numbers, in both roles.
// CHECK-LABEL: func.func @items(
// CHECK-DAG: %[[Q:.*]] = tile.ring : <1 x tensor<128x64xf16>>
// CHECK-DAG: %[[K:.*]] = tile.ring : <2 x tensor<32x64xf16>>
// CHECK: tile.roles load
// CHECK: scf.for %[[W:.*]] = %{{.*}} iter_args(%[[QN:.*]] = %{{.*}}, %[[KN:.*]] = %{{.*}}) -> (index, index) {
// CHECK: tile.fill %[[Q]][%[[QN]]]
// CHECK: %[[QNEXT:.*]] = arith.addi %[[QN]]
// CHECK: scf.for %[[T:.*]] = %[[FIRST:[^ ]*]] to %[[W]]
// CHECK: %[[STEPS:.*]] = arith.subi %[[T]], %[[FIRST]]
// CHECK: %[[N:.*]] = arith.addi %[[KN]], %[[STEPS]]
// CHECK: tile.fill %[[K]][%[[N]]]
// CHECK: %[[COUNT:.*]] = arith.maxsi
// CHECK: %[[KNEXT:.*]] = arith.addi %[[KN]], %[[COUNT]]
// CHECK: scf.yield %[[QNEXT]], %[[KNEXT]]
// CHECK: } compute
// CHECK: scf.for {{.*}} iter_args(%[[QN:.*]] = %{{.*}}, %[[KN:.*]] = %{{.*}}) -> (index, index) {
// CHECK: tile.await %[[Q]][%[[QN]]]
// CHECK: arith.addi %[[KN]]
// CHECK: tile.release %[[Q]][%[[QN]]]
// CHECK: scf.yield
func.func @items(%q_m: !mem, %k_m: !mem, %items: index)
    attributes {tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
  %c1 = arith.constant 1 : index
  %number, %count = tile.worker %items
  scf.for %w = %number to %items step %count {
    %query = tile.view %q_m[%w, %c1] length %items : !mem -> !view
    %keys = tile.view %k_m[%w, %c1] length %items : !mem -> !view
    %q = tile.load %query[%w] : !view -> !q
    scf.for %t = %c1 to %w step %c1 {
      %k = tile.load %keys[%t] : !view -> !k
      %s = tile.dot %q, trans_b %k : !q, !k -> !s
    }
  }
  return
}
