// What operations on lines of values refuse.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @line_of_floats(%x: memref<?xf32>, %n: index) {
  // expected-error @below {{'tile.first_above' op expects integers of at most 32 bits, got 'memref<?xf32>'}}
  %a = tile.first_above %n in %x[%n] along 0 to %n : memref<?xf32>
  return
}

// -----

func.func @line_without_a_row(%x: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.extremes' op expects 2 indices, got 1}}
  %a, %b = tile.extremes %x[%n] along 0 to %n : memref<?x?xi32>
  return
}

// -----

func.func @line_nowhere(%x: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.extremes' op expects a line along a dimension below 2, got 2}}
  %a, %b = tile.extremes %x[%n, %n] along 2 to %n : memref<?x?xi32>
  return
}
