// SPDX-License-Identifier: Apache-2.0
// Everything that is wrong with --sizes is said at once, a sentence each.
// RUN: not attnc --explain %s --sizes batch=x,seq_q=-1,keys=512,window,batch=4,=3 2>&1 | FileCheck %s
// RUN: not attnc --explain %s 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not attnc --explain %s --sizes batch=1,seq_q=1073741824,seq_kv=99999999999999999999 2>&1 | FileCheck %s --check-prefix=LARGE
// RUN: not attnc --explain --target=sm_75 %s --sizes batch=1,seq_q=1,seq_kv=1 2>&1 | FileCheck %s --check-prefix=TARGET

// RUN: %python %S/Inputs/zeros.py %t.npy 2 3
// RUN: %python %S/Inputs/zeros.py %t.5.npy 2 5
// RUN: %python %S/Inputs/zeros.py %t.1.npy 4
// RUN: not attnc --explain %S/Inputs/ids.mlir --sizes batch=1,seq=3 --input ids=%t.npy 2>&1 | FileCheck %s --check-prefix=SIZES
// RUN: not attnc --explain %S/Inputs/ids.mlir --input ids=%t.npy --input more=%t.5.npy --input q=%t.npy 2>&1 | FileCheck %s --check-prefix=INPUTS
// RUN: not attnc --explain %S/Inputs/ids.mlir --sizes batch=1,seq=4 --input ids=%t.1.npy 2>&1 | FileCheck %s --check-prefix=SHAPE

// SIZES: error: expects 'batch' in --sizes to be 2 as in --input, got 1
// SIZES-NOT: {{.}}
// INPUTS: error: expects one size for 'seq' in --input, got 3 and 5
// INPUTS-NEXT: error: expects --input for tensors of integers that a kernel has, got 'q'
// INPUTS-NOT: {{.}}
// SHAPE: error: expects integers of the shape of 'ids' in --input, got i32 (4)
// SHAPE-NOT: {{.}}

// CHECK: error: expects a number for 'batch' in --sizes, got 'x'
// CHECK-NEXT: error: expects 'seq_q' in --sizes to be at least 0 and below 2^30, got -1
// CHECK-NEXT: error: expects in --sizes batch, seq_q, seq_kv, window, got 'keys'
// CHECK-NEXT: error: expects NAME=NUMBER in --sizes, got 'window'
// CHECK-NEXT: error: expects 'batch' in --sizes once, got it twice
// CHECK-NEXT: error: expects NAME=NUMBER in --sizes, got '=3'
// CHECK-NEXT: error: expects 'seq_kv' in --sizes, which is bound at launch
// CHECK-NOT: {{.}}

// NONE: error: expects 'batch' in --sizes, which is bound at launch
// NONE-NEXT: error: expects 'seq_q' in --sizes, which is bound at launch
// NONE-NEXT: error: expects 'seq_kv' in --sizes, which is bound at launch
// NONE-NOT: {{.}}

// LARGE: error: expects 'seq_q' in --sizes to be at least 0 and below 2^30, got 1073741824
// LARGE-NEXT: error: expects a number for 'seq_kv' in --sizes, got '99999999999999999999'
// LARGE-NOT: {{.}}

// TARGET: error: unknown target 'sm_75', expects one of sm_80, sm_86, sm_89, sm_90, sm_90a

!x = tensor<?x?x2x64xf16>
attn.kernel @window(%q: !x, %k: !x, %v: !x, %window: index) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %m = attn.mask %s by @sliding_window(%window) : index
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
