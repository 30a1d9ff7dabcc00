// RUN: attn-opt --expand-sources --verify-diagnostics --split-input-file %s

!view = !tile.view<128 x bf16>
func.func @three_values(%a: !view, %b: !view) -> index {
  %c0 = arith.constant 0 : index
  %keys = tile.concat %a, %b : !view, !view -> !view
  %values = tile.concat %a, %b, %a : !view, !view, !view -> !view
  %n = tile.extent %keys : !view
  %r = tile.walk %col in %keys[%c0 to %n] step 64 iter_args(%x = %n) : !view -> (index) {
    // expected-error @below {{'tile.load' op expects joined sequences of as many parts as those walked, 2, got 3}}
    %v = tile.load %values[%col] : !view -> tensor<64x128xbf16>
    tile.yield %col : index
  }
  return %r : index
}
