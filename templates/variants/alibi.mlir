// Adds slope * (kv - q): scores fall with the distance of a key in the past, at a rate of its own for each head.
func.func @alibi(%score: f32, %b: index, %h: index, %q: index, %kv: index, %slopes: tensor<?xf32>) -> f32 {
  %slope = tensor.extract %slopes[%h] : tensor<?xf32>
  %distance = arith.subi %kv, %q : index
  %integer = arith.index_cast %distance : index to i32
  %real = arith.sitofp %integer : i32 to f32
  %bias = arith.mulf %slope, %real : f32
  %biased = arith.addf %score, %bias : f32
  return %biased : f32
}
