// A query sees the keys of its own chunk of `chunk` positions, before and after it.
func.func @same_chunk(%b: index, %h: index, %q: index, %kv: index, %chunk: index) -> i1 {
  %mine = arith.floordivsi %q, %chunk : index
  %theirs = arith.floordivsi %kv, %chunk : index
  %visible = arith.cmpi eq, %mine, %theirs : index
  return %visible : i1
}
