// S33: whether a number is among the entries of a row of a list, or in one of its ranges: by counts, by row ends, whole.
// RUN: %python %S/lists.py %s %t | FileCheck %s
// CHECK: 8 kernels agree

!x     = tensor<?x?x2x8xf32>
!l     = tensor<?x?x2xf32>
!idx   = tensor<?x2x?x?xi32,   #attn.dims<batch, heads, q_blocks, listed>>
!count = tensor<?x2x?xi32,     #attn.dims<batch, heads, q_blocks>>
!ends  = tensor<?xi32,         #attn.dims<row_ends>>
!wide  = tensor<?xi64,         #attn.dims<entries>>
!pairs = tensor<?x2xi32,       #attn.dims<entries, from_to>>
!cols  = tensor<1x2x?xi32,     #attn.dims<one, heads, most_columns>>
!ncols = tensor<1x2xi32,       #attn.dims<one, heads>>
!far   = tensor<1x2x?xi64,     #attn.dims<one, heads, most_slashes>>
!nfar  = tensor<1x2xi64,       #attn.dims<one, heads>>
!spans = tensor<?x?x?x2xi32,   #attn.dims<batch, seq_q, most_spans, from_to>>
!nspan = tensor<?x?xi32,       #attn.dims<batch, seq_q>>
!kinds = tensor<2xi32>
!rows  = tensor<?xi32,         #attn.dims<sampled>>

func.func private @causal(index, index, index, index) -> i1
func.func private @sliding_window(index, index, index, index, index) -> i1
func.func private @streaming(index, index, index, index, index, index) -> i1

// Two lists per row of blocks: blocks seen whole, and blocks seen through `causal`.
func.func @blocks(%b: index, %h: index, %q: index, %kv: index,
                  %full_idx: tensor<?x?x?x?xi32>, %full_count: tensor<?x?x?xi32>,
                  %partial_idx: tensor<?x?x?x?xi32>, %partial_count: tensor<?x?x?xi32>) -> i1 {
  %block = arith.constant 3 : index
  %row = attn.row
  %i = arith.floordivsi %row, %block : index
  %j = arith.floordivsi %kv, %block : index
  %full = attn.member %j of %full_idx[%b, %h, %i] count %full_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %partial = attn.member %j of %partial_idx[%b, %h, %i] count %partial_count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %past = func.call @causal(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  %edge = arith.andi %partial, %past : i1
  %visible = arith.ori %full, %edge : i1
  return %visible : i1
}
attn.kernel @block_sparse(%q: !x, %k: !x, %v: !x, %full_idx: !idx, %full_count: !count,
                          %partial_idx: !idx, %partial_count: !count) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @blocks(%full_idx, %full_count, %partial_idx, %partial_count) : !idx, !count, !idx, !count
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// Packed rows.
func.func @csr(%b: index, %h: index, %q: index, %kv: index, %ends: tensor<?xi32>, %indices: tensor<?xi64>) -> i1 {
  %block = arith.constant 2 : index
  %row = attn.row
  %i = arith.floordivsi %row, %block : index
  %j = arith.floordivsi %kv, %block : index
  %visible = attn.member %j of %indices[%i] rows %ends : tensor<?xi64> rows tensor<?xi32>
  return %visible : i1
}
attn.kernel @block_csr(%q: !x, %k: !x, %v: !x, %ends: !ends, %indices: !wide) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @csr(%ends, %indices) : !ends, !wide
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// Packed rows of ranges.
func.func @packed_spans(%b: index, %h: index, %q: index, %kv: index, %ends: tensor<?xi32>, %spans: tensor<?x2xi32>) -> i1 {
  %row = attn.row
  %visible = attn.member %kv of %spans[%row] rows %ends : tensor<?x2xi32> rows tensor<?xi32>
  return %visible : i1
}
attn.kernel @span_csr(%q: !x, %k: !x, %v: !x, %ends: !ends, %spans: !pairs) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @packed_spans(%ends, %spans) : !ends, !pairs
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// A window, some columns and some diagonals, united.
func.func @stripes(%b: index, %h: index, %q: index, %kv: index,
                   %columns: tensor<?x?x?xi32>, %column_count: tensor<?x?xi32>,
                   %slashes: tensor<?x?x?xi64>, %slash_count: tensor<?x?xi64>, %window_left: index) -> i1 {
  %distance = arith.subi %q, %kv : index
  %column = attn.member %kv of %columns[%b, %h] count %column_count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %slash = attn.member %distance of %slashes[%b, %h] count %slash_count : tensor<?x?x?xi64> count tensor<?x?xi64>
  %near = func.call @sliding_window(%b, %h, %q, %kv, %window_left) : (index, index, index, index, index) -> i1
  %stripe = arith.ori %column, %slash : i1
  %any = arith.ori %stripe, %near : i1
  %past = func.call @causal(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  %visible = arith.andi %any, %past : i1
  return %visible : i1
}
attn.kernel @stripes_prefill(%q: !x, %k: !x, %v: !x, %columns: !cols, %column_count: !ncols,
                             %slashes: !far, %slash_count: !nfar, %window_left: index) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @stripes(%columns, %column_count, %slashes, %slash_count, %window_left)
       : !cols, !ncols, !far, !nfar, index
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// Every token sees the ranges that it named, and itself.
func.func @spans(%b: index, %h: index, %q: index, %kv: index, %spans: tensor<?x?x?x2xi32>, %count: tensor<?x?xi32>) -> i1 {
  %row = attn.row
  %named = attn.member %kv of %spans[%b, %row] count %count : tensor<?x?x?x2xi32> count tensor<?x?xi32>
  %past = arith.cmpi sle, %kv, %q : index
  %known = arith.andi %named, %past : i1
  %self = arith.cmpi eq, %kv, %q : index
  %visible = arith.ori %known, %self : i1
  return %visible : i1
}
attn.kernel @span_decode(%q: !x, %k: !x, %v: !x, %spans: !spans, %span_count: !nspan) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @spans(%spans, %span_count) : !spans, !nspan
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// Heads of three kinds.
func.func @kind_of_head(%b: index, %h: index, %q: index, %kv: index, %kinds: tensor<?xi32>, %first: index,
                        %blocks: tensor<?x?x?x?xi32>, %count: tensor<?x?x?xi32>) -> i1 {
  %c0 = arith.constant 0 : i32
  %c1 = arith.constant 1 : i32
  %sink_tokens = arith.constant 1 : index
  %window_left = arith.constant 2 : index
  %size = arith.constant 3 : index
  %at = arith.addi %h, %first : index
  %two = arith.constant 2 : index
  %which = arith.remsi %at, %two : index
  %kind = tensor.extract %kinds[%which] : tensor<?xi32>
  %dense = arith.cmpi eq, %kind, %c0 : i32
  %streams = arith.cmpi eq, %kind, %c1 : i32
  %near = func.call @streaming(%b, %h, %q, %kv, %sink_tokens, %window_left) : (index, index, index, index, index, index) -> i1
  %row = attn.row
  %i = arith.floordivsi %row, %size : index
  %j = arith.floordivsi %kv, %size : index
  %listed = attn.member %j of %blocks[%b, %h, %i] count %count : tensor<?x?x?x?xi32> count tensor<?x?x?xi32>
  %sparse = arith.select %streams, %near, %listed : i1
  %visible = arith.ori %dense, %sparse : i1
  return %visible : i1
}
attn.kernel @mixed_heads(%q: !x, %k: !x, %v: !x, %kinds: !kinds, %first: index, %blocks: !idx, %block_count: !count)
    -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %h = attn.mask %s by @kind_of_head(%kinds, %first, %blocks, %block_count) : !kinds, index, !idx, !count
  %m = attn.mask %h by @causal
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// The newest keys and the heavy ones.
func.func @recent_or_heavy(%b: index, %h: index, %q: index, %kv: index, %recent: index,
                           %heavy: tensor<?x?x?xi32>, %count: tensor<?x?xi32>) -> i1 {
  %age = arith.subi %q, %kv : index
  %near = arith.cmpi slt, %age, %recent : index
  %listed = attn.member %kv of %heavy[%b, %h] count %count : tensor<?x?x?xi32> count tensor<?x?xi32>
  %visible = arith.ori %near, %listed : i1
  return %visible : i1
}
attn.kernel @recent_and_heavy(%q: !x, %k: !x, %v: !x, %recent: index, %heavy: !cols, %heavy_count: !ncols)
    -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @recent_or_heavy(%recent, %heavy, %heavy_count) : index, !cols, !ncols
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}

// A list of one row, asked through a function that another one calls, about the row and about the key.
func.func @is_in(%x: index, %rows: tensor<?xi32>) -> i1 {
  %found = attn.member %x of %rows : tensor<?xi32>
  return %found : i1
}
func.func @sampled(%b: index, %h: index, %q: index, %kv: index, %rows: tensor<?xi32>) -> i1 {
  %row = attn.row
  %mine = func.call @is_in(%row, %rows) : (index, tensor<?xi32>) -> i1
  %theirs = func.call @is_in(%kv, %rows) : (index, tensor<?xi32>) -> i1
  %visible = arith.xori %mine, %theirs : i1
  return %visible : i1
}
attn.kernel @sampled_rows(%q: !x, %k: !x, %v: !x, %rows: !rows) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sampled(%rows) : !rows
  %p, %lse = attn.softmax %m -> !l
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !l
}
