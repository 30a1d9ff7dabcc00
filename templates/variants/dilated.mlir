// A query sees the keys whose distance to it is a multiple of `step`, before and after it.
func.func @dilated(%b: index, %h: index, %q: index, %kv: index, %step: index) -> i1 {
  %zero = arith.constant 0 : index
  %distance = arith.subi %q, %kv : index
  %rest = arith.remsi %distance, %step : index
  %visible = arith.cmpi eq, %rest, %zero : index
  return %visible : i1
}
