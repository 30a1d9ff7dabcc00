// A kernel becomes the schedule's loop in a wrapper that makes its views.
// RUN: attn-opt %s --convert-attn-to-tile --split-input-file | FileCheck %s
// RUN: attn-opt %s --convert-attn-to-tile --split-input-file | attn-opt --split-input-file | FileCheck %s

// Nothing but a kernel: one program for each block of rows, head and batch, the last block first; the default scale of
// 1/8 stands in the exponent, times log2(e); rows stand at the end of the keys; nobody asked for lse.

// CHECK-LABEL: func.func @plain(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: memref<?x?x4x64xf16, strided<[?, ?, ?, 1]>> {attn.dims = ["batch", "seq_q", "heads", "head_dim"], attn.name = "q"}
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<{{[^>]*}}>> {attn.dims = ["batch", "seq_kv", "kv_heads", "head_dim"], attn.name = "k"}
// CHECK-SAME: %[[V:[a-z0-9]+]]: memref<{{[^>]*}}>> {attn.dims = {{.*}}, attn.name = "v"}
// CHECK-SAME: %[[O:[a-z0-9]+]]: memref<{{[^>]*}}>> {attn.dims = {{.*}}, attn.name = "o", attn.result}
// CHECK-SAME: attributes {tile.stages = 2 : i64, tile.warps = 4 : i64}
// CHECK-DAG: %[[ROWS:.*]] = memref.dim %[[Q]], %c1
// CHECK-DAG: %[[BLOCKS:.*]] = arith.ceildivui %[[ROWS]], %c64
// CHECK-DAG: %[[BATCHES:.*]] = memref.dim %[[Q]], %c0
// CHECK: %[[P:.*]]:3 = tile.program %[[BLOCKS]], %c4, %[[BATCHES]]
// CHECK: %[[LAST:.*]] = arith.subi %[[BLOCKS]], %c1
// CHECK: %[[BLOCK:.*]] = arith.subi %[[LAST]], %[[P]]#0
// CHECK: %[[ROW:.*]] = arith.muli %[[BLOCK]], %c64
// CHECK: %[[NQ:.*]] = memref.dim %[[Q]], %c1
// CHECK: %[[NK:.*]] = memref.dim %[[K]], %c1
// CHECK: %[[POSITION:.*]] = arith.subi %[[NK]], %[[NQ]]
// CHECK: %[[QUERY:.*]] = tile.view %[[Q]][%[[P]]#2, %[[P]]#1] length %[[NQ]] position %[[POSITION]] :
// CHECK: %[[KEYS:.*]] = tile.view %[[K]][%[[P]]#2, %[[P]]#1] length %[[NK]] : {{.*}} -> <64 x f16>
// CHECK: tile.view %[[V]][%[[P]]#2, %[[P]]#1] length %[[NK]] :
// CHECK: %[[OUT:.*]] = tile.view %[[O]][%[[P]]#2, %[[P]]#1] length %[[NQ]] :
// CHECK: %[[LSE:.*]] = tile.absent : <1 x f32>
// CHECK: %[[FOLDED:.*]] = arith.constant dense<0.180336878> : tensor<64x32xf32>
// CHECK: tile.load %[[QUERY]][%[[ROW]]] : <64 x f16> -> tensor<64x64xf16>
// CHECK: tile.walk %[[COL:.*]] in %[[KEYS]][%c0{{.*}} to %[[NK]]] step 32
// CHECK: %[[RAW:.*]] = tile.dot %{{.*}}, trans_b
// CHECK-NOT: tile.apply
// CHECK: %[[S:.*]] = tile.mask %[[RAW]] by [@in_bounds] rows %[[QUERY]][%[[ROW]]] cols %[[KEYS]][%[[COL]]] :
// CHECK: %[[BELOW:.*]] = arith.subf %[[S]], %{{.*}} : tensor<64x32xf32>
// CHECK: %[[EXPONENT:.*]] = arith.mulf %[[BELOW]], %[[FOLDED]] : tensor<64x32xf32>
// CHECK: math.exp2 %[[EXPONENT]]
// CHECK: tile.yield
// CHECK: tile.store %{{.*}}, %[[OUT]][%[[ROW]]] : tensor<64x64xf32>, <64 x f16>
// CHECK: tile.store %{{.*}}, %[[LSE]][%[[ROW]]] : tensor<64xf32>, <1 x f32>
// CHECK-NOT: attn.kernel
// CHECK: func.func private @in_bounds(index, index, index, index, index, index) -> i1
!x = tensor<?x?x4x64xf16>
attn.kernel @plain(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 2, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A positive scale that is known is folded as well: 0.25 log2(e).

// CHECK-LABEL: func.func @known_scale(
// CHECK: arith.constant dense<0.360673755> : tensor<64x32xf32>
// CHECK-NOT: tile.apply
// CHECK: return
!x = tensor<?x?x4x64xf16>
attn.kernel @known_scale(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %scale = arith.constant 0.25 : f32
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A scale of zero or below turns maxima around or makes all alike: scores are scaled first, and log2(e) alone stays.

// CHECK-LABEL: func.func @negative_scale(
// CHECK: arith.constant dense<1.44269502> : tensor<64x32xf32>
// CHECK: %[[RAW:.*]] = tile.dot
// CHECK: %[[SCALED:.*]] = tile.apply @score to %[[RAW]] rows
// CHECK: tile.mask %[[SCALED]] by
// CHECK: func.func private @score(%[[S:[a-z0-9]+]]: f32, {{.*}}) -> f32 {
// CHECK: %[[SCALE:.*]] = arith.constant -2.500000e-01 : f32
// CHECK: %[[R:.*]] = arith.mulf %[[S]], %[[SCALE]] : f32
// CHECK: return %[[R]]
!x = tensor<?x?x4x64xf16>
attn.kernel @negative_scale(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %scale = arith.constant -0.25 : f32
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// CHECK-LABEL: func.func @zero_scale(
// CHECK: arith.constant dense<1.44269502> : tensor<64x32xf32>
// CHECK: tile.apply @score to
// CHECK: func.func private @score(
// CHECK: arith.constant 0.000000e+00 : f32
!x = tensor<?x?x4x64xf16>
attn.kernel @zero_scale(%q: !x, %k: !x, %v: !x) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %scale = arith.constant 0.0 : f32
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// A scale given at launch may have any sign: it is a parameter of the scores' function.

// CHECK-LABEL: func.func @launch_scale(
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: f32 {attn.name = "scale"}
// CHECK: arith.constant dense<1.44269502> : tensor<64x32xf32>
// CHECK: tile.apply @score(%[[SCALE]] : f32) to
// CHECK: func.func private @score(%[[S:[a-z0-9]+]]: f32, {{.*}}, %[[GIVEN:[a-z0-9]+]]: f32) -> f32 {
// CHECK: arith.mulf %[[S]], %[[GIVEN]] : f32
!x = tensor<?x?x4x64xf16>
attn.kernel @launch_scale(%q: !x, %k: !x, %v: !x, %scale: f32) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k scale %scale : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

// Score functions see scaled scores, in their order, each with its own parameters; masks are listed, the bounds of the
// keys last, their parameters one after another.

// CHECK-LABEL: func.func @functions(
// CHECK-SAME: %[[BIAS:[a-z0-9]+]]: memref<4xf32, strided<[?]>> {{{[^}]*}}attn.name = "bias"}
// CHECK-SAME: %[[N:[a-z0-9]+]]: index {attn.name = "n"}
// CHECK: %[[CAP:.*]] = arith.constant 3.000000e+01 : f32
// CHECK: %[[A:.*]] = tile.apply @score(%[[CAP]], %[[BIAS]] : f32, memref<4xf32, strided<[?]>>) to %{{.*}} rows %[[QUERY:.*]][%{{.*}}] cols
// CHECK: tile.mask %[[A]] by [@visible_near, @visible_past, @in_bounds](%[[N]] : index) rows
// CHECK: func.func private @score(%[[S:[a-z0-9]+]]: f32, %{{[a-z0-9]+}}: index, %[[H:[a-z0-9]+]]: index, {{.*}}, %[[C:[a-z0-9]+]]: f32, %[[T:[a-z0-9]+]]: memref<4xf32, strided<[?]>>) -> f32 {
// CHECK: %[[SCALED:.*]] = arith.mulf %[[S]], %{{.*}} : f32
// CHECK: %[[FIRST:.*]] = arith.minimumf %[[SCALED]], %[[C]] : f32
// CHECK: %[[LOADED:.*]] = memref.load %[[T]][%[[H]]]
// CHECK: arith.addf %[[FIRST]], %[[LOADED]] : f32
// CHECK: func.func private @visible_near(%{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index, %[[ROW:[a-z0-9]+]]: index, %[[COLUMN:[a-z0-9]+]]: index, %{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index, %[[NP:[a-z0-9]+]]: index) -> i1 {
// CHECK: %[[D:.*]] = arith.subi %[[COLUMN]], %[[ROW]]
// CHECK: arith.cmpi slt, %[[D]], %[[NP]]
// CHECK: func.func private @visible_past(%{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index, %{{[a-z0-9]+}}: index, %[[QP:[a-z0-9]+]]: index, %[[KV:[a-z0-9]+]]: index) -> i1 {
// CHECK: arith.cmpi sle, %[[KV]], %[[QP]]
// The functions of the spec are gone.
// CHECK-NOT: @capped
// CHECK-NOT: @past
!x = tensor<?x?x4x64xf16>
!bias = tensor<4xf32>
attn.kernel @functions(%q: !x, %k: !x, %v: !x, %bias: !bias, %n: index) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %cap = arith.constant 30.0 : f32
  %s = attn.scores %q, %k : !x, !x
  %a = attn.modify %s by @capped(%cap) : f32
  %b = attn.modify %a by @biased(%bias) : !bias
  %m = attn.mask %b by @near(%n) : index
  %c = attn.mask %m by @past
  %p = attn.softmax %c
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
func.func @capped(%s: f32, %b: index, %h: index, %q: index, %kv: index, %cap: f32) -> f32 {
  %r = arith.minimumf %s, %cap : f32
  return %r : f32
}
func.func @biased(%s: f32, %b: index, %h: index, %q: index, %kv: index, %bias: tensor<?xf32>) -> f32 {
  %x = tensor.extract %bias[%h] : tensor<?xf32>
  %r = arith.addf %s, %x : f32
  return %r : f32
}
func.func @near(%b: index, %h: index, %q: index, %kv: index, %n: index) -> i1 {
  %row = attn.row
  %column = attn.column
  %d = arith.subi %column, %row : index
  %r = arith.cmpi slt, %d, %n : index
  return %r : i1
}
func.func @past(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %r = arith.cmpi sle, %kv, %q : index
  return %r : i1
}

// -----

// A sink's logit comes from the head, behind the loop; lse that is asked for is a view of one column.

// CHECK-LABEL: func.func @sink_and_lse(
// CHECK-SAME: %[[SINK:[a-z0-9]+]]: memref<4xf32, strided<[?]>> {{{[^}]*}}attn.name = "sink"}
// CHECK-SAME: %[[L:[a-z0-9]+]]: memref<?x?x4xf32, strided<[?, ?, ?]>> {{{[^}]*}}attn.name = "lse", attn.result}
// CHECK-NOT: tile.absent
// CHECK: %[[LSE:.*]] = tile.view %[[L]][%{{.*}}] length %{{.*}} -> <1 x f32>
// CHECK: tile.yield
// CHECK: %[[LOGIT:.*]] = tile.apply @sink(%[[SINK]] : memref<4xf32, strided<[?]>>) to %{{.*}} rows %{{.*}}[%{{.*}}] : tensor<64xf32> rows <64 x f16>
// CHECK: arith.maximumf %{{.*}}, %[[LOGIT]] : tensor<64xf32>
// CHECK: tile.store %{{.*}}, %[[LSE]][%{{.*}}] : tensor<64xf32>, <1 x f32>
// CHECK: func.func private @sink(%{{[a-z0-9]+}}: f32, %{{[a-z0-9]+}}: index, %[[H:[a-z0-9]+]]: index, {{.*}}, %[[T:[a-z0-9]+]]: memref<4xf32, strided<[?]>>) -> f32 {
// CHECK: %[[X:.*]] = memref.load %[[T]][%[[H]]]
// CHECK: return %[[X]]
!x = tensor<?x?x4x64xf16>
!sink = tensor<4xf32>
!lse = tensor<?x?x4xf32>
attn.kernel @sink_and_lse(%q: !x, %k: !x, %v: !x, %sink: !sink) -> (o: !x, lse: !lse)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s sink %sink : !sink -> !lse
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !lse
}

// -----

// At the start, row r has position r: the view has none of its own. Six query heads share two of keys, three each.

// CHECK-LABEL: func.func @start_and_groups(
// CHECK: %[[P:.*]]:3 = tile.program %{{.*}}, %c6, %{{.*}}
// CHECK: %[[KV_HEAD:.*]] = arith.divui %[[P]]#1, %c3
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %{{[^ ]*}} :
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[KV_HEAD]]] length %{{[^ ]*}} :
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[KV_HEAD]]] length %{{[^ ]*}} :
!q = tensor<?x?x6x64xf16>
!kv = tensor<?x?x2x64xf16>
attn.kernel @start_and_groups(%q: !q, %k: !kv, %v: !kv) -> (o: !q)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %s = attn.scores %q, %k align start : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// -----

// The three heads in the rows of a tile: three rows for each token, one program for each key head, and positions that
// are still those of tokens.

// CHECK-LABEL: func.func @packed(
// CHECK: %[[TOKENS:.*]] = memref.dim %[[Q:.*]], %c1
// CHECK: %[[ROWS:.*]] = arith.muli %[[TOKENS]], %c3
// CHECK: %[[BLOCKS:.*]] = arith.ceildivui %[[ROWS]], %c64
// CHECK: %[[P:.*]]:3 = tile.program %[[BLOCKS]], %c2, %{{.*}}
// CHECK-NOT: arith.divui
// CHECK: %[[NQ:.*]] = memref.dim %[[Q]], %c1
// CHECK: %[[NK:.*]] = memref.dim
// CHECK: %[[POSITION:.*]] = arith.subi %[[NK]], %[[NQ]]
// CHECK: %[[LENGTH:.*]] = arith.muli %[[NQ]], %c3
// CHECK: tile.view %[[Q]][%[[P]]#2, %[[P]]#1] length %[[LENGTH]] packed 3 position %[[POSITION]] :
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %[[NK]] :
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %[[NK]] :
// CHECK: %[[WRITTEN:.*]] = arith.muli %[[NQ]], %{{.*}}
// CHECK: tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %[[WRITTEN]] packed 3 :
!q = tensor<?x?x6x64xf16>
!kv = tensor<?x?x2x64xf16>
attn.kernel @packed(%q: !q, %k: !kv, %v: !kv) -> (o: !q)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4, packed = 3> {
  %s = attn.scores %q, %k : !q, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !q
  attn.return %o : !q
}

// -----

// A length lies between 0 and what its tensor holds; one of 64 bits is brought there before it becomes an index, so
// that a wild one does not wrap.

// CHECK-LABEL: func.func @lengths(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: memref<?x?x4x64xf16, {{[^{]*}}{{{[^}]*}}attn.name = "q"}
// CHECK-SAME: %[[K:[a-z0-9]+]]: memref<?x?x4x64xf16, {{[^{]*}}{{{[^}]*}}attn.name = "k"}
// CHECK-SAME: %[[QL:[a-z0-9]+]]: memref<?xi32, strided<[?]>> {{{[^}]*}}attn.name = "q_lens"}
// CHECK-SAME: %[[KL:[a-z0-9]+]]: memref<?xi64, strided<[?]>> {{{[^}]*}}attn.name = "kv_lens"}
// CHECK-SAME: attn.facts = {{\[\[}}"length", "q_lens", "q", "seq_q"], ["length", "kv_lens", "k", "seq_kv"], ["length", "kv_lens", "v", "seq_kv"]], attn.lengths
// CHECK: %[[P:.*]]:3 = tile.program
// CHECK: %[[MOST_Q:.*]] = memref.dim %[[Q]], %c1
// CHECK: %[[LQ:.*]] = memref.load %[[QL]][%[[P]]#2]
// CHECK: %[[LQ_INDEX:.*]] = arith.index_cast %[[LQ]] : i32 to index
// CHECK: %[[LQ_CUT:.*]] = arith.minsi %[[LQ_INDEX]], %[[MOST_Q]] : index
// CHECK: %[[NQ:.*]] = arith.maxsi %[[LQ_CUT]], %c0{{.*}} : index
// CHECK: %[[MOST_K:.*]] = memref.dim %[[K]], %c1
// CHECK: %[[LK:.*]] = memref.load %[[KL]][%[[P]]#2]
// CHECK: %[[MOST_WIDE:.*]] = arith.index_cast %[[MOST_K]] : index to i64
// CHECK: %[[LK_CUT:.*]] = arith.minsi %[[LK]], %[[MOST_WIDE]] : i64
// CHECK: %[[LK_POSITIVE:.*]] = arith.maxsi %[[LK_CUT]], %c0_i64 : i64
// CHECK: %[[NK:.*]] = arith.index_cast %[[LK_POSITIVE]] : i64 to index
// CHECK: %[[POSITION:.*]] = arith.subi %[[NK]], %[[NQ]]
// CHECK: tile.view %{{.*}} length %[[NQ]] position %[[POSITION]]
// CHECK: tile.view %{{.*}} length %[[NK]] :
!x = tensor<?x?x4x64xf16>
!ql = tensor<?xi32>
!kl = tensor<?xi64>
attn.kernel @lengths(%q: !x, %k: !x, %v: !x, %q_lens: !ql, %kv_lens: !kl) -> (o: !x)
    schedule<prefill, block_q = 64, block_kv = 32, num_stages = 1, num_warps = 4> {
  %queries = attn.dense %q[%q_lens] : !x [!ql]
  %keys = attn.dense %k, %v[%kv_lens] : !x, !x [!kl]
  %s = attn.scores %queries, %keys : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !x
  attn.return %o : !x
}

// -----

// Programs share keys: of n keys each walks max(256, ceil(n / 5)), rounded up to 32, and leaves what it keeps of its rows,
// four heads of one token, at place (share * batches + batch) of the workspace. The merge has all eight heads as rows and
// half of the 64 columns; parts with keys are ceil(n / share).

// CHECK-LABEL: func.func @few(
// CHECK-SAME: attributes {tile.stages = 3 : i64, tile.warps = 1 : i64}
// CHECK: %[[N:.*]] = memref.dim %{{.*}}, %c1{{.*}} : memref<?x?x2x64xf16
// CHECK: %[[FULL:.*]] = arith.ceildivui %[[N]], %c256
// CHECK: %[[SOME:.*]] = arith.minsi %[[FULL]], %c5
// CHECK: %[[SHARES:.*]] = arith.maxsi %[[SOME]], %c1
// CHECK: %[[P:.*]]:4 = tile.program %{{.*}}, %c2{{.*}}, %{{.*}}, %[[SHARES]]
// CHECK: %[[QUERY:.*]] = tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %{{.*}} packed 4 position
// CHECK: %[[EVEN:.*]] = arith.ceildivui %{{.*}}, %c5
// CHECK: %[[LEAST:.*]] = arith.maxsi %[[EVEN]], %c256
// CHECK: %[[TILES:.*]] = arith.ceildivui %[[LEAST]], %c32
// CHECK: %[[CHUNK:.*]] = arith.muli %[[TILES]], %c32
// CHECK: %[[FROM:.*]] = arith.muli %[[P]]#3, %[[CHUNK]]
// CHECK: %[[END:.*]] = arith.addi %[[FROM]], %[[CHUNK]]
// CHECK: %[[TO:.*]] = arith.minsi %[[END]], %{{.*}}
// CHECK: %[[OUTPUTS:.*]] = tile.workspace[%c0{{.*}}] sizes %{{.*}} : memref<?x?x8x64xf32>
// CHECK: tile.workspace[%{{.*}}] sizes %{{.*}} : memref<?x?x8xf32>
// CHECK: tile.workspace[%{{.*}}] sizes %{{.*}} : memref<?x?x8xf32>
// CHECK: %[[BEFORE:.*]] = arith.muli %[[P]]#3, %[[BATCHES:.*]] : index
// CHECK: %[[PLACE:.*]] = arith.addi %[[BEFORE]], %[[P]]#2
// CHECK: %[[OUT:.*]] = tile.view %[[OUTPUTS]][%[[PLACE]], %[[P]]#1] length %{{.*}} packed 4 : memref<?x?x8x64xf32> -> <64 x f32>
// CHECK: tile.walk %{{.*}} in %{{.*}}[%[[FROM]] to %[[TO]]] step 32
// CHECK: tile.store %{{.*}}, %[[OUT]][%{{.*}}] : tensor<16x64xf32>, <64 x f32>
// CHECK-COUNT-2: tile.store %{{.*}} : tensor<16xf32>, <1 x f32>
// CHECK: return

// CHECK-LABEL: func.func @few_merge(
// CHECK-SAME: attributes {attn.step = 1 : i64, tile.stages = 1 : i64, tile.warps = 1 : i64}
// CHECK: %[[P:.*]]:3 = tile.program %{{.*}}, %c2{{.*}}, %
// CHECK: %[[COLUMN:.*]] = arith.muli %[[P]]#1, %c32
// CHECK: %[[OUT:.*]] = tile.view %{{.*}}[%[[P]]#2, %c0{{.*}}] length %{{.*}} packed 8 : memref<?x1x8x64xf16
// CHECK: %[[SOME:.*]] = tile.columns %[[OUT]][%[[COLUMN]]] : <64 x f16> -> <32 x f16>
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %{{.*}} step %c4
// CHECK: tile.columns %{{.*}}[%[[COLUMN]]] : <64 x f32> -> <32 x f32>
// CHECK: tile.load {{.*}} : <32 x f32> -> tensor<16x32xf32>
// CHECK: tile.load {{.*}} otherwise -3.40282347E+38 : <1 x f32> -> tensor<16xf32>
// CHECK: tile.store %{{.*}}, %[[SOME]][%{{.*}}] : tensor<16x32xf32>, <32 x f16>
!few = tensor<?x1x8x64xf16>
!kv = tensor<?x?x2x64xf16>
attn.kernel @few(%q: !few, %k: !kv, %v: !kv) -> (o: !few)
    schedule<decode, block_q = 16, block_kv = 32, num_stages = 3, num_warps = 1, num_splits = 5, packed = 4>
    attributes {attn.share = array<i64: 256, 32>} {
  %s = attn.scores %q, %k : !few, !kv
  %p = attn.softmax %s
  %o = attn.output %p, %v : !kv -> !few
  attn.return %o : !few
}

// -----

// Keys of a packed batch of queries, joined from runs of pages, which no size bounds, and a dense tensor: num_splits shares.
// The queries' three heads a token make blocks of 16 rows of them, as do the six rows of a token for the merge. What a share
// leaves lies by token of the batch: token t of sequence b at starts[b] + t.

// CHECK-LABEL: func.func @packed(
// CHECK-SAME: %[[Q:[a-z0-9]+]]: memref<?x6x64xf16
// CHECK: %[[TOTAL:.*]] = memref.dim %[[Q]], %c0{{.*}}
// CHECK: %[[ROWS:.*]] = arith.muli %[[TOTAL]], %c3
// CHECK: %[[WHOLE:.*]] = arith.floordivsi %[[ROWS]], %c16
// CHECK: %[[BLOCKS:.*]] = arith.addi %[[WHOLE]], %
// CHECK: %[[P:.*]]:3 = tile.program %[[BLOCKS]], %c2{{.*}}, %c5{{.*}}
// CHECK: tile.locate %{{.*}} in %{{.*}} step 16 packed 3
// CHECK: %[[T1:.*]] = arith.ceildivui %{{.*}}, %c32
// CHECK: %[[A1:.*]] = arith.muli %[[T1]], %c32
// CHECK: %[[T2:.*]] = arith.ceildivui %{{.*}}, %c32
// CHECK: %[[A2:.*]] = arith.muli %[[T2]], %c32
// CHECK: %[[ALL:.*]] = arith.addi %[[A1]], %[[A2]]
// CHECK: %[[FROM:.*]] = arith.muli %[[P]]#2, %
// CHECK: %[[TO:.*]] = arith.minsi %{{.*}}, %[[ALL]]
// CHECK: %[[NONE:.*]] = arith.cmpi sge, %[[FROM]], %[[TO]]
// CHECK: tile.leave if %[[NONE]]
// CHECK: tile.workspace[%c0{{.*}}] sizes %c5{{.*}}, %{{.*}} : memref<?x?x6x64xf32>
// CHECK-COUNT-2: tile.workspace[%{{.*}}] sizes %c5{{.*}}, %{{.*}} : memref<?x?x6xf32>
// CHECK: arith.muli %{{.*}}, %c24
// CHECK-NEXT: arith.addi
// CHECK-NEXT: %[[END:.*]] = arith.addi %[[FIRST:.*]], %[[TOKENS:.*]] : index
// CHECK-NEXT: arith.constant 3
// CHECK-NEXT: %[[ENDROW:.*]] = arith.muli %[[END]], %c3
// CHECK-NEXT: %[[OUT:.*]] = tile.view %{{.*}}[%[[P]]#2, %[[P]]#1] length %[[ENDROW]] packed 3 : memref<?x?x6x64xf32> -> <64 x f32>
// CHECK: %[[BEFORE:.*]] = arith.muli %[[FIRST]], %c3
// CHECK: %[[AT:.*]] = arith.addi %[[BEFORE]], %[[ROW:.*]] : index
// CHECK: tile.walk %{{.*}} in %{{.*}}[%[[FROM]] to %[[TO]]] step 32
// CHECK: tile.store %{{.*}}, %[[OUT]][%[[AT]]]

// CHECK-LABEL: func.func @packed_merge(
// CHECK: arith.muli %{{.*}}, %c6
// CHECK: %[[M:.*]]:2 = tile.program %{{.*}}, %c2{{.*}}
// CHECK: tile.locate %[[M]]#0 in %{{.*}} step 16 packed 6
// CHECK: %[[GIVEN:.*]] = tile.view %{{.*}}[%{{.*}}, %{{.*}}] length %{{.*}} packed 6 starts %{{.*}} : memref<?x6x64xf16
// CHECK: tile.held
!packed = tensor<?x6x64xf16>
!pool = tensor<?x16x2x64xf16>
!new = tensor<?x?x2x64xf16, #attn.dims<batch, seq_new, kv_heads, head_dim>>
!ends = tensor<?xi32>
!each = tensor<?xi32>
!runs = tensor<?x?x2xi32>
attn.kernel @packed(%q: !packed, %ends: !ends, %pool: !pool, %runs: !runs, %lens: !each, %n: !new) -> (o: !packed)
    schedule<decode, block_q = 16, block_kv = 32, num_stages = 3, num_warps = 1, num_splits = 5, packed = 3>
    attributes {attn.share = array<i64: 256, 32>} {
  %queries = attn.ragged %q[%ends] : !packed [!ends]
  %cache = attn.pages %pool[%runs, %lens] : !pool [!runs, !each]
  %new = attn.dense %n : !new
  %keys = attn.concat %cache, %new
  %s = attn.scores %queries, %keys : !attn.seq, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !packed
  attn.return %o : !packed
}

// -----

// Joined parts are rounded up to tiles each before they are added: 5 and 10 keys are two tiles of 32, and may be two shares.

// CHECK-LABEL: func.func @joined_parts(
// CHECK: %[[A:.*]] = memref.dim %{{.*}}, %c1{{.*}} : memref<?x?x2x64xf16
// CHECK: %[[TA:.*]] = arith.ceildivui %[[A]], %c32
// CHECK: %[[RA:.*]] = arith.muli %[[TA]], %c32
// CHECK: %[[B:.*]] = memref.dim %{{.*}}, %c1{{.*}} : memref<?x?x2x64xf16
// CHECK: %[[TB:.*]] = arith.ceildivui %[[B]], %c32
// CHECK: %[[RB:.*]] = arith.muli %[[TB]], %c32
// CHECK: %[[ALL:.*]] = arith.addi %[[RA]], %[[RB]]
// CHECK: %[[FULL:.*]] = arith.ceildivui %[[ALL]], %c32
// CHECK: %[[SOME:.*]] = arith.minsi %[[FULL]], %c5
// CHECK: %[[SHARES:.*]] = arith.maxsi %[[SOME]], %c1
// CHECK: tile.program %{{.*}}, %{{.*}}, %{{.*}}, %[[SHARES]]
!few = tensor<?x1x8x64xf16>
!past = tensor<?x?x2x64xf16, #attn.dims<batch, seq_past, kv_heads, head_dim>>
!new = tensor<?x?x2x64xf16, #attn.dims<batch, seq_new, kv_heads, head_dim>>
attn.kernel @joined_parts(%q: !few, %past: !past, %new: !new) -> (o: !few)
    schedule<decode, block_q = 16, block_kv = 32, num_stages = 3, num_warps = 1, num_splits = 5, packed = 4>
    attributes {attn.share = array<i64: 32, 32>} {
  %a = attn.dense %past : !past
  %b = attn.dense %new : !new
  %keys = attn.concat %a, %b
  %s = attn.scores %q, %keys : !few, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %keys : !attn.seq -> !few
  attn.return %o : !few
}

// -----

// A merge of a stack and of one part by itself: all heads of a token are rows, and parts that weigh nothing are blank.
!stack = tensor<?x?x?x4x64xbf16, #attn.dims<parts, batch, seq_q, heads, head_dim>>
!sums = tensor<?x?x?x4xf32, #attn.dims<parts, batch, seq_q, heads>>
!part = tensor<?x?x4x64xf32>
!stat = tensor<?x?x4xf32>

// CHECK-LABEL: func.func @join(
// CHECK-SAME: %[[OS:[^:]*]]: memref<?x?x?x4x64xbf16, strided<[?, ?, ?, ?, 1]>>
// CHECK-SAME: %[[O1:[^:]*]]: memref<?x?x4x64xf32, strided<[?, ?, ?, 1]>>
// CHECK-SAME: attributes {tile.stages = 1 : i64, tile.warps = 1 : i64}
// CHECK: %[[P:.*]]:3 = tile.program %{{.*}}, %c2{{.*}}, %
// CHECK: tile.view %{{.*}}[%[[P]]#2, %c0{{.*}}] length %{{.*}} packed 4 : memref<?x?x4x64xf32
// CHECK: %[[COUNT:.*]] = memref.dim %[[OS]], %c0
// CHECK: scf.for %[[S:.*]] = %c0{{.*}} to %[[COUNT]] step %c4
// CHECK: %[[EXISTS:.*]] = arith.cmpi slt, %[[S]], %[[COUNT]]
// CHECK: %[[TOKENS:.*]] = arith.select %[[EXISTS]]
// CHECK: %[[LENGTH:.*]] = arith.muli %[[TOKENS]], %c4
// CHECK: tile.view %{{.*}} length %[[LENGTH]] packed 4 part %[[S]] : memref<?x?x?x4xf32
// CHECK: %[[LSE:.*]] = tile.load %{{.*}} otherwise 0xFF800000
// CHECK: %[[SAME:.*]] = arith.muli %[[TOKENS]], %c4
// CHECK: tile.view %[[OS]]{{.*}} length %[[SAME]] packed 4 part %[[S]]
// CHECK: %[[HALF:.*]] = tile.load %{{.*}} : <32 x bf16> -> tensor<16x32xbf16>
// CHECK: %[[WIDE:.*]] = arith.extf %[[HALF]]
// CHECK: %[[WEIGHT:.*]] = tile.broadcast %[[LSE]]
// CHECK: %[[COUNTS:.*]] = arith.cmpf une, %[[WEIGHT]]
// CHECK: arith.select %[[COUNTS]], %[[WIDE]]
// CHECK: tile.view %[[O1]][%[[P]]#2, %c0{{.*}}] length %{{.*}} packed 4 : memref<?x?x4x64xf32
// CHECK: math.fma
attn.kernel @join(%os: !stack, %o1: !part, %lses: !sums, %lse1: !stat) -> (o: !part, lse: !stat) {
  %o, %lse = attn.merge %os, %o1 lse %lses, %lse1 : (!stack, !part, !sums, !stat) -> (!part, !stat)
  attn.return %o, %lse : !part, !stat
}

// -----

// New entries are copied before the attention begins, whose function has the kernel's name. The last entries of both are the
// same: of a cache that is shorter than what is new the first ones are left out.
!q = tensor<?x1x8x64xf16>
!new = tensor<?x1x2x64xf16>
!pool = tensor<?x16x2x64xf16>
!table = tensor<?x?xi32>
!lens = tensor<?xi32>

// CHECK-LABEL: func.func @step_append(
// CHECK-SAME: {attn.dims = ["batch", "seq_new", "kv_heads", "head_dim"], attn.name = "k_new"}
// CHECK-SAME: {attn.dims = ["pages", "page_size", "kv_heads", "head_dim"], attn.name = "k_pool", attn.written}
// CHECK-SAME: attn.facts = {{\[}}["pages", "page_table", "k_pool", "kv_lens"]
// CHECK-SAME: attn.kernel = "step", tile.stages = 1 : i64, tile.warps = 1 : i64
// CHECK: %[[P:.*]]:2 = tile.program
// CHECK: %[[LOADED:.*]] = memref.load %{{.*}}[%[[P]]#1]
// CHECK: %[[BEHIND:.*]] = arith.subi %[[LEN:.*]], %c1
// CHECK: %[[TO:.*]] = arith.maxsi %[[BEHIND]], %c0
// CHECK: %[[SHORT:.*]] = arith.subi %c0{{.*}}, %[[BEHIND]]
// CHECK: %[[FROM:.*]] = arith.maxsi %[[SHORT]], %c0
// CHECK: %[[ROWS:.*]] = arith.muli %[[FROM]], %c2
// CHECK: arith.addi %[[ROWS]]
// CHECK: %[[NEW:.*]] = tile.view %{{.*}}[%[[P]]#1, %c0{{.*}}] length %{{.*}} packed 2
// CHECK: %[[CACHE:.*]] = tile.view %{{.*}}[%[[P]]#1, %c0{{.*}}] length %{{.*}} packed 2 through
// CHECK: %[[T:.*]] = tile.load %[[NEW]]
// CHECK: tile.store %[[T]], %[[CACHE]]
// CHECK: func.func @step(
// CHECK-SAME: attn.written
// CHECK-SAME: attn.step = 1 : i64
attn.kernel @step(%q: !q, %k_new: !new, %v_new: !new, %k_pool: !pool, %v_pool: !pool, %page_table: !table,
                  %kv_lens: !lens) -> (o: !q)
    schedule<decode, block_q = 16, block_kv = 32, num_stages = 2, num_warps = 1, num_splits = 1, packed = 4> {
  %new = attn.dense %k_new, %v_new : !new, !new
  %kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !pool, !pool [!table, !lens]
  attn.append %new to %kv : !attn.seq
  %s = attn.scores %q, %kv : !q, !attn.seq
  %p = attn.softmax %s
  %o = attn.output %p, %kv : !attn.seq -> !q
  attn.return %o : !q
}

// -----

// A selection: a program for each row of sums; constants of the kernel go with it. The second has a function of its own.
!sums  = tensor<?x4x?xf32, #attn.dims<batch, heads, entries>>
!list  = tensor<?x4x64xi64, #attn.dims<batch, heads, room>>
!count = tensor<?x4xi32, #attn.dims<batch, heads>>
!below = tensor<?xi64, #attn.dims<batch>>

// CHECK-LABEL: func.func @heavy(
// CHECK-SAME: %[[SUMS:[^:]*]]: memref<?x4x?xf32, strided<[?, ?, ?]>>
// CHECK-SAME: %[[BELOW:[^:]*]]: memref<?xi64
// CHECK-SAME: %[[LIST:[^:]*]]: memref<?x4x64xi64, strided<[?, ?, ?]>> {{[^%]*}}attn.result
// CHECK-SAME: %[[COUNT:[^:]*]]: memref<?x4xi32
// CHECK-DAG: %[[K:.*]] = arith.constant 16 : index
// CHECK: %[[P:.*]]:2 = tile.program %{{.*}}, %{{.*}}
// CHECK: %[[ALL:.*]] = memref.dim %[[SUMS]], %c2
// CHECK: %[[LOADED:.*]] = memref.load %[[BELOW]][%[[P]]#1]
// CHECK: %[[MOST:.*]] = arith.index_cast %[[ALL]] : index to i64
// CHECK: %[[CUT:.*]] = arith.minsi %[[LOADED]], %[[MOST]] : i64
// CHECK: %[[N:.*]] = arith.maxsi %[[CUT]]
// CHECK: %[[INDEX:.*]] = arith.index_cast %[[N]] : i64 to index
// CHECK: tile.select %[[SUMS]][%[[P]]#1, %[[P]]#0] to %[[INDEX]] top %[[K]] into %[[LIST]] count %[[COUNT]]
// CHECK: func.func @heavy_select_(
// CHECK-SAME: %[[SHARE:[^:]*]]: f32
// CHECK-SAME: attn.step = 1 : i64
// CHECK: tile.select %{{.*}} cover %[[SHARE]] into
attn.kernel @heavy(%sums: !sums, %below: !below, %share: f32)
    -> (list: !list, count: !count, wide: !list, number: !count) {
  %k = arith.constant 16 : index
  %list, %count = attn.select %sums top %k below %below : (!sums, index, !below) -> (!list, !count)
  %wide, %number = attn.select %sums cover %share : (!sums, f32) -> (!list, !count)
  attn.return %list, %count, %wide, %number : !list, !count, !list, !count
}
