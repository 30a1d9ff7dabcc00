// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view_qk  = !tile.view<128 x bf16>
!view_v   = !tile.view<128 x bf16>
!view_out = !tile.view<128 x bf16>
!view_lse = !tile.view<1 x f32>
!view_part = !tile.view<128 x f32>
!q        = tensor<128x128xbf16>        // block_q rows of head_dim
!k        = tensor<64x128xbf16>         // block_kv rows of head_dim
!v        = tensor<64x128xbf16>         // block_kv rows of the values' head_dim
!scores   = tensor<128x64xf32>
!probs    = tensor<128x64xbf16>
!acc      = tensor<128x128xf32>
!rows     = tensor<128xf32>             // one value per query row
!flags    = tensor<128xi1>
#step         = 64                      // block_kv
#to_exp2      = dense<0.127517432> : !scores    // what makes a score an exponent of two: scale * log2(e)
#to_exp2_rows = dense<0.127517432> : !rows
#to_exp_rows  = dense<0.0883883461> : !rows     // the same for an exponent of e: scale

// The whole of a row: what is kept of it becomes its output and lse.
func.func @forward(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk, %values: !view_v,
                   %output: !view_out, %lse: !view_lse) {
  %acc, %m, %l = func.call @attend(%row, %from, %to, %query, %keys, %values)
      : (index, index, index, !view_qk, !view_qk, !view_v) -> (!acc, !rows, !rows)
  %o, %lse_o = func.call @finish(%acc, %m, %l) : (!acc, !rows, !rows) -> (!acc, !rows)
  tile.store %o, %output[%row] : !acc, !view_out
  tile.store %lse_o, %lse[%row] : !rows, !view_lse
  return
}

// A share of a row's keys: all that is kept is left to the merge as it is. Of a maximum and a sum the merge knows weights
// as exactly as this loop does, at any size of scores; of their logarithm it would not. A share without keys leaves
// (0, lowest, 0), which weighs nothing. Row %at of what is left is row %row of the queries.
func.func @forward_partial(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk, %values: !view_v,
                           %at: index, %outputs: !view_part, %maxima: !view_lse, %sums: !view_lse) {
  %acc, %m, %l = func.call @attend(%row, %from, %to, %query, %keys, %values)
      : (index, index, index, !view_qk, !view_qk, !view_v) -> (!acc, !rows, !rows)
  tile.store %acc, %outputs[%at] : !acc, !view_part
  tile.store %m, %maxima[%at] : !rows, !view_lse
  tile.store %l, %sums[%at] : !rows, !view_lse
  return
}

// FlashAttention-2, Algorithm 1: this program owns rows of queries, walks the keys it may see once, and keeps for each
// row a maximum m, a sum l and an output acc, which it rescales whenever the maximum grows. The maximum is subtracted
// before the scale is applied, not in one multiply-add with it: the weight of the largest score is then exactly 1, at any
// size of scores. Rounded to 16 bits and divided by its own sum, a weight of 1 + 2^-10 would not give the value back.
func.func private @attend(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk, %values: !view_v)
    -> (!acc, !rows, !rows) {
  %to_exp2 = arith.constant #to_exp2
  %lowest = arith.constant dense<-3.40282347E+38> : !rows
  %no_acc = arith.constant dense<0.0> : !acc
  %no_sum = arith.constant dense<0.0> : !rows

  %q = tile.load %query[%row] : !view_qk -> !q

  %acc, %m, %l = tile.walk %col in %keys[%from to %to] step #step
      iter_args(%acc_i = %no_acc, %m_i = %lowest, %l_i = %no_sum) : !view_qk -> (!acc, !rows, !rows) {
    %k = tile.load %keys[%col] : !view_qk -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !scores
    %v = tile.load %values[%col] : !view_v -> !v
    %mod = tile.apply @score to %raw rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk
    %s = tile.mask %mod by [@visible, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view_qk, !view_qk

    %m_n = tile.reduce max %s into %m_i : !scores, !rows
    %m_b = tile.broadcast %m_n : !rows -> !scores
    %d = arith.subf %s, %m_b : !scores
    %x = arith.mulf %d, %to_exp2 : !scores
    %p = math.exp2 %x : !scores

    %alpha = func.call @shrink(%m_i, %m_n) : (!rows, !rows) -> !rows
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !scores, !rows
    %w = tile.apply @reweigh to %p rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk

    %alpha_b = tile.broadcast %alpha : !rows -> !acc
    %acc_s = arith.mulf %acc_i, %alpha_b : !acc
    %p_lo = arith.truncf %w : !scores to !probs
    %acc_n = tile.dot %p_lo, %v into %acc_s : !acc, !probs, !v -> !acc
    tile.yield %acc_n, %m_n, %l_n : !acc, !rows, !rows
  }
  return %acc, %m, %l : !acc, !rows, !rows
}

// The factor by which what was summed before shrinks when the maximum grows. The lowest finite number stands for "no key
// yet", so that no line needs a guard: the difference of two such is 0, and to a real maximum it is huge.
func.func private @shrink(%m_old: !rows, %m_new: !rows) -> !rows {
  %to_exp2 = arith.constant #to_exp2_rows
  %grown = arith.subf %m_old, %m_new : !rows
  %grown_2 = arith.mulf %grown, %to_exp2 : !rows
  %alpha = math.exp2 %grown_2 : !rows
  return %alpha : !rows
}

// Output and natural-logarithm lse. A row that saw no key has l = 0 and acc = 0: it ends as 0 and -inf. A large maximum
// is rounded as rarely as can be: its own scale, then the sum.
func.func private @finish(%acc: !acc, %m: !rows, %l: !rows) -> (!acc, !rows) {
  %to_exp = arith.constant #to_exp_rows
  %one = arith.constant dense<1.0> : !rows
  %none = arith.constant dense<0.0> : !rows
  %ln2 = arith.constant dense<0.693147182> : !rows
  %seen = arith.cmpf ogt, %l, %none : !rows
  %l_1 = arith.select %seen, %l, %one : !flags, !rows
  %inverse = arith.divf %one, %l_1 : !rows
  %inverse_b = tile.broadcast %inverse : !rows -> !acc
  %o = arith.mulf %acc, %inverse_b : !acc
  %m_e = arith.mulf %m, %to_exp : !rows
  %l_2 = math.log2 %l : !rows
  %lse = math.fma %l_2, %ln2, %m_e : !rows
  return %o, %lse : !acc, !rows
}

// The same with a logit per row that takes weight from every key and has no value: a merge with (0, sink).
func.func private @finish_with_sink(%acc: !acc, %m: !rows, %l: !rows, %sink: !rows) -> (!acc, !rows) {
  %to_exp = arith.constant #to_exp_rows
  %log2e = arith.constant dense<1.44269502> : !rows
  %lowest = arith.constant dense<-3.40282347E+38> : !rows
  %one = arith.constant dense<1.0> : !rows
  %none = arith.constant dense<0.0> : !rows
  %ln2 = arith.constant dense<0.693147182> : !rows
  %m_e = arith.mulf %m, %to_exp : !rows
  %keys = arith.maximumf %m_e, %lowest : !rows
  %max = arith.maximumf %keys, %sink : !rows
  %d_keys = arith.subf %keys, %max : !rows
  %x_keys = arith.mulf %d_keys, %log2e : !rows
  %w_keys = math.exp2 %x_keys : !rows
  %d_sink = arith.subf %sink, %max : !rows
  %x_sink = arith.mulf %d_sink, %log2e : !rows
  %w_sink = math.exp2 %x_sink : !rows
  %l_keys = arith.mulf %l, %w_keys : !rows
  %l_all = arith.addf %l_keys, %w_sink : !rows
  %seen = arith.cmpf ogt, %l_all, %none : !rows
  %l_1 = arith.select %seen, %l_all, %one : !flags, !rows
  %factor = arith.divf %w_keys, %l_1 : !rows
  %factor_b = tile.broadcast %factor : !rows -> !acc
  %o = arith.mulf %acc, %factor_b : !acc
  %l_2 = math.log2 %l_all : !rows
  %lse = math.fma %l_2, %ln2, %max : !rows
  return %o, %lse : !acc, !rows
}

func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @reweigh(%p: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
func.func private @in_bounds(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
