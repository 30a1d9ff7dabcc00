// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view_out = !tile.view<32 x bf16>
!view_lse = !tile.view<1 x f32>
!acc      = tensor<16x32xf32>           // rows of partial outputs, and some of their columns
!rows     = tensor<16xf32>              // one value per row
!flags    = tensor<16xi1>
#to_exp2      = dense<0.127517432> : !rows      // what makes a maximum an exponent of two: scale * log2(e)
#to_exp       = dense<0.0883883461> : !rows     // the same for an exponent of e: scale

// Flash-Decoding, second kernel: this program owns rows of the result and visits the parts that others left of them, in
// ascending order. A part is (acc, m, l) as @forward_partial leaves it, or (output, lse, 1). What is kept of a row is of the
// same kind: a part is joined to it as a tile of keys is to a row in the loop of @attend.
func.func @merge(%row: index, %output: !view_out, %lse: !view_lse) {
  %lowest = arith.constant dense<-3.40282347E+38> : !rows
  %no_acc = arith.constant dense<0.0> : !acc
  %no_sum = arith.constant dense<0.0> : !rows
  %acc, %m, %l = func.call @parts(%no_acc, %lowest, %no_sum) : (!acc, !rows, !rows) -> (!acc, !rows, !rows)
  %o, %lse_o = func.call @finish(%acc, %m, %l) : (!acc, !rows, !rows) -> (!acc, !rows)
  tile.store %o, %output[%row] : !acc, !view_out
  tile.store %lse_o, %lse[%row] : !rows, !view_lse
  return
}

// Parts number %from to %to of one stack, four at a time: their loads are on the way together. Those from %to on weigh
// nothing.
func.func private @stack(%from: index, %to: index, %acc: !acc, %m: !rows, %l: !rows) -> (!acc, !rows, !rows) {
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %acc_e, %m_e, %l_e = scf.for %s0 = %from to %to step %four
      iter_args(%acc_i = %acc, %m_i = %m, %l_i = %l) -> (!acc, !rows, !rows) {
    %s1 = arith.addi %s0, %one : index
    %s2 = arith.addi %s1, %one : index
    %s3 = arith.addi %s2, %one : index
    %o0, %m0, %l0 = func.call @part(%s0, %to) : (index, index) -> (!acc, !rows, !rows)
    %o1, %m1, %l1 = func.call @part(%s1, %to) : (index, index) -> (!acc, !rows, !rows)
    %o2, %m2, %l2 = func.call @part(%s2, %to) : (index, index) -> (!acc, !rows, !rows)
    %o3, %m3, %l3 = func.call @part(%s3, %to) : (index, index) -> (!acc, !rows, !rows)
    %acc_0, %m_0, %l_0 = func.call @join(%acc_i, %m_i, %l_i, %o0, %m0, %l0)
        : (!acc, !rows, !rows, !acc, !rows, !rows) -> (!acc, !rows, !rows)
    %acc_1, %m_1, %l_1 = func.call @join(%acc_0, %m_0, %l_0, %o1, %m1, %l1)
        : (!acc, !rows, !rows, !acc, !rows, !rows) -> (!acc, !rows, !rows)
    %acc_2, %m_2, %l_2 = func.call @join(%acc_1, %m_1, %l_1, %o2, %m2, %l2)
        : (!acc, !rows, !rows, !acc, !rows, !rows) -> (!acc, !rows, !rows)
    %acc_3, %m_3, %l_3 = func.call @join(%acc_2, %m_2, %l_2, %o3, %m3, %l3)
        : (!acc, !rows, !rows, !acc, !rows, !rows) -> (!acc, !rows, !rows)
    scf.yield %acc_3, %m_3, %l_3 : !acc, !rows, !rows
  }
  return %acc_e, %m_e, %l_e : !acc, !rows, !rows
}

// The larger of two maxima is finite, because it is from the start: no difference of infinities can occur.
func.func private @join(%acc: !acc, %m: !rows, %l: !rows, %acc_p: !acc, %m_p: !rows, %l_p: !rows)
    -> (!acc, !rows, !rows) {
  %to_exp2 = arith.constant #to_exp2
  %m_n = arith.maximumf %m, %m_p : !rows
  %d = arith.subf %m, %m_n : !rows
  %x = arith.mulf %d, %to_exp2 : !rows
  %w = math.exp2 %x : !rows
  %d_p = arith.subf %m_p, %m_n : !rows
  %x_p = arith.mulf %d_p, %to_exp2 : !rows
  %w_p = math.exp2 %x_p : !rows
  %l_s = arith.mulf %l, %w : !rows
  %l_n = math.fma %l_p, %w_p, %l_s : !rows
  %w_b = tile.broadcast %w : !rows -> !acc
  %w_p_b = tile.broadcast %w_p : !rows -> !acc
  %acc_s = arith.mulf %acc, %w_b : !acc
  %acc_n = math.fma %acc_p, %w_p_b, %acc_s : !acc
  return %acc_n, %m_n, %l_n : !acc, !rows, !rows
}

// Output and natural-logarithm lse. A row that no part has a key for has l = 0 and acc = 0: it ends as 0 and -inf.
func.func private @finish(%acc: !acc, %m: !rows, %l: !rows) -> (!acc, !rows) {
  %to_exp = arith.constant #to_exp
  %one = arith.constant dense<1.0> : !rows
  %none = arith.constant dense<0.0> : !rows
  %ln2 = arith.constant dense<0.693147182> : !rows
  %seen = arith.cmpf ogt, %l, %none : !rows
  %l_1 = arith.select %seen, %l, %one : !flags, !rows
  %inverse = arith.divf %one, %l_1 : !rows
  %inverse_b = tile.broadcast %inverse : !rows -> !acc
  %o = arith.mulf %acc, %inverse_b : !acc
  %max = arith.mulf %m, %to_exp : !rows
  %l_2 = math.log2 %l : !rows
  %lse = math.fma %l_2, %ln2, %max : !rows
  return %o, %lse : !acc, !rows
}

// The same with a logit per row that takes weight from every key and has no value: one more part, (0, sink),
// which counts here and nowhere else.
func.func private @finish_with_sink(%acc: !acc, %m: !rows, %l: !rows, %sink: !rows) -> (!acc, !rows) {
  %to_exp = arith.constant #to_exp
  %log2e = arith.constant dense<1.44269502> : !rows
  %lowest = arith.constant dense<-3.40282347E+38> : !rows
  %one = arith.constant dense<1.0> : !rows
  %none = arith.constant dense<0.0> : !rows
  %ln2 = arith.constant dense<0.693147182> : !rows
  %m_e = arith.mulf %m, %to_exp : !rows
  %keys = arith.maximumf %m_e, %lowest : !rows
  %max = arith.maximumf %keys, %sink : !rows
  %d_keys = arith.subf %keys, %max : !rows
  %d_keys_2 = arith.mulf %d_keys, %log2e : !rows
  %w_keys = math.exp2 %d_keys_2 : !rows
  %d_sink = arith.subf %sink, %max : !rows
  %d_sink_2 = arith.mulf %d_sink, %log2e : !rows
  %w_sink = math.exp2 %d_sink_2 : !rows
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

// What the wrapper writes: all stacks one after the other, and part %s of a stack if it lies before %to.
func.func private @parts(%acc: !acc, %m: !rows, %l: !rows) -> (!acc, !rows, !rows)
func.func private @part(%s: index, %to: index) -> (!acc, !rows, !rows)
