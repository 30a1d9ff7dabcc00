// A loop whose mask names tiles that need none becomes one loop for each kind of tile.
// RUN: attn-opt %s --split-loops --split-input-file --verify-diagnostics | FileCheck %s

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @causal(index, index, index, index, index, index) -> i1

// Free from the first tile on: two parts. What the loop carries goes from one to the other.

// CHECK-LABEL: func.func @causal_parts
// CHECK-SAME: %[[FREE:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[MASKS:.*]]:2 = scf.for %{{.*}} = %c0 to %[[FREE]] step %c1 iter_args(%{{.*}} = %[[S:.*]], %{{.*}} = %c0)
// CHECK-NOT: tile.mask
// CHECK: } {tile.part = "full"}
// CHECK: %[[LAST:.*]]:2 = scf.for %[[T:.*]] = %[[FREE]] to %[[END]] step %c1 iter_args(%{{.*}} = %[[MASKS]]#0, %{{.*}} = %[[MASKS]]#1)
// CHECK: %[[COL:.*]] = arith.muli %[[T]], %c64
// CHECK: tile.mask %{{.*}} by [@causal] rows %{{.*}} cols %{{.*}}[%[[COL]]] : tensor
// CHECK: } {tile.part = "masked"}
// CHECK-NOT: scf.for
// CHECK: return %[[LAST]]#0, %[[LAST]]#1
func.func @causal_parts(%free: index, %end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> (!scores, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r:2 = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s, %n = %c0) -> (!scores, index) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%c0 to %free] : !scores, !view, !view
    %next = arith.addi %n, %col : index
    scf.yield %m, %next : !scores, index
  }
  return %r#0, %r#1 : !scores, index
}

// Where lengths are data there may be no row that the bound was meant for: it is kept below the loop's own.

// CHECK-LABEL: func.func @kept_inside
// CHECK-SAME: %[[FREE:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[INSIDE:.*]] = arith.minsi %[[FREE]], %[[END]]
// CHECK: scf.for %{{.*}} = %c0 to %[[INSIDE]] step
// CHECK: } {tile.part = "full"}
// CHECK: scf.for %{{.*}} = %[[INSIDE]] to %[[END]] step
// CHECK: } {tile.part = "masked"}
func.func @kept_inside(%free: index, %end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores
    attributes {attn.lengths} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%c0 to %free] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r : !scores
}

// Masked tiles on both sides of the full ones: two rounds of (masked, full) with two bodies, not three. In the second
// round nothing is full.

// CHECK-LABEL: func.func @window_parts
// CHECK-SAME: %[[FIRST:[a-z0-9]+]]: index, %[[A:[a-z0-9]+]]: index, %[[B:[a-z0-9]+]]: index, %[[END:[a-z0-9]+]]: index
// CHECK: %[[R:.*]] = scf.for %[[ROUND:.*]] = %c0{{.*}} to %c2{{.*}} step %c1{{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[BEFORE:.*]] = arith.cmpi eq, %[[ROUND]], %c0
// CHECK-DAG: %[[MASKED_FROM:.*]] = arith.select %[[BEFORE]], %[[FIRST]], %[[B]]
// CHECK-DAG: %[[MASKED_TO:.*]] = arith.select %[[BEFORE]], %[[A]], %[[END]]
// CHECK-DAG: %[[FULL_TO:.*]] = arith.select %[[BEFORE]], %[[B]], %[[END]]
// CHECK: %[[R1:.*]] = scf.for %{{.*}} = %[[MASKED_FROM]] to %[[MASKED_TO]] step %{{.*}} iter_args(%{{.*}} = %[[X]])
// CHECK: tile.mask
// CHECK: } {tile.part = "masked"}
// CHECK: %[[R2:.*]] = scf.for %{{.*}} = %[[MASKED_TO]] to %[[FULL_TO]] step %{{.*}} iter_args(%{{.*}} = %[[R1]])
// CHECK-NOT: tile.mask
// CHECK: } {tile.part = "full"}
// CHECK: scf.yield %[[R2]]
// CHECK: return %[[R]]
func.func @window_parts(%first: index, %a: index, %b: index, %end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %t = %first to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%a to %b] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r : !scores
}

// Of a kernel for unaligned tensors the code shall be small: one body, always masked.

// CHECK-LABEL: func.func @unaligned
// CHECK: scf.for
// CHECK: tile.mask %{{.*}} by [@causal] rows %{{.*}} cols %{{[^ ]*}} : tensor
// CHECK: } {tile.part = "masked"}
// CHECK-NOT: scf.for
// CHECK: return
func.func @unaligned(%a: index, %b: index, %end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores attributes {attn.unaligned} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%a to %b] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r : !scores
}

// Without a clause there is one part; constants that are equal leave nothing out of it.

// CHECK-LABEL: func.func @one_part
// CHECK: scf.for
// CHECK: tile.mask %{{.*}} by [@causal] rows %{{.*}} cols %{{[^ ]*}} : tensor
// CHECK: } {tile.part = "masked"}
// CHECK: scf.for
// CHECK: tile.mask %{{.*}} by [@causal] rows %{{.*}} cols %{{[^ ]*}} : tensor
// CHECK: } {tile.part = "masked"}
// CHECK-NOT: scf.for
// CHECK: return
func.func @one_part(%end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c2 = arith.constant 2 : index
  %two = arith.constant 2 : index
  %r1 = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    scf.yield %m : !scores
  }
  %r2 = scf.for %t = %c0 to %end step %c1 iter_args(%x = %r1) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%c2 to %two] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r2 : !scores
}

// A loop of products without a mask is full; a loop over anything else has no name.

// CHECK-LABEL: func.func @no_mask
// CHECK: scf.for
// CHECK: tile.dot
// CHECK: } {tile.part = "full"}
// CHECK: scf.for
// CHECK: arith.addi
// CHECK: scf.yield
// CHECK-NEXT: {{^ *}}}{{$}}
func.func @no_mask(%n: index, %q: tensor<128x64xbf16>, %k: tensor<64x64xbf16>, %s: !scores) -> (!scores, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %t = %c0 to %n step %c1 iter_args(%x = %s) -> (!scores) {
    %next = tile.dot %q, trans_b %k into %x : !scores, tensor<128x64xbf16>, tensor<64x64xbf16> -> !scores
    scf.yield %next : !scores
  }
  %sum = scf.for %t = %c0 to %n step %c1 iter_args(%x = %c0) -> (index) {
    %next = arith.addi %x, %t : index
    scf.yield %next : index
  }
  return %r, %sum : !scores, index
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @causal(index, index, index, index, index, index) -> i1
func.func @other_number(%end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    // expected-error @+1 {{expects the tile number of its loop in the unless clause}}
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %col in [%c0 to %end] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @causal(index, index, index, index, index, index) -> i1
func.func @wide_step(%end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %r = scf.for %t = %c0 to %end step %c2 iter_args(%x = %s) -> (!scores) {
    // expected-error @+1 {{expects a loop over tile numbers, so a step of 1}}
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%t] unless %t in [%c0 to %c2] : !scores, !view, !view
    scf.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @causal(index, index, index, index, index, index) -> i1
func.func @two_clauses(%end: index, %query: !view, %keys: !view, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %r = scf.for %t = %c0 to %end step %c1 iter_args(%x = %s) -> (!scores) {
    %col = arith.muli %t, %c64 : index
    // expected-note @+1 {{the other mask}}
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] unless %t in [%c0 to %end] : !scores, !view, !view
    // expected-error @+1 {{expects the unless clause of the other mask in its loop}}
    %n = tile.mask %m by [@causal] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    scf.yield %n : !scores
  }
  return %r : !scores
}
