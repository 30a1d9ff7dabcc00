// A query sees the first `sink_tokens` keys as far as they are past, and a sliding window.
func.func private @causal(index, index, index, index) -> i1
func.func private @sliding_window(index, index, index, index, index) -> i1
func.func @streaming(%b: index, %h: index, %q: index, %kv: index, %sink_tokens: index, %window_left: index) -> i1 {
  %early = arith.cmpi slt, %kv, %sink_tokens : index
  %past = func.call @causal(%b, %h, %q, %kv) : (index, index, index, index) -> i1
  %sink = arith.andi %early, %past : i1
  %near = func.call @sliding_window(%b, %h, %q, %kv, %window_left) : (index, index, index, index, index) -> i1
  %visible = arith.ori %sink, %near : i1
  return %visible : i1
}
