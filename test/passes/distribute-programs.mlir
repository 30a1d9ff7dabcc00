// One program on each multiprocessor takes items of work in turn: blocks of rows of all heads of a group before the
// next block, groups one after the other.
// RUN: attn-opt %s --distribute-programs -split-input-file | FileCheck %s
// RUN: attn-opt %s --distribute-programs -split-input-file | attn-opt -split-input-file | FileCheck %s

// Half of the cache is 16384 bytes, a row of keys and values 256: groups of as many heads of keys as have 64 rows, with
// the two heads of queries that each of them serves.
!q = memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>>
!kv = memref<?x?x4x64xf16, strided<[?, ?, ?, 1]>>
!view = !tile.view<64 x f16>
module attributes {attn.target = {chip = "sm_90a", l2_bytes = 32768 : i64}} {
  // CHECK-LABEL: func.func @grouped(
  // CHECK-SAME: %[[QM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[KM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[VM:[a-z0-9]+]]: memref<{{[^>]*}}>>, %[[BLOCKS:[a-z0-9]+]]: index, %[[BATCHES:[a-z0-9]+]]: index
  func.func @grouped(%q_m: !q, %k_m: !kv, %v_m: !kv, %blocks: index, %batches: index)
      attributes {tile.distribution = "persistent", tile.atom = "wgmma_m64k16", tile.stages = 2 : i64, tile.warps = 8 : i64} {
    // CHECK-DAG: %[[C8:.*]] = arith.constant 8 : index
    // CHECK-DAG: %[[HEADS:.*]] = arith.muli %[[BATCHES]], %[[C8]]
    // CHECK: %[[ITEMS:.*]] = arith.muli %[[BLOCKS]], %[[HEADS]]
    // CHECK: %[[KEYS:.*]] = memref.dim %[[KM]]
    // CHECK: %[[SOME:.*]] = arith.maxui %[[KEYS]], %{{.*}}
    // CHECK: %[[FIT:.*]] = arith.divui %{{.*}}, %[[SOME]]
    // CHECK: %[[ONE:.*]] = arith.maxui %[[FIT]]
    // CHECK: %[[QUERIES:.*]] = arith.muli %[[ONE]], %{{.*}}
    // CHECK: %[[GROUP:.*]] = arith.minui %[[QUERIES]], %[[HEADS]]
    // CHECK: %[[NUMBER:.*]], %[[COUNT:.*]] = tile.worker %[[ITEMS]]
    // CHECK: scf.for %[[ITEM:.*]] = %[[NUMBER]] to %[[ITEMS]] step %[[COUNT]] {
    // CHECK: %[[OFGROUP:.*]] = arith.muli %[[BLOCKS]], %[[GROUP]]
    // CHECK: %[[G:.*]] = arith.divui %[[ITEM]], %[[OFGROUP]]
    // CHECK: %[[I:.*]] = arith.remui %[[ITEM]], %[[OFGROUP]]
    // CHECK: %[[FIRST:.*]] = arith.muli %[[G]], %[[GROUP]]
    // CHECK: %[[LEFT:.*]] = arith.subi %[[HEADS]], %[[FIRST]]
    // CHECK: %[[WIDTH:.*]] = arith.minui %[[GROUP]], %[[LEFT]]
    // CHECK: %[[BLOCK:.*]] = arith.divui %[[I]], %[[WIDTH]]
    // CHECK: %[[H:.*]] = arith.remui %[[I]], %[[WIDTH]]
    // CHECK: %[[FLAT:.*]] = arith.addi %[[FIRST]], %[[H]]
    // CHECK: %[[HEAD:.*]] = arith.remui %[[FLAT]], %[[C8]]
    // CHECK: %[[BATCH:.*]] = arith.divui %[[FLAT]], %[[C8]]
    // CHECK-NOT: tile.program
    // CHECK: tile.view %[[QM]][%[[BATCH]], %[[HEAD]]] length %[[BLOCK]]
    // CHECK: scf.for
    // CHECK: }
    // CHECK-NEXT: }
    // CHECK-NEXT: return
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c8 = arith.constant 8 : index
    %block, %head, %batch = tile.program %blocks, %c8, %batches
    %kv_head = arith.divui %head, %c2 : index
    %query = tile.view %q_m[%batch, %head] length %block : !q -> !view
    %keys = tile.view %k_m[%batch, %kv_head] length %block : !kv -> !view
    %values = tile.view %v_m[%batch, %kv_head] length %block : !kv -> !view
    %zero = arith.constant dense<0.0> : tensor<128x64xf32>
    %q = tile.load %query[%block] : !view -> tensor<128x64xf16>
    %o = scf.for %t = %c0 to %block step %c1 iter_args(%acc = %zero) -> tensor<128x64xf32> {
      %k = tile.load %keys[%t] : !view -> tensor<64x64xf16>
      %s = tile.dot %q, trans_b %k : tensor<128x64xf16>, tensor<64x64xf16> -> tensor<128x64xf32>
      %p = arith.truncf %s : tensor<128x64xf32> to tensor<128x64xf16>
      %v = tile.load %values[%t] : !view -> tensor<64x64xf16>
      %acc_n = tile.dot %p, %v into %acc : tensor<128x64xf32>, tensor<128x64xf16>, tensor<64x64xf16> -> tensor<128x64xf32>
      scf.yield %acc_n : tensor<128x64xf32>
    }
    return
  }
}

// -----

// With nothing known of the hardware, all heads are one group: the last block of rows of all heads, then the one before.
// CHECK-LABEL: func.func @all(
// CHECK-SAME: %[[BLOCKS:[a-z0-9]+]]: index, %[[HEADS:[a-z0-9]+]]: index
// CHECK: %[[ITEMS:.*]] = arith.muli %[[BLOCKS]], %[[HEADS]]
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[ITEMS]]
// CHECK: arith.divui %{{.*}}, %[[ALL:.*]] : index
func.func @all(%blocks: index, %heads: index) attributes {tile.distribution = "persistent"} {
  %block, %head = tile.program %blocks, %heads
  return
}

// -----

// Otherwise a program is an item.
// CHECK-LABEL: func.func @one_item(
// CHECK-NEXT: tile.program
// CHECK-NEXT: return
func.func @one_item(%blocks: index, %heads: index) {
  %block, %head = tile.program %blocks, %heads
  return
}
