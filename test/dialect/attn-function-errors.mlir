// The rules of score and mask functions.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @sorted_floats(%b: index, %h: index, %q: index, %kv: index, %x: tensor<?xf32>) -> i1 {
  // expected-error @below {{'tensor.extract' op expects 'attn.sorted' on a tensor.extract from integers only}}
  %y = tensor.extract %x[%kv] {attn.sorted} : tensor<?xf32>
  %visible = arith.constant true
  return %visible : i1
}

// -----

func.func @sorted_downwards(%b: index, %h: index, %q: index, %kv: index, %x: tensor<?xi32>) -> i1 {
  // expected-error @below {{'tensor.extract' op expects 'attn.sorted' without a value, got "down"}}
  %y = tensor.extract %x[%kv] {attn.sorted = "down"} : tensor<?xi32>
  %visible = arith.constant true
  return %visible : i1
}

// -----

!x = tensor<?x?x8x64xf16>
!n = tensor<?xi32, #attn.dims<batch>>
// expected-note @below {{the function is here}}
func.func @late(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %y = arith.cmpi sgt, %kv, %q : index
  return %y : i1
}
// expected-note @below {{the function is here}}
func.func @bias(%score: f32, %b: index, %h: index, %q: index, %kv: index, %x: tensor<16xf32>) -> f32 {
  return %score : f32
}
attn.kernel @signature(%q: !x, %k: !x, %v: !x, %n: !n, %x: tensor<8xf32>) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.mask' op expects @late to be '(index, index, index, index, tensor<?xi32, #attn.dims<batch>>) -> i1' (b, h, q, kv, then the parameters given here), got '(index, index, index, index) -> i1'}}
  %m = attn.mask %s by @late(%n) : !n
  // expected-error @below {{'attn.modify' op expects @bias to be '(f32, index, index, index, index, tensor<8xf32>) -> f32' (score, b, h, q, kv, then the parameters given here), got '(f32, index, index, index, index, tensor<16xf32>) -> f32'}}
  %a = attn.modify %m by @bias(%x) : tensor<8xf32>
  %p = attn.softmax %a
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
// expected-note @below {{it is here}}
attn.kernel @itself(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.mask' op expects @itself to be a func.func, got 'attn.kernel'}}
  %m = attn.mask %s by @itself
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
func.func @inner(%q: index, %kv: index) -> i1 {
  // expected-error @below {{'arith.constant' op expects scalars in a score or mask function, got 'tensor<4xi32>'}}
  %t = arith.constant dense<0> : tensor<4xi32>
  %y = arith.cmpi sgt, %kv, %q : index
  return %y : i1
}
func.func @makes(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error @below {{'scf.for' op is not allowed in a score or mask function: expects arith, math, tensor.extract, func.call, attn.member, attn.row and attn.column only}}
  scf.for %i = %zero to %kv step %one {
    // expected-error @below {{'scf.yield' op is not allowed in a score or mask function: expects arith, math, tensor.extract, func.call, attn.member, attn.row and attn.column only}}
    scf.yield
  }
  %y = func.call @inner(%q, %kv) : (index, index) -> i1
  return %y : i1
}
attn.kernel @body(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-note @below {{@makes is used here}}
  // expected-note @below {{@inner is used here}}
  %m = attn.mask %s by @makes
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

!x = tensor<?x?x8x64xf16>
func.func @f(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %y = func.call @g(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  return %y : i1
}
func.func @g(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %y = func.call @f(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  return %y : i1
}
attn.kernel @recursion(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.mask' op expects functions that do not call themselves, got @f -> @g -> @f}}
  %m = attn.mask %s by @f
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}

// -----

func.func @float_list(%kv: index, %list: tensor<?xf32>) -> i1 {
  // expected-error @below {{'attn.member' op expects lists of i32 or i64, got 'f32'}}
  %y = attn.member %kv of %list : tensor<?xf32>
  return %y : i1
}

// -----

func.func @count_and_rows(%r: index, %kv: index, %list: tensor<?xi32>) -> i1 {
  // expected-error @below {{'attn.member' op expects count or rows, got both}}
  %y = attn.member %kv of %list[%r] count %list rows %list : tensor<?xi32> count tensor<?xi32> rows tensor<?xi32>
  return %y : i1
}

// -----

func.func @packed(%kv: index, %list: tensor<?xi32>) -> i1 {
  // expected-error @below {{'attn.member' op expects one row index, row ends of rank 1, and a list of numbers or of ranges, got 0 indices, 'tensor<?xi32>' and 'tensor<?xi32>'}}
  %y = attn.member %kv of %list rows %list : tensor<?xi32> rows tensor<?xi32>
  return %y : i1
}

// -----

func.func @indices(%b: index, %h: index, %q: index, %kv: index, %list: tensor<?x?x?xi32>) -> i1 {
  // expected-error @below {{'attn.member' op expects 2 row indices for a list of numbers, or 1 and a last dimension of 2 for a list of ranges, got 3 and 'tensor<?x?x?xi32>'}}
  %y = attn.member %kv of %list[%b, %h, %q] : tensor<?x?x?xi32>
  return %y : i1
}

// -----

func.func @count(%b: index, %kv: index, %list: tensor<?x?xi32>, %count: tensor<?x?xi32>) -> i1 {
  // expected-error @below {{'attn.member' op expects one count per row, of rank 1, got 'tensor<?x?xi32>'}}
  %y = attn.member %kv of %list[%b] count %count : tensor<?x?xi32> count tensor<?x?xi32>
  return %y : i1
}

// -----

// A block that nothing reaches is one too many.
!x = tensor<?x?x8x64xf16>
func.func @two_blocks(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %true = arith.constant true
  return %true : i1
^unreachable:
  return %true : i1
}
func.func @rounds(%s: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %same = arith.truncf %s to_nearest_even : f32 to f16
  // expected-error @below {{'arith.truncf' op expects to round to nearest even, got upward}}
  %x = arith.truncf %s upward : f32 to f16
  %y = arith.addf %same, %x : f16
  %z = arith.extf %y : f16 to f32
  return %z : f32
}
attn.kernel @blocks_and_rounding(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-note @below {{@rounds is used here}}
  %r = attn.modify %s by @rounds
  // expected-error @below {{'attn.mask' op expects functions of one block, got @two_blocks}}
  %m = attn.mask %r by @two_blocks
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
