// S31, S33: a row that a list, its counts or its row ends do not have is an error; so is one that a mask hides.
// RUN: rm -rf %t && %python %S/make_inputs.py %t q=f32:1x3x2x8 k=f32:1x5x2x8 list=i32:4x2 count=i32:2 more=i32:5 ends=i32:4 one=i32:1
// RUN: not attnc --interpret %s --kernel beyond --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input list=%t/list.npy --input count=%t/more.npy --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=BEYOND
// RUN: not attnc --interpret %s --kernel beyond --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input list=%t/list.npy --input count=%t/count.npy --output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=COUNT
// RUN: not attnc --interpret %s --kernel packed --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input list=%t/more.npy --input ends=%t/ends.npy --kernel-output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=ENDS
// RUN: not attnc --interpret %s --kernel packed --input q=%t/q.npy --input k=%t/k.npy --input v=%t/k.npy \
// RUN:   --input list=%t/more.npy --input ends=%t/one.npy --kernel-output o=%t/o.npy 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not ls %t/o.npy

!x     = tensor<?x?x2x8xf32>
!list  = tensor<?x?xi32, #attn.dims<rows, listed>>
!flat  = tensor<?xi32, #attn.dims<entries>>
!count = tensor<?xi32, #attn.dims<counted>>

// The first query stands at position 2, where all keys behind it are hidden.
// BEYOND: attnc: error: {{.*}}list-errors.mlir:[[#@LINE+4]]:8: 'attn.member' op in @listed expects a row of 'list' of shape
// BEYOND-SAME: [4], got [4] for batch 0, head 0, query row 0 and key entry 4
// COUNT: 'attn.member' op in @listed expects a row of 'count' of shape [2], got [2] for batch 0, head 0, query row 0 and key
func.func @listed(%b: index, %h: index, %q: index, %kv: index, %list: tensor<?x?xi32>, %count: tensor<?xi32>) -> i1 {
  %x = attn.member %q of %list[%kv] count %count : tensor<?x?xi32> count tensor<?xi32>
  return %x : i1
}
attn.kernel @beyond(%q: !x, %k: !x, %v: !x, %list: !list, %count: !count) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %c = attn.mask %s by @causal
  %m = attn.mask %c by @listed(%list, %count) : !list, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// ENDS: 'attn.member' op in @packed_rows expects a row of 'ends' of shape [3], got [-1] for batch 0, head 0, query row 0
// ENDS-SAME: and key entry 3
// NONE: expects a row of 'ends' of shape [0], got [2] for batch 0, head 0, query row 0 and key entry 0
func.func @packed_rows(%b: index, %h: index, %q: index, %kv: index, %list: tensor<?xi32>, %ends: tensor<?xi32>) -> i1 {
  %row = arith.subi %q, %kv : index
  %x = attn.member %q of %list[%row] rows %ends : tensor<?xi32> rows tensor<?xi32>
  return %x : i1
}
attn.kernel @packed(%q: !x, %k: !x, %v: !x, %list: !flat, %ends: !count) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @packed_rows(%list, %ends) : !flat, !count
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
