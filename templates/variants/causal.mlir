// A query sees the keys up to its own position.
func.func @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
