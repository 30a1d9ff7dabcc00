// A sum per row that only grows and shrinks as a whole is left in parts until its loop is over.
// RUN: attn-opt %s --pass-pipeline="builtin.module(func.func(defer-row-sums,canonicalize))" | FileCheck %s

#s = #tile.acc<mma_m16n8k16, warps = 4>
!s = tensor<64x32xf32, #s>
!rows = tensor<64xf32, #tile.slice<1 of #s>>

// The factor is the same for all threads of a row, so that a part is scaled like the whole.

// CHECK-LABEL: func.func @deferred
// CHECK-SAME: %[[P:[a-z0-9]+]]: tensor<64x32xf32, {{.*}}, %[[ALPHA:[a-z0-9]+]]: tensor<64xf32
// CHECK: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : [[PARTS:tensor<64xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>, partial = true>>]]
// CHECK: %[[L:.*]] = scf.for {{.*}} iter_args(%[[LI:.*]] = %[[ZERO]]) -> ([[PARTS]])
// CHECK: %[[FACTOR:.*]] = tile.convert %[[ALPHA]] : {{.*}} -> [[PARTS]]
// CHECK: %[[SCALED:.*]] = arith.mulf %[[LI]], %[[FACTOR]] : [[PARTS]]
// CHECK: %[[SUM:.*]] = tile.reduce add %[[P]] into %[[SCALED]] : {{.*}}, [[PARTS]]
// CHECK: scf.yield %[[SUM]] : [[PARTS]]
// CHECK: %[[ALL:.*]] = tile.convert %[[L]] : [[PARTS]] -> tensor<64xf32, #tile.slice<1 of <mma_m16n8k16, warps = 4>>>
// CHECK: return %[[ALL]]
func.func @deferred(%p: !s, %alpha: !rows, %n: index) -> !rows {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant dense<0.0> : !rows
  %l = scf.for %t = %c0 to %n step %c1 iter_args(%l_i = %none) -> (!rows) {
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !s, !rows
    scf.yield %l_n : !rows
  }
  return %l : !rows
}

// A maximum has no parts that could be put off: each step needs it.

// CHECK-LABEL: func.func @maximum
// CHECK-NOT: partial
func.func @maximum(%p: !s, %alpha: !rows, %n: index) -> !rows {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant dense<0.0> : !rows
  %l = scf.for %t = %c0 to %n step %c1 iter_args(%l_i = %none) -> (!rows) {
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce max %p into %l_s : !s, !rows
    scf.yield %l_n : !rows
  }
  return %l : !rows
}

// A sum that the loop reads must be whole in it.

// CHECK-LABEL: func.func @read_in_the_loop
// CHECK-NOT: partial
func.func @read_in_the_loop(%p: !s, %alpha: !rows, %n: index) -> (!rows, !rows) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant dense<0.0> : !rows
  %l:2 = scf.for %t = %c0 to %n step %c1 iter_args(%l_i = %none, %m_i = %none) -> (!rows, !rows) {
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !s, !rows
    %m_n = arith.maximumf %m_i, %l_n : !rows
    scf.yield %l_n, %m_n : !rows, !rows
  }
  return %l#0, %l#1 : !rows, !rows
}

// A sum that begins with something would count it once for each thread of a row.

// CHECK-LABEL: func.func @begins_with_one
// CHECK-NOT: partial
func.func @begins_with_one(%p: !s, %alpha: !rows, %n: index) -> !rows {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant dense<1.0> : !rows
  %l = scf.for %t = %c0 to %n step %c1 iter_args(%l_i = %one) -> (!rows) {
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !s, !rows
    scf.yield %l_n : !rows
  }
  return %l : !rows
}

// What is added to the carried value is no factor.

// CHECK-LABEL: func.func @shifted
// CHECK-NOT: partial
func.func @shifted(%p: !s, %alpha: !rows, %n: index) -> !rows {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant dense<0.0> : !rows
  %l = scf.for %t = %c0 to %n step %c1 iter_args(%l_i = %none) -> (!rows) {
    %l_s = arith.addf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !s, !rows
    scf.yield %l_n : !rows
  }
  return %l : !rows
}
