// S1, S30, S41, S44: weights after softmax, their sums over queries, and the entries with the largest sums.
// RUN: %python %S/weights.py %s %t

// What a line computes is no parameter yet.
// RUN: rm -rf %t-line && %python %S/make_inputs.py %t-line sums=f32:1x2x5 q=f32:1x5x2x8 && not attnc --interpret %s --kernel chosen_keys \
// RUN:   --input sums=%t-line/sums.npy --input q=%t-line/q.npy --output o=%t-line/o.npy 2>&1 | FileCheck %s --check-prefix=LINE
// LINE: 'attn.mask' op is not supported by the interpreter with the result of a line as a parameter

!x     = tensor<?x?x2x8xf32, #attn.dims<batch, seq_q, heads, head_dim>>
!kv    = tensor<?x?x2x8xf32, #attn.dims<batch, seq_kv, heads, head_dim>>
!l     = tensor<?x?x2xf32, #attn.dims<batch, seq_q, heads>>
!boost = tensor<?x?xf32, #attn.dims<batch, seq_kv>>
!sums  = tensor<?x2x?xf32, #attn.dims<batch, heads, seq_kv>>
!three = tensor<?x2x3xf32, #attn.dims<batch, heads, distances>>
!n     = tensor<?xi32, #attn.dims<batch>>
!sink  = tensor<2xf32>
!idx   = tensor<?xi32, #attn.dims<sampled>>
!list  = tensor<?x2x?xi32, #attn.dims<batch, heads, listed>>
!few   = tensor<?x2x3xi64, #attn.dims<batch, heads, listed>>
!count = tensor<?x2xi32, #attn.dims<batch, heads>>
!wide  = tensor<?x2xi64, #attn.dims<batch, heads>>

func.func @boost(%w: f32, %b: index, %h: index, %q: index, %kv: index, %boost: tensor<?x?xf32>) -> f32 {
  %one = arith.constant 1.0 : f32
  %x = tensor.extract %boost[%b, %kv] : tensor<?x?xf32>
  %factor = arith.addf %one, %x : f32
  %y = arith.mulf %w, %factor : f32
  return %y : f32
}
// Not a factor of the weight, and not 0 for 0.
func.func @lift(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %half = arith.constant 0.5 : f32
  %s = arith.mulf %w, %w : f32
  %y = arith.addf %s, %half : f32
  return %y : f32
}
func.func @even_rows(%b: index, %h: index, %q: index, %kv: index, %step: index) -> i1 {
  %zero = arith.constant 0 : index
  %row = attn.row
  %rest = arith.remsi %row, %step : index
  %counts = arith.cmpi eq, %rest, %zero : index
  return %counts : i1
}
func.func @sampled(%b: index, %h: index, %q: index, %kv: index, %rows: tensor<?xi32>) -> i1 {
  %row = attn.row
  %counts = attn.member %row of %rows : tensor<?xi32>
  return %counts : i1
}

// In their order, and the lse stays what it was. A hidden key has no weight even where the function gives it one.
attn.kernel @reweighted(%q: !x, %k: !kv, %v: !kv, %boost: !boost, %sink: !sink) -> (o: !x, lse: !l) {
  %s = attn.scores %q, %k : !x, !kv
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m sink %sink : !sink -> !l
  %r = attn.reweight %p by @boost(%boost) : !boost
  %t = attn.reweight %r by @lift
  %o = attn.output %t, %v : !kv -> !x
  attn.return %o, %lse : !x, !l
}

// Beside an output, of what was reweighted and of what was not; sums behind a length are 0.
attn.kernel @key_sums(%q: !x, %k: !kv, %v: !kv, %lens: !n, %boost: !boost, %step: index)
    -> (o: !x, all: !sums, some: !sums, lse: !l) {
  %keys = attn.dense %k, %v[%lens] : !kv, !kv [!n]
  %s = attn.scores %q, %keys : !x, !attn.seq
  %m = attn.mask %s by @causal
  %p, %lse = attn.softmax %m -> !l
  %all = attn.sums %p per key -> !sums
  %r = attn.reweight %p by @boost(%boost) : !boost
  %some = attn.sums %r per key by @even_rows (%step : index) -> !sums
  %o = attn.output %p, %keys : !attn.seq -> !x
  attn.return %o, %all, %some, %lse : !x, !sums, !sums, !l
}

// Without an output there is an lse all the same. What is farther than the result reaches, or ahead, is left out.
attn.kernel @distance_sums(%q: !x, %k: !kv, %rows: !idx) -> (sums: !sums, near: !three, lse: !l) {
  %s = attn.scores %q, %k : !x, !kv
  %p, %lse = attn.softmax %s -> !l
  %sums = attn.sums %p per distance by @sampled (%rows : !idx) -> !sums
  %near = attn.sums %p per distance -> !three
  attn.return %sums, %near, %lse : !sums, !three, !l
}

attn.kernel @top(%sums: !sums, %k: index, %below: !n) -> (list: !list, count: !count, few: !few, number: !wide) {
  %list, %count = attn.select %sums top %k below %below : (!sums, index, !n) -> (!list, !count)
  %few, %number = attn.select %sums top %k : (!sums, index) -> (!few, !wide)
  attn.return %list, %count, %few, %number : !list, !count, !few, !wide
}
attn.kernel @covering(%sums: !sums, %share: f32, %below: !n) -> (list: !list, count: !count, few: !few, number: !wide) {
  %list, %count = attn.select %sums cover %share : (!sums, f32) -> (!list, !count)
  %few, %number = attn.select %sums cover %share below %below : (!sums, f32, !n) -> (!few, !wide)
  attn.return %list, %count, %few, %number : !list, !count, !few, !wide
}

// One kernel: which columns of a sample hold the most weight.
attn.kernel @columns(%q: !x, %k: !kv, %rows: !idx, %share: f32) -> (list: !list, count: !count) {
  %s = attn.scores %q, %k : !x, !kv
  %m = attn.mask %s by @causal
  %p = attn.softmax %m
  %sums = attn.sums %p per key by @sampled (%rows : !idx) -> !sums
  %list, %count = attn.select %sums cover %share : (!sums, f32) -> (!list, !count)
  attn.return %list, %count : !list, !count
}

func.func @chosen(%b: index, %h: index, %q: index, %kv: index, %list: tensor<?x?x?xi32>) -> i1 {
  %seen = attn.member %kv of %list[%b, %h] : tensor<?x?x?xi32>
  return %seen : i1
}
attn.kernel @chosen_keys(%sums: !sums, %q: !x) -> (o: !x) {
  %k = arith.constant 3 : index
  %list, %count = attn.select %sums top %k : (!sums, index) -> (!list, !count)
  %s = attn.scores %q, %q : !x, !x
  %m = attn.mask %s by @chosen(%list) : !list
  %p = attn.softmax %m
  %o = attn.output %p, %q : !x -> !x
  attn.return %o : !x
}
