// A query sees its own position, the `left` positions before it and the `right` positions after it.
func.func @band(%b: index, %h: index, %q: index, %kv: index, %left: index, %right: index) -> i1 {
  %zero = arith.constant 0 : index
  %distance = arith.subi %kv, %q : index
  %first = arith.subi %zero, %left : index
  %late_enough = arith.cmpi sge, %distance, %first : index
  %early_enough = arith.cmpi sle, %distance, %right : index
  %visible = arith.andi %late_enough, %early_enough : i1
  return %visible : i1
}
