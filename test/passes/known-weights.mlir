// What is made of weights that are known: steps that leave statistics of rows, and those that walk the keys again.
// RUN: attn-opt %s --convert-attn-to-tile -split-input-file | FileCheck %s
// RUN: attn-opt %s --convert-attn-to-tile -split-input-file | attn-opt -split-input-file -o /dev/null

// A square is no factor: the rows' statistics come first, with the sink counted and lse written. The second walk has the
// kernel's name; it changes a weight that is known, and a hidden key has none whatever becomes of 0.
!q = tensor<?x?x2x64xf16>
!sink = tensor<2xf32>
!stat = tensor<?x?x2xf32>

// CHECK-LABEL: func.func @squares_statistics(
// CHECK-SAME: attn.kernel = "squares"
// CHECK-SAME: tile.stages = 2 : i64
// CHECK: tile.workspace[%{{.*}}] sizes %[[BATCH:.*]], %[[TOKENS:.*]] : memref<?x?x2xf32>
// CHECK: tile.workspace[%[[BEHIND:.*]]] sizes %[[BATCH]], %[[TOKENS]] : memref<?x?x2xf32>
// CHECK: tile.walk
// CHECK-NOT: tile.apply @reweigh
// CHECK: tile.yield %{{.*}}, %{{.*}} : tensor<64xf32>, tensor<64xf32>
// CHECK: tile.apply @sink
// CHECK: %[[FACTOR:.*]] = arith.divf
// CHECK: tile.store %{{.*}}, %[[MAXIMA:.*]][%{{.*}}] : tensor<64xf32>, <1 x f32>
// CHECK: tile.store %[[FACTOR]]
// CHECK: tile.store
// CHECK-LABEL: func.func @squares(
// CHECK-SAME: attn.step = 1 : i64
// CHECK: %[[M:.*]] = tile.load %{{.*}} otherwise 3.40282347E+38
// CHECK: tile.walk
// CHECK: %[[E:.*]] = math.exp2
// CHECK: %[[P:.*]] = arith.mulf %[[E]]
// CHECK: %[[CHANGED:.*]] = tile.apply @reweigh to %[[P]]
// CHECK: %[[SIZED:.*]] = arith.mulf %[[CHANGED]]
// CHECK: %[[SEEN:.*]] = arith.cmpf une
// CHECK: arith.select %[[SEEN]], %[[SIZED]]
// CHECK: tile.yield %{{.*}} : tensor<64x64xf32>
attn.kernel @squares(%query: !q, %k: !q, %v: !q, %sink: !sink) -> (o: !q, lse: !stat)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %query, %k : !q, !q
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m sink %sink : !sink -> !stat
  %r = attn.reweight %p by @squared
  %o = attn.output %r, %v : !q -> !q
  attn.return %o, %lse : !q, !stat
}
func.func @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @squared(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %y = arith.mulf %w, %w : f32
  return %y : f32
}

// -----

// Sums alone: statistics of rows that count, cells that are cleared, the walk with the kernel's name, which hides what does
// not count, and the cells read. Cells lie behind the statistics, a row for each head of each sequence.
!q = tensor<?x?x2x64xf16>
!sums = tensor<?x2x?xf32>
!rows = tensor<?xi32, #attn.dims<sampled>>

// CHECK-LABEL: func.func @sampled_columns_statistics(
// CHECK-SAME: attn.kernel = "sampled_columns"
// CHECK: tile.mask %{{.*}} by [@visible_causal, @visible_sampled, @in_bounds]
// CHECK-LABEL: func.func @sampled_columns_clear(
// CHECK-SAME: attn.step = 1 : i64
// CHECK: %[[BYTES:.*]] = arith.muli %{{.*}}, %c16
// CHECK: %[[CELLS:.*]] = tile.workspace[%[[BYTES]]] sizes %[[ROWS:.*]], %[[COUNT:.*]] : memref<?x?xi64>
// CHECK: %[[P:.*]]:2 = tile.program
// CHECK: %[[FIRST:.*]] = arith.muli %[[P]]#0, %c1024
// CHECK: tile.clear %[[CELLS]][%[[P]]#1, %[[FIRST]]] count 1024
// CHECK-LABEL: func.func @sampled_columns(
// CHECK-SAME: attn.step = 2 : i64
// CHECK-NOT: packed 2
// CHECK: %[[HERE:.*]] = tile.workspace[%{{.*}}] sizes {{.*}} : memref<?x?xi64>
// CHECK: tile.walk %[[COL:.*]] in %[[KEYS:.*]][
// CHECK: tile.mask %{{.*}} by [@visible_causal{{.*}}, @visible_sampled{{.*}}, @in_bounds]
// CHECK: %[[E:.*]] = math.exp2
// CHECK: %[[W:.*]] = arith.mulf %[[E]]
// CHECK: tile.tally %[[W]] to %[[HERE]][%{{.*}}] per key rows %{{.*}} cols %[[KEYS]][%[[COL]]]
// CHECK-LABEL: func.func @sampled_columns_settle(
// CHECK-SAME: attn.step = 3 : i64
// CHECK: tile.settle %{{.*}} count 1024 to %{{.*}} : memref<?x?xi64>, memref<?x2x?xf32
attn.kernel @sampled_columns(%query: !q, %k: !q, %rows: !rows) -> (sums: !sums)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %query, %k : !q, !q
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %sums = attn.sums %p per key by @sampled (%rows : !rows) -> !sums
  attn.return %sums : !sums
}
func.func @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @sampled(%b: index, %h: index, %q: index, %kv: index, %rows: tensor<?xi32>) -> i1 {
  %row = attn.row
  %counts = attn.member %row of %rows : tensor<?xi32>
  return %counts : i1
}

// -----

// An output may lie over the queries, so it comes last; statistics are then those of all rows, and lse is the output's.
!q = tensor<?x?x2x64xf16>
!sums = tensor<?x2x?xf32>

// CHECK-LABEL: func.func @beside_statistics(
// CHECK-NOT: @visible_late
// CHECK-LABEL: func.func @beside_clear(
// CHECK-LABEL: func.func @beside_sums(
// CHECK: by [@visible_late, @in_bounds]
// CHECK: tile.tally {{.*}} per distance
// CHECK-LABEL: func.func @beside_settle(
// CHECK-LABEL: func.func @beside(
// CHECK-SAME: attn.step = 4 : i64
attn.kernel @beside(%query: !q, %k: !q, %v: !q, %first: index) -> (o: !q, sums: !sums)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %query, %k : !q, !q
  %p = attn.softmax %s
  %sums = attn.sums %p per distance by @late (%first : index) -> !sums
  %o = attn.output %p, %v : !q -> !q
  attn.return %o, %sums : !q, !sums
}
func.func @late(%b: index, %h: index, %q: index, %kv: index, %first: index) -> i1 {
  %counts = arith.cmpi sge, %q, %first : index
  return %counts : i1
}
