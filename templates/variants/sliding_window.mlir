// A query sees its own position and the `window_left` positions before it: window_left + 1 keys.
func.func @sliding_window(%b: index, %h: index, %q: index, %kv: index, %window_left: index) -> i1 {
  %zero = arith.constant 0 : index
  %age = arith.subi %q, %kv : index
  %past = arith.cmpi sge, %age, %zero : index
  %near = arith.cmpi sle, %age, %window_left : index
  %visible = arith.andi %past, %near : i1
  return %visible : i1
}
