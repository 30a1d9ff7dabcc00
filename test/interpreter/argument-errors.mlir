// Everything that is wrong with the arguments is said at once, and no file is written.
// RUN: rm -rf %t && %python %S/make_inputs.py %t q=f32:1x3x2x8 k=f32:1x5x2x8 k6=f32:1x5x6x8 v=f32:1x4x2x8 short=f32:5x2x8 \
// RUN:   ints=i32:1x5x2x8 lens=i32:1 two=i32:2
// RUN: not attnc --interpret %s --kernel f --input q=%t/ints.npy --input k=%t/k6.npy --input v=%t/short.npy \
// RUN:   --input keys=%t/k.npy --scalar lens=4 --input scale=%t/k.npy --scalar n=1.5 --output o=%t/o.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MANY
// MANY:      attnc: error: argument 'q' expects elements of f32, got i32
// MANY-NEXT: attnc: error: argument 'k' has 6 kv_heads, expected 2
// MANY-NEXT: attnc: error: argument 'v' expects 4 dimensions, got 3
// MANY-NEXT: attnc: error: argument 'lens' expects a tensor, got a number
// MANY-NEXT: attnc: error: argument 'scale' expects a number, got a tensor
// MANY-NEXT: attnc: error: argument 'n' expects a whole number, got 1.5
// MANY-NEXT: attnc: error: 'keys' is no argument of @f, which takes 'q', 'k', 'v', 'lens', 'scale', 'n'
// MANY-NOT: error

// RUN: not attnc --interpret %s --kernel f --input q=%t/q.npy --input k=%t/k.npy --input v=%t/v.npy \
// RUN:   --input lens=%t/two.npy --scalar scale=1 --scalar n=5000000000 --output o=%t/o.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SIZES
// SIZES:      attnc: error: dimension 'seq_kv' is 5 in 'k' and 4 in 'v'
// SIZES-NEXT: attnc: error: dimension 'batch' is 1 in 'q' and 2 in 'lens'
// SIZES-NEXT: attnc: error: argument 'n' expects an i32, got 5000000000
// SIZES-NOT: error

// RUN: not attnc --interpret %s --kernel f --input q=%t/q.npy --input k=%t/nothing.npy --scalar scale=fast \
// RUN:   --output p=%t/o.npy --kernel-output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=OPTIONS
// OPTIONS:      {{.*}}nothing.npy
// OPTIONS-NEXT: attnc: error: --scalar expects a number for 'scale', got 'fast'
// OPTIONS-NEXT: attnc: error: --output: 'p' is no result of @f, which has 'o'
// OPTIONS-NEXT: attnc: error: argument 'v' is missing: expects a tensor
// OPTIONS-NEXT: attnc: error: argument 'lens' is missing: expects a tensor
// OPTIONS-NEXT: attnc: error: argument 'n' is missing: expects a number
// OPTIONS-NOT: error

// RUN: not attnc --interpret %s --kernel f --rows 1,x 2>&1 | FileCheck %s --check-prefix=ROWS
// ROWS: attnc: error: --rows expects query rows from 0 with commas between, got '1,x'
// ROWS: attnc: error: expects --output NAME=FILE.npy: as called this computes nothing

// RUN: not attnc --interpret %s --kernel plain --input q=%t/q.npy --input k=%t/k.npy --rows 0,3 --output lse=%t/o.npy \
// RUN:   2>&1 | FileCheck %s --check-prefix=BEYOND
// BEYOND: 'attn.scores' op expects query rows below 3, got 3

// RUN: not attnc --interpret %s --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=WHICH
// WHICH: attnc: error: expects the name of one of the kernels @f, @plain, @switch, @short
// RUN: not attnc --interpret %s --kernel g --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=KERNEL
// KERNEL: attnc: error: expects a kernel @g, got a file with @f, @plain, @switch, @short

// Numbers and elements that no file and no option can give.
// RUN: not attnc --interpret %s --kernel switch --input q=%t/q.npy --input k=%t/k.npy --scalar on=1 --output lse=%t/o.npy \
// RUN:   2>&1 | FileCheck %s --check-prefix=SWITCH
// SWITCH: attnc: error: argument 'on' expects to be f32, i32 or index: other numbers are no arguments
// RUN: not attnc --interpret %s --kernel short --input q=%t/q.npy --input k=%t/k.npy --input t=%t/two.npy \
// RUN:   --output lse=%t/o.npy 2>&1 | FileCheck %s --check-prefix=SHORT
// SHORT: attnc: error: argument 't' expects elements of another type, got i32
// RUN: echo > %t/empty.mlir && not attnc --interpret %t/empty.mlir --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: empty.mlir:0:0: error: expects a file with a kernel, got none
// RUN: not ls %t/o.npy

!x    = tensor<?x?x2x8xf32>
!lens = tensor<?xi32>
!l    = tensor<?x?x2xf32>
func.func @before(%b: index, %h: index, %q: index, %kv: index, %n: i32) -> i1 {
  %end = arith.index_cast %n : i32 to index
  %visible = arith.cmpi slt, %kv, %end : index
  return %visible : i1
}
attn.kernel @f(%q: !x, %k: !x, %v: !x, %lens: !lens, %scale: f32, %n: i32) -> (o: !x) {
  %seq = attn.dense %k, %v[%lens] : !x, !x [!lens]
  %s = attn.scores %q, %seq scale %scale : !x, !attn.seq
  %m = attn.mask %s by @before(%n) : i32
  %p = attn.softmax %m
  %o = attn.output %p, %seq : !attn.seq -> !x
  attn.return %o : !x
}
attn.kernel @plain(%q: !x, %k: !x) -> (lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %p, %lse = attn.softmax %s -> !l
  attn.return %lse : !l
}
func.func @if(%b: index, %h: index, %q: index, %kv: index, %on: i1) -> i1 {
  return %on : i1
}
attn.kernel @switch(%q: !x, %k: !x, %on: i1) -> (lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @if(%on) : i1
  %p, %lse = attn.softmax %m -> !l
  attn.return %lse : !l
}
!t = tensor<?xi16, #attn.dims<two>>
func.func @listed(%b: index, %h: index, %q: index, %kv: index, %t: tensor<?xi16>) -> i1 {
  %x = tensor.extract %t[%b] : tensor<?xi16>
  %visible = arith.trunci %x : i16 to i1
  return %visible : i1
}
attn.kernel @short(%q: !x, %k: !x, %t: !t) -> (lse: !l) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @listed(%t) : !t
  %p, %lse = attn.softmax %m -> !l
  attn.return %lse : !l
}
