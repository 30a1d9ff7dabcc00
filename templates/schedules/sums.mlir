// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view_qk  = !tile.view<128 x bf16>
!view_lse = !tile.view<1 x f32>
!q        = tensor<128x128xbf16>        // block_q rows of head_dim
!k        = tensor<64x128xbf16>         // block_kv rows of head_dim
!scores   = tensor<128x64xf32>
!rows     = tensor<128xf32>             // one value per query row
#step     = 64                          // block_kv
#to_exp2  = dense<0.127517432> : !scores        // what makes a score an exponent of two: scale * log2(e)

// Weights that count are added up: a walk over keys whose largest score and its weight are known of each row. What is
// hidden, or does not count, weighs 0; so does all of a row that does not exist, whose scores are far below its largest.
func.func @sums(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk,
                %at: index, %maxima: !view_lse, %largest: !view_lse) {
  %to_exp2 = arith.constant #to_exp2
  %m = tile.load %maxima[%at] otherwise 3.40282347E+38 : !view_lse -> !rows
  %p_m = tile.load %largest[%at] : !view_lse -> !rows
  %m_b = tile.broadcast %m : !rows -> !scores
  %p_m_b = tile.broadcast %p_m : !rows -> !scores
  %q = tile.load %query[%row] : !view_qk -> !q

  tile.walk %col in %keys[%from to %to] step #step iter_args() : !view_qk -> () {
    %k = tile.load %keys[%col] : !view_qk -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !scores
    %mod = tile.apply @score to %raw rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk
    %s = tile.mask %mod by [@visible, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view_qk, !view_qk

    %d = arith.subf %s, %m_b : !scores
    %x = arith.mulf %d, %to_exp2 : !scores
    %e = math.exp2 %x : !scores
    %p = arith.mulf %e, %p_m_b : !scores
    func.call @tally(%p, %col) : (!scores, index) -> ()
    tile.yield
  }
  return
}

// What the wrapper writes: the weights of these columns on their way to the sums.
func.func private @tally(%p: !scores, %col: index)
func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
func.func private @in_bounds(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
