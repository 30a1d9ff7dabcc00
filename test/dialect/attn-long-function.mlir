// Functions that call one another twice double: thirteen of them are more than a kernel can hold in place.
// RUN: attn-opt %s -verify-diagnostics

!x = tensor<?x?x1x64xf16>
func.func @g0(%x: index) -> index {
  return %x : index
}
func.func @g1(%x: index) -> index {
  %a = func.call @g0(%x) : (index) -> index
  %c = func.call @g0(%a) : (index) -> index
  return %c : index
}
func.func @g2(%x: index) -> index {
  %a = func.call @g1(%x) : (index) -> index
  %c = func.call @g1(%a) : (index) -> index
  return %c : index
}
func.func @g3(%x: index) -> index {
  %a = func.call @g2(%x) : (index) -> index
  %c = func.call @g2(%a) : (index) -> index
  return %c : index
}
func.func @g4(%x: index) -> index {
  %a = func.call @g3(%x) : (index) -> index
  %c = func.call @g3(%a) : (index) -> index
  return %c : index
}
func.func @g5(%x: index) -> index {
  %a = func.call @g4(%x) : (index) -> index
  %c = func.call @g4(%a) : (index) -> index
  return %c : index
}
func.func @g6(%x: index) -> index {
  %a = func.call @g5(%x) : (index) -> index
  %c = func.call @g5(%a) : (index) -> index
  return %c : index
}
func.func @g7(%x: index) -> index {
  %a = func.call @g6(%x) : (index) -> index
  %c = func.call @g6(%a) : (index) -> index
  return %c : index
}
func.func @g8(%x: index) -> index {
  %a = func.call @g7(%x) : (index) -> index
  %c = func.call @g7(%a) : (index) -> index
  return %c : index
}
func.func @g9(%x: index) -> index {
  %a = func.call @g8(%x) : (index) -> index
  %c = func.call @g8(%a) : (index) -> index
  return %c : index
}
func.func @g10(%x: index) -> index {
  %a = func.call @g9(%x) : (index) -> index
  %c = func.call @g9(%a) : (index) -> index
  return %c : index
}
func.func @g11(%x: index) -> index {
  %a = func.call @g10(%x) : (index) -> index
  %c = func.call @g10(%a) : (index) -> index
  return %c : index
}
func.func @g12(%x: index) -> index {
  %a = func.call @g11(%x) : (index) -> index
  %c = func.call @g11(%a) : (index) -> index
  return %c : index
}
// expected-note @below {{the function is here}}
func.func @visible(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %x = func.call @g12(%q) : (index) -> index
  %r = arith.cmpi sge, %x, %kv : index
  return %r : i1
}
attn.kernel @k(%q: !x, %k: !x, %v: !x) -> (o: !x) {
  %s = attn.scores %q, %k : !x, !x
  // expected-error @below {{'attn.mask' op expects a function of at most 4096 operations once its calls are put in place, got more in @visible}}
  %m = attn.mask %s by @visible
  %p = attn.softmax %m
  %o = attn.output %p, %v : !x -> !x
  attn.return %o : !x
}
