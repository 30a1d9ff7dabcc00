// S31: a load outside its tensor is an error for every pair that exists, also for one that a mask hides or a select
// drops; a division by zero is one too. Both name the function, the operation and its place.
// RUN: rm -rf %t && %python %S/make_inputs.py %t q=f32:1x3x2x8 k=f32:1x5x2x8 table=i32:3 zeros=i32:1 cache=f32:1x4x3x2 ends=i32:2
// RUN: not attnc --interpret %s --kernel beyond --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input table=%t/table.npy --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=BEYOND
// RUN: not attnc --interpret %s --kernel hidden --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input table=%t/table.npy --kernel-output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=HIDDEN
// RUN: not attnc --interpret %s --kernel divides --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --scalar block=0 --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=DIVIDES
// RUN: not attnc --interpret %s --kernel unknown --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not attnc --interpret %s --kernel bits --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not attnc --interpret %s --kernel tiny --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=TINY
// RUN: not attnc --interpret %s --kernel keeps --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input cache=%t/cache.npy --input ends=%t/ends.npy --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=KEEPS
// RUN: attnc --interpret %s --kernel passed_on --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input table=%t/table.npy --output o=%t/p.npy
// RUN: attnc --interpret %s --kernel direct --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input table=%t/table.npy --output o=%t/d.npy && cmp %t/p.npy %t/d.npy
// RUN: not ls %t/o.npy

!x     = tensor<?x?x2x8xf32>
!table = tensor<?xi32, #attn.dims<entries>>

// BEYOND: attnc: error: {{.*}}function-errors.mlir:[[#@LINE+4]]:8: 'tensor.extract' op in @listed expects an index inside
// BEYOND-SAME: 'table' of shape [3], got [3] for batch 0, head 0, query row 0 and key entry 3
func.func @listed(%b: index, %h: index, %q: index, %kv: index, %table: tensor<?xi32>) -> i1 {
  %one = arith.constant 1 : i32
  %x = tensor.extract %table[%kv] : tensor<?xi32>
  %visible = arith.cmpi eq, %x, %one : i32
  return %visible : i1
}
attn.kernel @beyond(%q: !x, %k: !x, %v: !x, %table: !table) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @listed(%table) : !table
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// Keys 3 and 4 are hidden, and what the function would load for them lies before the table.
// HIDDEN: 'tensor.extract' op in @behind expects an index inside 'table' of shape [3], got [-2] for batch 0, head 0,
// HIDDEN-SAME: query row 0 and key entry 3
func.func @behind(%score: f32, %b: index, %h: index, %q: index, %kv: index, %table: tensor<?xi32>) -> f32 {
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %far = arith.cmpi slt, %kv, %three : index
  %other = arith.subi %three, %kv : index
  %at = arith.subi %other, %two : index
  %safe = arith.select %far, %two, %at : index
  %x = tensor.extract %table[%safe] : tensor<?xi32>
  %f = arith.sitofp %x : i32 to f32
  %y = arith.addf %score, %f : f32
  return %y : f32
}
func.func @first_three(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %three = arith.constant 3 : index
  %visible = arith.cmpi slt, %kv, %three : index
  return %visible : i1
}
attn.kernel @hidden(%q: !x, %k: !x, %v: !x, %table: !table) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @first_three
  %t = attn.modify %m by @behind(%table) : !table
  %p = attn.softmax %t
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// DIVIDES: attnc: error: {{.*}}function-errors.mlir:[[#@LINE+3]]:8: 'arith.floordivsi' op in @part expects a divisor other
// DIVIDES-SAME: than 0 for batch 0, head 0, query row 0 and key entry 0
func.func @part(%q: index, %block: index) -> index {
  %i = arith.floordivsi %q, %block : index
  return %i : index
}
func.func @same_part(%b: index, %h: index, %q: index, %kv: index, %block: index) -> i1 {
  %i = func.call @part(%q, %block) : (index, index) -> index
  %j = func.call @part(%kv, %block) : (index, index) -> index
  %visible = arith.cmpi eq, %i, %j : index
  return %visible : i1
}
attn.kernel @divides(%q: !x, %k: !x, %v: !x, %block: index) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @same_part(%block) : index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// UNKNOWN: error: {{.*}}:[[#@LINE+3]]:11: 'arith.extsi' op is not supported by the interpreter for type i128
func.func @wide(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %i = arith.index_cast %q : index to i64
  %wide = arith.extsi %i : i64 to i128
  %zero = arith.constant 0 : i128
  %visible = arith.cmpi sge, %wide, %zero : i128
  return %visible : i1
}
attn.kernel @unknown(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @wide
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// Two 16-bit floats of the same bits are different numbers.
// BITS: error: {{.*}}:[[#@LINE+3]]:8: 'arith.bitcast' op is not supported by the interpreter between two float types
func.func @other_type(%s: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %x = arith.truncf %s : f32 to f16
  %y = arith.bitcast %x : f16 to bf16
  %z = arith.extf %y : bf16 to f32
  return %z : f32
}
attn.kernel @bits(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.modify %s by @other_type
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// TINY: error: {{.*}}:[[#@LINE+5]]:8: 'attn.output' op is not supported by the interpreter for elements of f8E4M3FN
!tiny = tensor<?x?x2x8xf8E4M3FN>
attn.kernel @tiny(%q: !x, %k: !x, %v: !x) -> (o: !tiny) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %o = attn.output %p, %v : !x -> !tiny
  attn.return %o : !tiny
}

// KEEPS: error: {{.*}}:[[#@LINE+7]]:10: 'attn.ragged' op expects arguments of the kernel, or results of lines before
!n    = tensor<?xi32>
!few  = tensor<?x?x3x2xf32, #attn.dims<kept, places, three, two>>
!same = tensor<?x3x2xf32, #attn.dims<batch, seq_q, heads>>
attn.kernel @keeps(%q: !x, %k: !x, %v: !x, %cache: !few, %ends: !n) -> (o: !x, lse: !same) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !same
  %new = attn.ragged %lse[%ends] : !same [!n]
  %to = attn.dense %cache : !few
  attn.append %new to %to : !attn.seq
  %o = attn.output %p, %v : !x -> !x
  attn.return %o, %lse : !x, !same
}

// A tensor that a function gives back is the one that it was given.
func.func @same(%table: tensor<?xi32>) -> tensor<?xi32> {
  return %table : tensor<?xi32>
}
func.func @through(%b: index, %h: index, %q: index, %kv: index, %table: tensor<?xi32>) -> i1 {
  %t = func.call @same(%table) : (tensor<?xi32>) -> tensor<?xi32>
  %x = tensor.extract %t[%q] : tensor<?xi32>
  %i = arith.index_cast %x : i32 to index
  %visible = arith.cmpi sle, %i, %kv : index
  return %visible : i1
}
func.func @straight(%b: index, %h: index, %q: index, %kv: index, %table: tensor<?xi32>) -> i1 {
  %x = tensor.extract %table[%q] : tensor<?xi32>
  %i = arith.index_cast %x : i32 to index
  %visible = arith.cmpi sle, %i, %kv : index
  return %visible : i1
}
attn.kernel @passed_on(%q: !x, %k: !x, %v: !x, %table: !table) -> (o: !x) {
  %s = attn.scores %q, %k align start : !x, !x
  %m = attn.mask %s by @through(%table) : !table
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
attn.kernel @direct(%q: !x, %k: !x, %v: !x, %table: !table) -> (o: !x) {
  %s = attn.scores %q, %k align start : !x, !x
  %m = attn.mask %s by @straight(%table) : !table
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
