// Bends scores smoothly into the open interval (-cap, cap).
func.func @softcap(%score: f32, %b: index, %h: index, %q: index, %kv: index, %cap: f32) -> f32 {
  %ratio = arith.divf %score, %cap : f32
  %bent = math.tanh %ratio : f32
  %capped = arith.mulf %bent, %cap : f32
  return %capped : f32
}
