// The first prefix_lens[b] keys are seen by every query, the others by queries at or behind them.
func.func @prefix_lm(%b: index, %h: index, %q: index, %kv: index, %prefix_lens: tensor<?xi32>) -> i1 {
  %length = tensor.extract %prefix_lens[%b] : tensor<?xi32>
  %end = arith.index_cast %length : i32 to index
  %prefix = arith.cmpi slt, %kv, %end : index
  %past = arith.cmpi sle, %kv, %q : index
  %visible = arith.ori %prefix, %past : i1
  return %visible : i1
}
