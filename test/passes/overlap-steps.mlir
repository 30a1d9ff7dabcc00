// Programs of a later step begin early and wait before they touch memory that a step may write; steps before the last one
// let them. What cannot, and what has one step, is left alone.
// RUN: split-file %s %t
// RUN: sed s/CHIP/sm_90a/ %t/steps.mlir | attn-opt --overlap-steps | FileCheck %s
// RUN: sed s/CHIP/sm_90/ %t/steps.mlir | attn-opt --overlap-steps | attn-opt | FileCheck %s
// RUN: sed s/CHIP/sm_89/ %t/steps.mlir | attn-opt --overlap-steps | FileCheck %s --check-prefix=OLD
// RUN: attn-opt --overlap-steps --verify-diagnostics %t/error.mlir

// OLD-NOT: tile.begin_next
// OLD-NOT: tile.await_previous

//--- steps.mlir
!list = memref<?xi32, strided<[?]>>
!data = memref<?x?x8x64xbf16, strided<[?, ?, ?, 1]>>
!rows = !tile.view<64 x bf16>
!tile = tensor<16x64xbf16>
module attributes {attn.target = {chip = "CHIP"}} {
  // CHECK-LABEL: func.func @whole(
  // CHECK-NOT: tile.begin_next
  // CHECK-NOT: tile.await_previous
  func.func @whole(%x: !data) attributes {tile.warps = 1 : i64} {
    %c0 = arith.constant 0 : index
    %v = tile.view %x[%c0, %c0] length %c0 : !data -> !rows
    %t = tile.load %v[%c0] : !rows -> !tile
    tile.store %t, %v[%c0] : !tile, !rows
    return
  }

  // CHECK-LABEL: func.func @first(
  // CHECK-NEXT: tile.begin_next
  // CHECK-NOT: tile.await_previous
  func.func @first(%x: !data) attributes {tile.warps = 1 : i64} {
    %c0 = arith.constant 0 : index
    %v = tile.view %x[%c0, %c0] length %c0 : !data -> !rows
    %t = tile.load %v[%c0] : !rows -> !tile
    tile.store %t, %v[%c0] : !tile, !rows
    return
  }

  // A step between two others does both. Integers of lists are read before it waits, and what is in a loop after.
  // CHECK-LABEL: func.func @second(
  // CHECK-NEXT: tile.begin_next
  // CHECK: memref.load
  // CHECK: tile.locate
  // CHECK: tile.view
  // CHECK: tile.ring
  // CHECK: tile.await_previous
  // CHECK-NEXT: scf.for
  // CHECK-NOT: tile.await_previous
  func.func @second(%x: !data, %n: !list) attributes {attn.step = 1 : i64, tile.warps = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %p = tile.program %c1
    %length = memref.load %n[%p] : !list
    %l = arith.index_cast %length : i32 to index
    %b, %block = tile.locate %p in %n step 16 : !list
    %v = tile.view %x[%b, %c0] length %l : !data -> !rows
    %ring = tile.ring : !tile.ring<1 x !tile>
    scf.for %i = %c0 to %l step %c1 {
      %t = tile.load %v[%i] : !rows -> !tile
      tile.store %t, %v[%i] : !tile, !rows
    }
    return
  }

  // Loads of other numbers wait.
  // CHECK-LABEL: func.func @third(
  // CHECK-NOT: tile.begin_next
  // CHECK: tile.program
  // CHECK-NEXT: tile.await_previous
  // CHECK-NEXT: memref.load
  // CHECK-NOT: tile.await_previous
  func.func @third(%x: memref<?xf32>) attributes {attn.step = 2 : i64, tile.warps = 1 : i64} {
    %c1 = arith.constant 1 : index
    %p = tile.program %c1
    %f = memref.load %x[%p] : memref<?xf32>
    return
  }

  // The fallback of a kernel is one of its steps, too. All roles wait; a step that has nothing to wait for does so, too.
  // CHECK-LABEL: func.func @first_unaligned(
  // CHECK-NEXT: tile.begin_next
  func.func @first_unaligned() attributes {attn.unaligned = "first", tile.warps = 1 : i64} {
    return
  }
  // CHECK-LABEL: func.func @second_unaligned(
  // CHECK: tile.await_previous
  // CHECK-NEXT: tile.roles
  func.func @second_unaligned(%x: !data) attributes {attn.unaligned = "first", attn.step = 1 : i64, tile.warps = 4 : i64} {
    tile.roles load warps = 4 registers = 24 {
    } compute warps = 4 registers = 240 {
      %c0 = arith.constant 0 : index
      %v = tile.view %x[%c0, %c0] length %c0 : !data -> !rows
      %t = tile.load %v[%c0] : !rows -> !tile
    }
    return
  }
  // CHECK-LABEL: func.func @third_unaligned(
  // CHECK-NEXT: tile.await_previous
  // CHECK-NEXT: return
  func.func @third_unaligned() attributes {attn.unaligned = "first", attn.step = 2 : i64, tile.warps = 1 : i64} {
    return
  }

  // A kernel of its own.
  // CHECK-LABEL: func.func @after(
  // CHECK-NEXT: tile.begin_next
  func.func @after() attributes {tile.warps = 1 : i64} {
    return
  }

  // Loads of integers that a step writes wait as well: results, and what is updated in place.
  // CHECK-LABEL: func.func @result(
  // CHECK: tile.program
  // CHECK-NEXT: tile.await_previous
  // CHECK-NEXT: memref.load
  func.func @result(%n: !list {attn.result}) attributes {attn.step = 1 : i64, tile.warps = 1 : i64} {
    %c1 = arith.constant 1 : index
    %p = tile.program %c1
    %length = memref.load %n[%p] : !list
    return
  }
  // CHECK-LABEL: func.func @updated(
  // CHECK-NOT: tile.begin_next
  // CHECK: tile.await_previous
  // CHECK-NEXT: memref.load
  func.func @updated(%n: !list {attn.written}) attributes {attn.step = 2 : i64, tile.warps = 1 : i64} {
    %c1 = arith.constant 1 : index
    %p = tile.program %c1
    %length = memref.load %n[%p] : !list
    return
  }
}

//--- error.mlir
// expected-error @below {{expects attn.target, a dictionary that describes the hardware}}
module {
  func.func @first() attributes {tile.warps = 1 : i64} {
    return
  }
  func.func @second() attributes {attn.step = 1 : i64, tile.warps = 1 : i64} {
    return
  }
}
