// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view_qk  = !tile.view<128 x bf16>
!view_v   = !tile.view<128 x bf16>
!view_out = !tile.view<128 x bf16>
!view_lse = !tile.view<1 x f32>
!q        = tensor<128x128xbf16>        // block_q rows of head_dim
!k        = tensor<64x128xbf16>         // block_kv rows of head_dim
!v        = tensor<64x128xbf16>         // block_kv rows of the values' head_dim
!scores   = tensor<128x64xf32>
!probs    = tensor<128x64xbf16>
!marks    = tensor<128x64xi1>
!acc      = tensor<128x128xf32>
!rows     = tensor<128xf32>             // one value per query row
#step     = 64                          // block_kv
#to_exp2  = dense<0.127517432> : !scores        // what makes a score an exponent of two: scale * log2(e)

// The sum of values, each with what a function makes of its weight: a walk over keys whose largest score and its weight
// are known of each row, so that nothing is rescaled. Weights are rounded to 16 bits at about the size that they have
// while keys are walked once, where the largest is 1: an f16 would have few digits left for one of a million keys. A row
// that does not exist sees scores far below its largest.
func.func @weighted(%row: index, %from: index, %to: index, %query: !view_qk, %keys: !view_qk, %values: !view_v,
                    %at: index, %maxima: !view_lse, %largest: !view_lse, %output: !view_out) {
  %to_exp2 = arith.constant #to_exp2
  %no_acc = arith.constant dense<0.0> : !acc
  %none = arith.constant dense<0.0> : !scores
  %hidden = arith.constant dense<0xFF800000> : !scores
  %one = arith.constant dense<1.0> : !rows
  %least = arith.constant dense<9.765625E-4> : !rows

  %m = tile.load %maxima[%at] otherwise 3.40282347E+38 : !view_lse -> !rows
  %p_m = tile.load %largest[%at] : !view_lse -> !rows
  %unit = arith.maximumf %p_m, %least : !rows
  %units = arith.divf %one, %unit : !rows
  %m_b = tile.broadcast %m : !rows -> !scores
  %p_m_b = tile.broadcast %p_m : !rows -> !scores
  %units_b = tile.broadcast %units : !rows -> !scores
  %q = tile.load %query[%row] : !view_qk -> !q

  %acc = tile.walk %col in %keys[%from to %to] step #step iter_args(%acc_i = %no_acc) : !view_qk -> (!acc) {
    %k = tile.load %keys[%col] : !view_qk -> !k
    %raw = tile.dot %q, trans_b %k : !q, !k -> !scores
    %v = tile.load %values[%col] : !view_v -> !v
    %mod = tile.apply @score to %raw rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk
    %s = tile.mask %mod by [@visible, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view_qk, !view_qk

    %d = arith.subf %s, %m_b : !scores
    %x = arith.mulf %d, %to_exp2 : !scores
    %e = math.exp2 %x : !scores
    %p = arith.mulf %e, %p_m_b : !scores
    %changed = tile.apply @reweigh to %p rows %query[%row] cols %keys[%col] : !scores rows !view_qk cols !view_qk
    %sized = arith.mulf %changed, %units_b : !scores
    %seen = arith.cmpf une, %s, %hidden : !scores
    %w = arith.select %seen, %sized, %none : !marks, !scores
    %w_lo = arith.truncf %w : !scores to !probs
    %acc_n = tile.dot %w_lo, %v into %acc_i : !acc, !probs, !v -> !acc
    tile.yield %acc_n : !acc
  }
  %unit_b = tile.broadcast %unit : !rows -> !acc
  %o = arith.mulf %acc, %unit_b : !acc
  tile.store %o, %output[%row] : !acc, !view_out
  return
}

func.func private @score(%s: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @reweigh(%p: f32, %b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> f32
func.func private @visible(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
func.func private @in_bounds(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1
