// SPDX-License-Identifier: Apache-2.0
// schedule<stream_k>: equal shares of all tiles, a loop over segments, and a merge that finds them again.
// RUN: attn-opt %s --split-input-file --choose-schedule --convert-attn-to-tile --canonicalize | FileCheck %s
// RUN: attn-opt %s --split-input-file --choose-schedule | FileCheck %s --check-prefix=CHOSEN
// RUN: attn-opt %s --split-input-file --add-fallback | FileCheck %s --check-prefix=TWIN

// The numbers that LeanAttention gives for 384 keys in tiles of 128: 3 tiles, 2 programs, of which the first takes 2 tiles
// and the second 1. So a share begins at p + min(p, 1).
// CHOSEN: @lean
// CHOSEN-SAME: schedule<stream_k, block_q = 16, block_kv = 128,
// CHOSEN-SAME: attributes {attn.stream = array<i64: 216, 128>}
// CHECK-LABEL: func.func @lean(
// CHECK: %[[P:.*]] = tile.program %c2
// CHECK-DAG: %[[LONGER:.*]] = arith.minsi %[[P]], %c1
// CHECK-DAG: %[[FROM:.*]] = arith.addi %[[P]], %[[LONGER]]
// CHECK-DAG: %[[NEXT:.*]] = arith.addi %[[P]], %c1
// CHECK-DAG: %[[NEXT_LONGER:.*]] = arith.minsi %[[NEXT]], %c1
// CHECK-DAG: %[[NEXT_FROM:.*]] = arith.addi %[[NEXT]], %[[NEXT_LONGER]]
// CHECK-DAG: %[[TO:.*]] = arith.minsi %[[NEXT_FROM]], %c3
// CHECK: %[[NONE:.*]] = arith.cmpi sge, %[[FROM]], %[[TO]]
// CHECK: tile.leave if %[[NONE]]
// CHECK: scf.while (%[[PLACE:.*]] = %[[FROM]])
// CHECK: arith.cmpi slt, %[[PLACE]], %[[TO]]
// CHECK: tile.walk
// CHECK: scf.yield
// CHECK-LABEL: func.func @lean_merge(
!q = tensor<1x1x1x128xbf16>
!k = tensor<1x384x1x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @lean(%q: !q, %k: !k, %v: !k) -> (o: !q) schedule<stream_k, block_kv = 128> {
  %s = attn.scores %q, %k : !q, !k
  %p = attn.softmax %s
  %o = attn.output %p, %v : !k -> !q
  attn.return %o : !q
}
}

// -----

// Lengths on the device: tiles are counted sequence by sequence, of two groups of heads each; then the sequence
// of the first is looked for. The loop goes on in the sequence where it is. A slot is the number of the program and that of the item, whose sequences have two each.
// CHECK-LABEL: func.func @lengths(
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: memref<?xi32, strided<[?]>> {attn.dims = ["batch"], attn.name = "kv_lens"}
// CHECK: %[[MEMORY:.*]] = tile.workspace[%c0] sizes %{{.*}} : memref<?x16x1x64xf32>
// CHECK: %[[P:.*]] = tile.program
// CHECK: %[[ALL:.*]] = scf.for %[[B:.*]] = %c0 to %{{.*}} step %c1 iter_args(%[[SUM:.*]] = %c0)
// CHECK: memref.load %[[LENS]][%[[B]]]
// CHECK: %[[TILES:.*]] = arith.ceildivui %{{.*}}, %c32
// CHECK: %[[OF_HEADS:.*]] = arith.muli %[[TILES]], %c2
// CHECK: %[[MORE:.*]] = arith.addi %[[SUM]], %[[OF_HEADS]]
// CHECK: scf.yield %[[MORE]]
// CHECK: tile.leave
// CHECK: %[[AMONG:.*]]:3 = scf.for %[[B2:.*]] = %c0 to %{{.*}} step %c1
// CHECK: memref.load %[[LENS]][%[[B2]]]
// CHECK: %[[BEFORE:.*]] = arith.cmpi sle
// CHECK: arith.select %[[BEFORE]]
// CHECK: arith.select %[[BEFORE]]
// CHECK: memref.load %[[LENS]][%[[AMONG]]#1]
// CHECK: scf.while
// CHECK: } do {
// CHECK: %[[FOUND:.*]]:3 = scf.while
// CHECK: arith.cmpi sle
// CHECK: memref.load %[[LENS]]
// CHECK: memref.load %[[LENS]][%[[FOUND]]#0]
// CHECK: %[[LENGTH:.*]] = arith.ceildivui %{{.*}}, %c32
// CHECK: %[[FIRST_ITEM:.*]] = arith.muli %[[FOUND]]#0, %c2
// CHECK: %[[IN:.*]] = arith.subi %{{.*}}, %[[FOUND]]#1
// CHECK: %[[HEAD:.*]] = arith.divui %[[IN]], %[[LENGTH]]
// CHECK: %[[FIRST:.*]] = arith.remui %[[IN]], %[[LENGTH]]
// CHECK: arith.minsi %{{.*}}, %[[LENGTH]]
// CHECK: %[[ITEM:.*]] = arith.addi %[[FIRST_ITEM]], %[[HEAD]]
// CHECK: %[[SLOT:.*]] = arith.addi %[[P]], %[[ITEM]]
// CHECK: %[[FROM:.*]] = arith.muli %[[FIRST]], %c32
// CHECK: tile.view %[[MEMORY]][%[[SLOT]], %c0]
// CHECK: tile.walk %{{.*}} in %{{.*}}[%[[FROM]] to %{{.*}}] step 32
// The merge counts once more, and what lies in front of its sequence beside; then it asks program after program.
// CHECK-LABEL: func.func @lengths_merge(
// CHECK: %[[M:.*]]:4 = tile.program
// CHECK: scf.for {{.*}} -> (index, index) {
// CHECK: arith.select
// CHECK: scf.for %[[S:.*]] = %{{.*}} to %{{.*}} step %c4
// CHECK: arith.addi %[[S]], %{{.*}}
// CHECK: tile.load
// A launch may take the kernel and the merge of its fallback: both have the same blocks of rows.
// TWIN: @lengths_unaligned
// TWIN-SAME: schedule<stream_k, block_q = 16, block_kv = 16, num_stages = 1, num_warps = 1, packed = 4>
// TWIN-SAME: attn.stream = array<i64: 264, 32>
!q = tensor<?x1x8x64xbf16>
!k = tensor<?x?x2x64xbf16>
!lens = tensor<?xi32>
module attributes {attn.target = {chip = "sm_90a"}} {
attn.kernel @lengths(%q: !q, %k: !k, %v: !k, %kv_lens: !lens) -> (o: !q)
    schedule<stream_k, block_q = 16, block_kv = 32, num_stages = 2, num_warps = 1, packed = 4>
    attributes {attn.stream = array<i64: 264, 32>} {
  %kv = attn.dense %k, %v[%kv_lens] : !k, !k [!lens]
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}
}
