// What distribute-programs refuses, with its sentences.
// RUN: attn-opt %s --distribute-programs -split-input-file -verify-diagnostics

// expected-error @below {{'func.func' op expects one tile.program where programs share out their work, got 0}}
func.func @none() attributes {tile.distribution = "persistent"} {
  return
}

// -----

// expected-error @below {{'func.func' op expects one tile.program where programs share out their work, got 2}}
func.func @two(%n: index) attributes {tile.distribution = "persistent"} {
  %a = tile.program %n
  %b = tile.program %n
  return
}
