// Loads of product operands become fills of rings, begun as early as the rings allow.
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(pipeline-loads))" | FileCheck %s

!view = !tile.view<64 x f16>
!k = tensor<32x64xf16>
!q = tensor<64x64xf16>
!s = tensor<64x32xf32>
!o = tensor<64x64xf32>

// One buffer each for K and V, the order of FlashAttention-2: await K, fill V, product, await V, fill the next K. The
// first K is begun before the loop, and Q, which no ring holds up, before that; when Q is awaited, one K may still run.

// CHECK-LABEL: func.func @one_stage
// CHECK-SAME: (%[[QUERY:[a-z0-9]+]]: {{[^,]*}}, %[[KEYS:[a-z0-9]+]]: {{[^,]*}}, %[[VALUES:[a-z0-9]+]]: {{[^,]*}}, %[[ROW:[a-z0-9]+]]: index, %[[FROM:[a-z0-9]+]]: index, %[[TO:[a-z0-9]+]]: index,
// CHECK-DAG: %[[Q_RING:.*]] = tile.ring : <1 x tensor<64x64xf16>>
// CHECK-DAG: %[[K_RING:.*]] = tile.ring : <1 x tensor<32x64xf16>>
// CHECK-DAG: %[[V_RING:.*]] = tile.ring : <1 x tensor<32x64xf16>>
// CHECK-NOT: tile.load
// CHECK: tile.fill %[[Q_RING]][%{{.*}}] from %[[QUERY]][%[[ROW]]] :
// CHECK: %[[ANY:.*]] = arith.cmpi slt, %[[FROM]], %[[TO]]
// CHECK: %[[COL0:.*]] = arith.muli %[[FROM]], %c32
// CHECK: tile.fill %[[FIRST_RING:.*]][%[[FROM]]] from %[[KEYS]][%[[COL0]]] when %[[ANY]] :
// CHECK: %[[QT:.*]] = tile.await %[[Q_RING]][%{{.*}}] leaving 1 :
// CHECK: scf.for %[[T:.*]] = %[[FROM]] to %[[TO]]
// CHECK: %[[COL:.*]] = arith.muli %[[T]], %c32
// CHECK: %[[KT:.*]] = tile.await %[[FIRST_RING]][%[[T]]] : <1
// CHECK: tile.fill %[[SECOND_RING:.*]][%[[T]]] from %[[VALUES]][%{{.*}}] : <1
// CHECK: tile.dot %[[QT]], trans_b %[[KT]] :
// CHECK: tile.release %[[FIRST_RING]][%[[T]]]
// CHECK: %[[VT:.*]] = tile.await %[[SECOND_RING]][%[[T]]] : <1
// CHECK: %[[NEXT:.*]] = arith.addi %[[T]], %c1
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[TO]]
// CHECK: %[[NEXT_COL:.*]] = arith.muli %[[NEXT]], %c32
// CHECK: tile.fill %[[FIRST_RING]][%[[NEXT]]] from %[[KEYS]][%[[NEXT_COL]]] when %[[MORE]] :
// CHECK: tile.dot %{{.*}}, %[[VT]] into
// CHECK: tile.release %[[SECOND_RING]][%[[T]]]
// CHECK-NOT: tile.load
func.func @one_stage(%query: !view, %keys: !view, %values: !view, %row: index, %from: index, %to: index, %acc: !o) -> !o
    attributes {tile.stages = 1 : i64} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %q = tile.load %query[%row] : !view -> !q
  %r = scf.for %t = %from to %to step %c1 iter_args(%a = %acc) -> (!o) {
    %col = arith.muli %t, %c32 : index
    %k = tile.load %keys[%col] : !view -> !k
    %s = tile.dot %q, trans_b %k : !q, !k -> !s
    %v = tile.load %values[%col] : !view -> !k
    %p = arith.truncf %s : !s to tensor<64x32xf16>
    %n = tile.dot %p, %v into %a : !o, tensor<64x32xf16>, !k -> !o
    scf.yield %n : !o
  }
  return %r : !o
}

// Two buffers each: three loads are under way before the loop (K and V of the first step, K of the second), an await
// leaves two of them running, and each step begins the V of the next step and the K of the one after it.

// CHECK-LABEL: func.func @two_stages
// CHECK-SAME: (%{{[a-z0-9]+}}: {{[^,]*}}, %[[KEYS:[a-z0-9]+]]: {{[^,]*}}, %[[VALUES:[a-z0-9]+]]: {{[^,]*}}, %{{[a-z0-9]+}}: index, %[[FROM:[a-z0-9]+]]: index, %[[TO:[a-z0-9]+]]: index,
// CHECK-DAG: tile.ring : <1 x tensor<64x64xf16>>
// CHECK-DAG: tile.ring : <2 x tensor<32x64xf16>>
// CHECK-DAG: tile.ring : <2 x tensor<32x64xf16>>
// CHECK: tile.fill
// CHECK: tile.fill %[[K_RING:.*]][%[[FROM]]] from %[[KEYS]]
// CHECK: tile.fill %[[V_RING:.*]][%[[FROM]]] from %[[VALUES]]
// CHECK: %[[SECOND:.*]] = arith.addi %[[FROM]], %c1
// CHECK: %[[ANOTHER:.*]] = arith.cmpi slt, %[[SECOND]], %[[TO]]
// CHECK: tile.fill %[[K_RING]][%[[SECOND]]] from %[[KEYS]][%{{.*}}] when %[[ANOTHER]]
// CHECK: tile.await %{{.*}} leaving 3 :
// CHECK: scf.for %[[T:.*]] = %[[FROM]] to %[[TO]]
// CHECK: tile.await %[[K_RING]][%[[T]]] leaving 2 :
// CHECK: %[[T1:.*]] = arith.addi %[[T]], %c1
// CHECK: tile.fill %[[V_RING]][%[[T1]]] from %[[VALUES]]{{.*}} when
// CHECK: tile.release %[[K_RING]][%[[T]]]
// CHECK: tile.await %[[V_RING]][%[[T]]] leaving 2 :
// CHECK: %[[T2:.*]] = arith.addi %[[T]], %c2
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[T2]], %[[TO]]
// CHECK: tile.fill %[[K_RING]][%[[T2]]] from %[[KEYS]][%{{.*}}] when %[[MORE]]
// CHECK: tile.release %[[V_RING]][%[[T]]]
func.func @two_stages(%query: !view, %keys: !view, %values: !view, %row: index, %from: index, %to: index, %acc: !o) -> !o
    attributes {tile.stages = 2 : i64} {
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %q = tile.load %query[%row] : !view -> !q
  %r = scf.for %t = %from to %to step %c1 iter_args(%a = %acc) -> (!o) {
    %col = arith.muli %t, %c32 : index
    %k = tile.load %keys[%col] : !view -> !k
    %s = tile.dot %q, trans_b %k : !q, !k -> !s
    %v = tile.load %values[%col] : !view -> !k
    %p = arith.truncf %s : !s to tensor<64x32xf16>
    %n = tile.dot %p, %v into %a : !o, tensor<64x32xf16>, !k -> !o
    scf.yield %n : !o
  }
  return %r : !o
}

// A tile that two products read is released behind the second.

// CHECK-LABEL: func.func @read_twice
// CHECK: scf.for
// CHECK: tile.await
// CHECK: tile.dot
// CHECK-NOT: tile.release
// CHECK: tile.dot
// CHECK-NEXT: tile.release
func.func @read_twice(%keys: !view, %q: !q, %to: index, %acc: !s) -> !s {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %t = %c0 to %to step %c1 iter_args(%a = %acc) -> (!s) {
    %k = tile.load %keys[%t] : !view -> !k
    %s = tile.dot %q, trans_b %k into %a : !s, !q, !k -> !s
    %n = tile.dot %q, trans_b %k into %s : !s, !q, !k -> !s
    scf.yield %n : !s
  }
  return %r : !s
}

// What feeds no product is loaded where it stands.

// CHECK-LABEL: func.func @no_product
// CHECK-NOT: tile.ring
// CHECK: scf.for
// CHECK-NEXT: tile.load
// CHECK-NOT: tile.await
// CHECK: return
func.func @no_product(%keys: !view, %to: index, %acc: tensor<32x64xf16>) -> tensor<32x64xf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %t = %c0 to %to step %c1 iter_args(%a = %acc) -> (tensor<32x64xf16>) {
    %k = tile.load %keys[%t] : !view -> !k
    %n = arith.addf %a, %k : !k
    scf.yield %n : !k
  }
  return %r : !k
}

// In a loop over segments each of them begins its own loads, and at its end all have landed: also the one that the loop
// over tiles did not come to.

// CHECK-LABEL: func.func @segments
// CHECK-DAG: tile.ring : <1 x tensor<64x64xf16>>
// CHECK-DAG: tile.ring : <1 x tensor<32x64xf16>>
// CHECK-DAG: tile.ring : <1 x tensor<32x64xf16>>
// CHECK: scf.while
// CHECK: } do {
// CHECK: tile.fill %[[Q_RING:.*]][%c0{{.*}}] from
// CHECK: tile.fill %[[K_RING:.*]][%[[FROM:.*]]] from
// CHECK: tile.await %[[Q_RING]]
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO:.*]] step
// CHECK: tile.store
// CHECK: %[[END:.*]] = arith.maxsi %[[FROM]], %[[TO]]
// CHECK: tile.await %[[K_RING]][%[[END]]] : <1
// CHECK: tile.release %[[K_RING]][%[[END]]]
// CHECK: scf.yield
func.func @segments(%query: !view, %keys: !view, %values: !view, %out: !tile.view<64 x f16>, %row: index, %all: index,
                    %acc: !o) attributes {tile.stages = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c32 = arith.constant 32 : index
  %done = scf.while (%place = %c0) : (index) -> index {
    %more = arith.cmpi slt, %place, %all : index
    scf.condition(%more) %place : index
  } do {
  ^bb0(%place: index):
    %from = arith.remui %place, %c4 : index
    %to = arith.minsi %all, %c4 : index
    %q = tile.load %query[%row] : !view -> !q
    %r = scf.for %t = %from to %to step %c1 iter_args(%a = %acc) -> (!o) {
      %col = arith.muli %t, %c32 : index
      %k = tile.load %keys[%col] : !view -> !k
      %s = tile.dot %q, trans_b %k : !q, !k -> !s
      %v = tile.load %values[%col] : !view -> !k
      %p = arith.truncf %s : !s to tensor<64x32xf16>
      %n = tile.dot %p, %v into %a : !o, tensor<64x32xf16>, !k -> !o
      scf.yield %n : !o
    }
    tile.store %r, %out[%place] : !o, !tile.view<64 x f16>
    %next = arith.addi %place, %c4 : index
    scf.yield %next : index
  }
  return
}
