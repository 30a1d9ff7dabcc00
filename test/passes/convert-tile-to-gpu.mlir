// Tiles become the registers of a thread, loops a guard and a do-while, masks comparisons with constants.
// RUN: attn-opt %s --convert-tile-to-gpu --cse --split-input-file | FileCheck %s
// RUN: attn-opt %s --convert-tile-to-gpu --cse --split-input-file | attn-opt --split-input-file | FileCheck %s

#s = #tile.acc<mma_m16n8k16, warps = 1>
!scores = tensor<16x16xf32, #s>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x4x16xf32, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>

// What a launch passes: every address, then the sizes that are read, the strides of what is viewed, and the scalars;
// the grid in the words of the kernel file.

// CHECK-LABEL: llvm.func @parts(
// CHECK-SAME: %[[NQ:[a-z0-9]+]]: i32, %[[NK:[a-z0-9]+]]: i32, %{{[a-z0-9]+}}: i32, %{{[a-z0-9]+}}: i64
// CHECK-SAME: attn.arguments = [{dims = ["batch", "seq_q", "heads", "head_dim"], name = "q", role = "input", rows, sizes = [-1, -1, 4, 16], type = f16}, {{{.*}}name = "k"{{.*}}}, {{{.*}}name = "o", role = "output", rows, sizes = [-1, -1, 4, 16], type = f32}, {name = "n", role = "scalar", type = index}]
// CHECK-SAME: attn.block = 32 : i64
// CHECK-SAME: attn.grid = "ceildiv(seq_q, 16) * 4 * batch"
// CHECK-SAME: attn.parameters = ["address q", "address k", "address o", "size seq_q", "size seq_kv", "size batch", "stride q 0", "stride q 1", "stride q 2", "stride k 0", "stride k 1", "stride k 2", "stride o 0", "stride o 1", "stride o 2", "scalar n"]
// CHECK-SAME: attn.shared = 0 : i64
// CHECK-SAME: nvvm.reqntid = array<i32: 32, 1, 1>

// A loop is entered if it has a step, and asks at its end whether there is another: its label is passed once a step. A
// thread of the warp holds 8 of 16 x 16 elements. The part without a mask has nothing that hides.

// CHECK: %[[ANY:.*]] = arith.cmpi slt, %c0_i32, %[[FREE:.*]] : i32
// CHECK: %[[FULL:.*]]:9 = scf.if %[[ANY]] -> (i32, f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK: scf.while (%[[T:.*]] = %c0_i32, %{{.*}} = %{{.*}})
// CHECK-NEXT: llvm.inline_asm has_side_effects "// part full", ""
// CHECK-NOT: arith.select
// CHECK-NOT: arith.cmpi
// CHECK-COUNT-8: arith.addf
// CHECK-NOT: arith.addf
// CHECK: %[[NEXT:.*]] = arith.addi %[[T]], %c1_i32
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[NEXT]], %[[FREE]]
// CHECK: scf.condition(%[[MORE]]) %[[NEXT]],
// CHECK: } else {
// CHECK: scf.yield %c0_i32

// The masked part: how far this thread's row reaches behind its first column is computed once a row, and each element
// is one comparison of it with the element's column. `not (kv > q)` is the normal form q - kv >= 0.

// CHECK: scf.if
// CHECK: scf.while
// CHECK: "// part masked"
// CHECK: %[[HIDDEN:.*]] = arith.constant 0xFF800000 : f32
// CHECK: %[[REACH:.*]] = arith.subi
// CHECK-NOT: arith.cmpi sgt
// CHECK-NOT: arith.xori
// CHECK: %[[V0:.*]] = arith.cmpi sge, %[[REACH]], %c0_i32 : i32
// CHECK: arith.select %[[V0]], %{{.*}}, %[[HIDDEN]] : f32
// CHECK: %[[REACH_8:.*]] = arith.subi
// CHECK: %[[V1:.*]] = arith.cmpi sge, %[[REACH_8]], %c0_i32 : i32
// CHECK: arith.select %[[V1]], %{{.*}}, %[[HIDDEN]] : f32
// CHECK: %[[V2:.*]] = arith.cmpi sge, %[[REACH]], %c1_i32 : i32
// CHECK: arith.select %[[V2]],
// CHECK: %[[V3:.*]] = arith.cmpi sge, %[[REACH_8]], %c1_i32 : i32
// CHECK: arith.select %[[V3]],
// CHECK-NOT: arith.subi
// CHECK: arith.cmpi sge, %[[REACH]], %c8_i32
// CHECK: arith.cmpi sge, %[[REACH_8]], %c8_i32
// CHECK: arith.cmpi sge, %[[REACH]], %c9_i32
// CHECK: arith.cmpi sge, %[[REACH_8]], %c9_i32
// CHECK-NEXT: arith.select
// CHECK-NOT: arith.select
// CHECK: scf.condition

// Rows that exist are written, two rows a thread.

// CHECK: %[[HERE:.*]] = arith.cmpi slt, %{{.*}}, %[[NQ]] : i32
// CHECK: scf.if %[[HERE]] {
// CHECK-COUNT-4: llvm.store
// CHECK-NOT: llvm.store
// CHECK: }
// CHECK: %[[HERE_8:.*]] = arith.cmpi slt, %{{.*}}, %[[NQ]] : i32
// CHECK: scf.if %[[HERE_8]] {
// CHECK-COUNT-4: llvm.store
// CHECK-NOT: llvm.store
// CHECK: llvm.return
// CHECK-NOT: @causal
func.func @parts(%q: !mem {attn.name = "q", attn.dims = ["batch", "seq_q", "heads", "head_dim"]},
                 %k: !mem {attn.name = "k", attn.dims = ["batch", "seq_kv", "heads", "head_dim"]},
                 %o: !out {attn.name = "o", attn.dims = ["batch", "seq_q", "heads", "head_dim"], attn.result},
                 %n: index {attn.name = "n"}) attributes {tile.warps = 1 : i64, tile.stages = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %c16 = arith.constant 16 : index
  %nq = memref.dim %q, %c1 : !mem
  %nk = memref.dim %k, %c1 : !mem
  %batches = memref.dim %q, %c0 : !mem
  %blocks = arith.ceildivui %nq, %c16 : index
  %block, %h, %b = tile.program %blocks, %c4, %batches
  %row = arith.muli %block, %c16 : index
  %position = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %position : !mem -> !view
  %keys = tile.view %k[%b, %h] length %nk : !mem -> !view
  %out = tile.view %o[%b, %h] length %nq : !out -> !tile.view<16 x f32>
  %zero = arith.constant dense<0.0> : !scores
  %free = arith.floordivsi %row, %c16 : index
  %end = arith.ceildivsi %nk, %c16 : index
  %full = scf.for %t = %c0 to %free step %c1 iter_args(%a = %zero) -> (!scores) {
    %x = arith.addf %a, %a : !scores
    scf.yield %x : !scores
  } {tile.part = "full"}
  %masked = scf.for %t = %free to %end step %c1 iter_args(%a = %full) -> (!scores) {
    %col = arith.muli %t, %c16 : index
    %x = tile.mask %a by [@causal] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    scf.yield %x : !scores
  } {tile.part = "masked"}
  tile.store %masked, %out[%row] : !scores, !tile.view<16 x f32>
  return
}
func.func private @causal(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %true = arith.constant true
  %later = arith.cmpi sgt, %kv, %q : index
  %visible = arith.xori %later, %true : i1
  return %visible : i1
}

// -----

// Rings lie one behind the other in shared memory (16 x 16 x 2 bytes, then 2 x 512). A fill is a copy of 16 bytes a
// thread, of zeros where the row does not exist, and closes a group; an await leaves the younger groups running and
// ends in a barrier; the product reads by ldmatrix and multiplies by mma.

#s = #tile.acc<mma_m16n8k16, warps = 1>
!tile = tensor<16x16xf16, #tile.shared<swizzle = 32, slab = 16>>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x4x16xf32, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
!scores = tensor<16x16xf32, #s>

// CHECK-LABEL: llvm.func @copies(
// CHECK-SAME: attn.shared = 1536 : i64
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.commit_group
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.commit_group
// CHECK: cp.async.wait_group 1;
// CHECK: bar.sync 0;
// CHECK: cp.async.wait_group 0;
// CHECK: bar.sync 0;
// CHECK: ldmatrix
// CHECK: mma
// CHECK: mma
// CHECK-NOT: mma
// CHECK: llvm.return
func.func @copies(%q: !mem {attn.name = "q", attn.dims = ["batch", "seq_q", "heads", "head_dim"]},
                  %o: !out {attn.name = "o", attn.dims = ["batch", "seq_q", "heads", "head_dim"], attn.result})
    attributes {tile.warps = 1 : i64, tile.stages = 2 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %nq = memref.dim %q, %c1 : !mem
  %h, %b = tile.program %c1, %c1
  %rows = tile.view %q[%b, %h] length %nq : !mem -> !view
  %out = tile.view %o[%b, %h] length %nq : !out -> !tile.view<16 x f32>
  %first = tile.ring : !tile.ring<1 x !tile>
  %second = tile.ring : !tile.ring<2 x !tile>
  tile.fill %first[%c0] from %rows[%c0] : !tile.ring<1 x !tile>, !view
  tile.fill %second[%c0] from %rows[%c0] : !tile.ring<2 x !tile>, !view
  %a = tile.await %first[%c0] leaving 1 : !tile.ring<1 x !tile> -> !tile
  %x = tile.await %second[%c0] : !tile.ring<2 x !tile> -> !tile
  %s = tile.dot %a, trans_b %x : !tile, !tile -> !scores
  tile.release %second[%c0] : !tile.ring<2 x !tile>
  tile.store %s, %out[%c0] : !scores, !tile.view<16 x f32>
  return
}

// -----

// A function that reads memory for each key: 16 elements are evaluated at once, column by column, and the next 16 need
// the result of the last of them, in a bit that is always 0. Positions and their difference have 32 bits; an element's
// address is one product and one sum, since what the head gives and what a step of the table is are computed before.

#s = #tile.acc<mma_m16n8k16, warps = 1>
!mem = memref<?x?x4x16xf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x4x64xf32, strided<[?, ?, ?, 1]>>
!view = !tile.view<16 x f16>
!scores = tensor<16x64xf32, #s>
!table = memref<?x?xf32, strided<[?, ?]>>

// CHECK-LABEL: llvm.func @turns(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: !llvm.ptr<1>
// CHECK: %[[ADDRESS:.*]] = llvm.ptrtoint %[[Q]] : !llvm.ptr<1> to i32
// CHECK: %[[ZERO:.*]] = arith.andi %[[ADDRESS]], %{{.*}} : i32
// CHECK: %[[HEAD:.*]] = llvm.getelementptr %arg1[
// CHECK-NEXT: %[[STEP:.*]] = arith.muli %{{.*}}, %c4_i64
// CHECK-COUNT-15: llvm.load
// CHECK: %[[NEAR:.*]] = arith.maxsi %{{.*}}, %{{.*}} : i32
// CHECK-NEXT: %[[WIDE:.*]] = arith.extsi %[[NEAR]] : i32 to i64
// CHECK-NEXT: %[[OFFSET:.*]] = arith.muli %[[WIDE]], %[[STEP]]
// CHECK-NEXT: %[[PLACE:.*]] = llvm.getelementptr %[[HEAD]][%[[OFFSET]]]
// CHECK-NEXT: llvm.load %[[PLACE]]
// CHECK: %[[LAST:.*]] = arith.addf
// CHECK: %[[BITS:.*]] = llvm.bitcast %[[LAST]] : f32 to i32
// CHECK: %[[TURN:.*]] = arith.andi %[[BITS]], %[[ZERO]] : i32
// CHECK: arith.ori %{{.*}}, %[[TURN]] : i32
// CHECK-COUNT-16: llvm.load
// CHECK-NOT: llvm.load
// CHECK: llvm.return
func.func @turns(%q: !mem {attn.name = "q", attn.dims = ["batch", "seq_q", "heads", "head_dim"]},
                 %table: !table {attn.name = "table", attn.dims = ["heads", "distances"]},
                 %o: !out {attn.name = "o", attn.dims = ["batch", "seq_q", "heads", "head_dim"], attn.result})
    attributes {tile.warps = 1 : i64, tile.stages = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %nq = memref.dim %q, %c1 : !mem
  %h, %b = tile.program %c1, %c1
  %rows = tile.view %q[%b, %h] length %nq : !mem -> !view
  %out = tile.view %o[%b, %h] length %nq : !out -> !tile.view<64 x f32>
  %zero = arith.constant dense<0.0> : !scores
  %s = tile.apply @near(%table : !table) to %zero rows %rows[%c0] cols %rows[%c0] : !scores rows !view cols !view
  tile.store %s, %out[%c0] : !scores, !tile.view<64 x f32>
  return
}
func.func private @near(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %table: !table) -> f32 {
  %zero = arith.constant 0 : index
  %distance = arith.subi %q, %kv : index
  %near = arith.maxsi %distance, %zero : index
  %bias = memref.load %table[%h, %near] : !table
  %sum = arith.addf %s, %bias : f32
  return %sum : f32
}

// -----

// The usual name of the shared memory is the user's if a kernel has it.

// CHECK-DAG: llvm.mlir.global external @shared_memory_() {addr_space = 3 : i32
// CHECK-DAG: llvm.func @shared_memory(
// CHECK: llvm.mlir.addressof @shared_memory_ :
func.func @shared_memory() attributes {tile.warps = 1 : i64} {
  return
}

// -----

// Heads of a group in the rows, three to a token: programs of group h have the heads from 3 h on. Row r is token r div 3
// of head 3 h + r mod 3, so that what depends on the head is computed for each of a thread's two rows, and a row begins
// a token's and a head's distance away.

#s = #tile.acc<mma_m16n8k16, warps = 1>
!tile = tensor<16x16xf16, #tile.shared<swizzle = 32, slab = 16>>
!mem = memref<?x?x6x16xf16, strided<[?, ?, ?, 1]>>
!out = memref<?x?x6xf32, strided<[?, ?, ?]>>
!view = !tile.view<16 x f16>
!rows = tensor<16xf32, #tile.slice<1 of #s>>
!slopes = memref<?xf32, strided<[?]>>

// CHECK-LABEL: llvm.func @group(
// CHECK-SAME: attn.parameters = ["address q", "address slopes", "address o", "size seq_q", "stride q 0", "stride q 1", "stride q 2",
// CHECK: %[[Q_TOKEN:.*]] = arith.muli %arg5, %c2_i64 : i64
// CHECK: %[[Q_HEAD:.*]] = arith.muli %arg6, %c2_i64 : i64
// CHECK: %[[TOKEN:.*]] = arith.divui %[[MINE:.*]], %c3_i32 : i32
// CHECK: %[[TOKEN_WIDE:.*]] = arith.extsi %[[TOKEN]]
// CHECK: %[[TOKEN_BYTES:.*]] = arith.muli %[[TOKEN_WIDE]], %[[Q_TOKEN]]
// CHECK: %[[AT_TOKEN:.*]] = llvm.getelementptr %{{.*}}[%[[TOKEN_BYTES]]]
// CHECK: %[[MEMBER:.*]] = arith.remui %[[MINE]], %c3_i32 : i32
// CHECK: %[[MEMBER_WIDE:.*]] = arith.extsi %[[MEMBER]]
// CHECK: %[[MEMBER_BYTES:.*]] = arith.muli %[[MEMBER_WIDE]], %[[Q_HEAD]]
// CHECK: %[[AT_ROW:.*]] = llvm.getelementptr %[[AT_TOKEN]][%[[MEMBER_BYTES]]]
// CHECK: %[[SOURCE:.*]] = llvm.getelementptr %[[AT_ROW]][
// CHECK: llvm.inline_asm has_side_effects "cp.async.cg.shared.global {{.*}} %[[SOURCE]],
// CHECK-COUNT-2: llvm.load {{.*}} -> f32
// CHECK-NOT: llvm.load
// CHECK-COUNT-2: llvm.store
// CHECK: llvm.return
func.func @group(%q: !mem {attn.name = "q", attn.dims = ["batch", "seq_q", "heads", "head_dim"]},
                 %slopes: !slopes {attn.name = "slopes", attn.dims = ["heads"]},
                 %o: !out {attn.name = "o", attn.dims = ["batch", "seq_q", "heads"], attn.result})
    attributes {tile.warps = 1 : i64, tile.stages = 1 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %n = memref.dim %q, %c1 : !mem
  %nr = arith.muli %n, %c3 : index
  %h, %b = tile.program %c2, %c1
  %rows = tile.view %q[%b, %h] length %nr packed 3 : !mem -> !view
  %out = tile.view %o[%b, %h] length %nr packed 3 : !out -> !tile.view<1 x f32>
  %ring = tile.ring : !tile.ring<1 x !tile>
  tile.fill %ring[%c0] from %rows[%c0] : !tile.ring<1 x !tile>, !view
  %zero = arith.constant dense<0.0> : !rows
  %s = tile.apply @slope(%slopes : !slopes) to %zero rows %rows[%c0] : !rows rows !view
  tile.store %s, %out[%c0] : !rows, !tile.view<1 x f32>
  return
}
func.func private @slope(%s: f32, %b: index, %h: index, %row: index, %q: index, %slopes: !slopes) -> f32 {
  %slope = memref.load %slopes[%h] : !slopes
  return %slope : f32
}
