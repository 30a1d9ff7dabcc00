// Which functions of a weight are factors, however they multiply it by what does not depend on it: keys are walked once for
// them. All others see the weight that softmax gives, so that its row's statistics must be known.
// RUN: attn-opt %s --choose-schedule --convert-attn-to-tile -split-input-file | FileCheck %s

// CHECK-NOT: _statistics
!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
attn.kernel @with_itself(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @itself
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @itself(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  return %w : f32
}
attn.kernel @with_nothing(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @nothing
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @nothing(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %zero = arith.constant 0.0 : f32
  return %zero : f32
}
attn.kernel @with_products(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @products
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @products(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %x = arith.mulf %f, %w : f32
  %y = arith.negf %x : f32
  %z = arith.divf %y, %f : f32
  return %z : f32
}
attn.kernel @with_sums(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @sums
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @sums(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %x = arith.mulf %f, %w : f32
  %zero = arith.constant 0.0 : f32
  %y = arith.subf %x, %zero : f32
  %z = arith.addf %y, %w : f32
  return %z : f32
}
attn.kernel @with_choices(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @choices
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @choices(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant 2.0 : f32
  %first = arith.constant 0 : index
  %at = arith.cmpi eq, %kv, %first : index
  %twice = arith.mulf %w, %two : f32
  %a = arith.select %at, %twice, %w : f32
  %b0 = arith.select %at, %zero, %a : f32
  return %b0 : f32
}
func.func @scaled(%x: f32, %y: f32) -> f32 {
  %z = arith.mulf %x, %y : f32
  return %z : f32
}
attn.kernel @with_calls(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @calls
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @calls(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %x = func.call @scaled(%w, %f) : (f32, f32) -> f32
  %y = func.call @scaled(%f, %x) : (f32, f32) -> f32
  return %y : f32
}
}

// -----

!x = tensor<?x?x8x128xbf16>
module attributes {attn.target = {chip = "sm_80"}} {
// CHECK: func.func @with_squared_statistics(
// CHECK: func.func @with_squared(
attn.kernel @with_squared(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @squared
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @squared(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %y = arith.mulf %w, %w : f32
  return %y : f32
}
// CHECK: func.func @with_inverse_statistics(
// CHECK: func.func @with_inverse(
attn.kernel @with_inverse(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @inverse
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @inverse(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %y = arith.divf %f, %w : f32
  return %y : f32
}
// CHECK: func.func @with_lifted_statistics(
// CHECK: func.func @with_lifted(
attn.kernel @with_lifted(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @lifted
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @lifted(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %y = arith.addf %w, %f : f32
  return %y : f32
}
// CHECK: func.func @with_capped_statistics(
// CHECK: func.func @with_capped(
attn.kernel @with_capped(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @capped
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @capped(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %y = arith.minimumf %w, %f : f32
  return %y : f32
}
// CHECK: func.func @with_constant_statistics(
// CHECK: func.func @with_constant(
attn.kernel @with_constant(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @constant
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @constant(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  return %f : f32
}
// CHECK: func.func @with_rest_statistics(
// CHECK: func.func @with_rest(
attn.kernel @with_rest(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @rest
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @rest(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %zero = arith.constant 0.0 : f32
  %small = arith.cmpf olt, %w, %zero : f32
  %y = arith.select %small, %zero, %w : f32
  return %y : f32
}
// CHECK: func.func @with_other_statistics(
// CHECK: func.func @with_other(
attn.kernel @with_other(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @other
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @other(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %i = arith.index_cast %kv : index to i32
  %f = arith.sitofp %i : i32 to f32
  %first = arith.constant 0 : index
  %at = arith.cmpi eq, %kv, %first : index
  %y = arith.select %at, %f, %w : f32
  return %y : f32
}
func.func @product(%x: f32, %y: f32) -> f32 {
  %z = arith.mulf %x, %y : f32
  return %z : f32
}
// CHECK: func.func @with_called_statistics(
// CHECK: func.func @with_called(
attn.kernel @with_called(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  %p = attn.softmax %s
  %r = attn.reweight %p by @called
  %o = attn.output %r, %v : !x -> !x
  attn.return %o : !x
}
func.func @called(%w: f32, %b: index, %h: index, %q: index, %kv: index) -> f32 {
  %y = func.call @product(%w, %w) : (f32, f32) -> f32
  return %y : f32
}
}
