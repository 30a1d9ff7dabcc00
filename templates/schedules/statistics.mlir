// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view_qk  = !tile.view<128 x bf16>
!view_lse = !tile.view<1 x f32>
!q        = tensor<128x128xbf16>        // block_q rows of head_dim
!k        = tensor<64x128xbf16>         // block_kv rows of head_dim
!scores   = tensor<128x64xf32>
!rows     = tensor<128xf32>             // one value per query row
!flags    = tensor<128xi1>
#step         = 64                      // block_kv
#to_exp2      = dense<0.127517432> : !scores    // what makes a score an exponent of two: scale * log2(e)
#to_exp2_rows = dense<0.127517432> : !rows
#to_exp_rows  = dense<0.0883883461> : !rows     // the same for an exponent of e: scale

// What a second walk over the keys must know of a row to have its weights as softmax gives them: the largest score m and
// the weight that it gets. The weight of a score s is exp2((s - m) * to_exp2) times that. Of an lse it could not be had at
// any size of scores. Row %at of what is left is row %row of the queries.
func.func @statistics(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk,
                      %at: index, %maxima: !view_lse, %largest: !view_lse, %lse: !view_lse) {
  %to_exp2 = arith.constant #to_exp2
  %to_exp2_rows = arith.constant #to_exp2_rows
  %lowest = arith.constant dense<-3.40282347E+38> : !rows
  %no_sum = arith.constant dense<0.0> : !rows

  %q = tile.load %query[%row] : !view_qk -> !q

  %m, %l = tile.walk %col in %keys[%from to %to] step #step
      iter_args(%m_i = %lowest, %l_i = %no_sum) : !view_qk -> (!rows, !rows) {
    %k = tile.load %keys[%col] : !view_qk -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !scores
    %mod = tile.apply @score to %raw rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk
    %s = tile.mask %mod by [@visible, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view_qk, !view_qk

    %m_n = tile.reduce max %s into %m_i : !scores, !rows
    %m_b = tile.broadcast %m_n : !rows -> !scores
    %d = arith.subf %s, %m_b : !scores
    %x = arith.mulf %d, %to_exp2 : !scores
    %p = math.exp2 %x : !scores
    %grown = arith.subf %m_i, %m_n : !rows
    %grown_2 = arith.mulf %grown, %to_exp2_rows : !rows
    %alpha = math.exp2 %grown_2 : !rows
    %l_s = arith.mulf %l_i, %alpha : !rows
    %l_n = tile.reduce add %p into %l_s : !scores, !rows
    tile.yield %m_n, %l_n : !rows, !rows
  }

  %p_m, %lse_o = func.call @finish(%m, %l) : (!rows, !rows) -> (!rows, !rows)
  tile.store %m, %maxima[%at] : !rows, !view_lse
  tile.store %p_m, %largest[%at] : !rows, !view_lse
  tile.store %lse_o, %lse[%row] : !rows, !view_lse
  return
}

// The weight of the largest score, and natural-logarithm lse: -inf for a row that saw no key.
func.func private @finish(%m: !rows, %l: !rows) -> (!rows, !rows) {
  %to_exp = arith.constant #to_exp_rows
  %one = arith.constant dense<1.0> : !rows
  %none = arith.constant dense<0.0> : !rows
  %ln2 = arith.constant dense<0.693147182> : !rows
  %seen = arith.cmpf ogt, %l, %none : !rows
  %l_1 = arith.select %seen, %l, %one : !flags, !rows
  %p_m = arith.divf %one, %l_1 : !rows
  %m_e = arith.mulf %m, %to_exp : !rows
  %l_2 = math.log2 %l : !rows
  %lse = math.fma %l_2, %ln2, %m_e : !rows
  return %p_m, %lse : !rows, !rows
}

// The same with a logit per row that takes weight from every key and has no value: a merge with (0, sink).
func.func private @finish_with_sink(%m: !rows, %l: !rows, %sink: !rows) -> (!rows, !rows) {
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
  %p_m = arith.divf %w_keys, %l_1 : !rows
  %l_2 = math.log2 %l_all : !rows
  %lse = math.fma %l_2, %ln2, %max : !rows
  return %p_m, %lse : !rows, !rows
}

func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
func.func private @in_bounds(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
