// Queries and keys in blocks of `block`: a block sees itself and the blocks whose number differs from its own in one bit.
func.func @butterfly(%b: index, %h: index, %q: index, %kv: index, %block: index) -> i1 {
  %one = arith.constant 1 : index
  %i = arith.floordivsi %q, %block : index
  %j = arith.floordivsi %kv, %block : index
  %differ = arith.xori %i, %j : index
  %bits = math.ctpop %differ : index
  %visible = arith.cmpi sle, %bits, %one : index
  return %visible : i1
}
