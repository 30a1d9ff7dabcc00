// What operations on lines of values, on lists of numbers and on sums refuse.
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

// -----

func.func @place_elements(%x: index, %list: memref<?xf32>) {
  // expected-error @below {{'tile.place' op expects a list of integers, got 'memref<?xf32>'}}
  %m = tile.place of %x in %list from %x to %x : memref<?xf32>
  return
}

// -----

func.func @place_row(%x: index, %list: memref<?x?x2xi32>) {
  // expected-error @below {{'tile.place' op expects 2 row indices, got 1}}
  %m = tile.place of %x in %list[%x] from %x to %x : memref<?x?x2xi32>
  return
}

// -----

func.func @gather_row(%v: !tile.view<64 x f32>, %x: index, %list: memref<?x?xi32>) {
  // expected-error @below {{'tile.gather' op expects 1 row indices, got 0}}
  %g = tile.gather %v at %list from %x length %x : !tile.view<64 x f32>, memref<?x?xi32>
  return
}

// -----

func.func @gather_positions(%k: memref<?x?x2x64xf32, strided<[?, ?, ?, 1]>>, %x: index, %list: memref<?x?xi32>) {
  %v = tile.view %k[%x, %x] length %x positions %list : memref<?x?x2x64xf32, strided<[?, ?, ?, 1]>> positions memref<?x?xi32> -> !tile.view<64 x f32>
  // expected-error @below {{'tile.gather' op expects a view of tokens that has no list of positions}}
  %g = tile.gather %v at %list[%x] from %x length %x : !tile.view<64 x f32>, memref<?x?xi32>
  return
}

// -----

!sums = memref<?x?xf32>
!list = memref<?x?xi32>
!count = memref<?xi32>
func.func @select_neither(%x: index, %sums: !sums, %list: !list, %count: !count) {
  // expected-error @below {{'tile.select' op expects either top or cover, got neither}}
  tile.select %sums[%x] to %x into %list count %count : !sums into !list count !count
  return
}

// -----

!sums = memref<?x?xf32>
!list = memref<?x?xi32>
!count = memref<?xi32>
func.func @select_both(%x: index, %a: f32, %sums: !sums, %list: !list, %count: !count) {
  // expected-error @below {{'tile.select' op expects either top or cover, got both}}
  tile.select %sums[%x] to %x top %x cover %a into %list count %count : !sums into !list count !count
  return
}

// -----

!sums = memref<?x?x?xf32>
!list = memref<?x?xi32>
!count = memref<?xi32>
func.func @select_sums(%x: index, %sums: !sums, %list: !list, %count: !count) {
  // expected-error @below {{'tile.select' op expects f32 sums with one dimension behind 1 indices, got 'memref<?x?x?xf32>'}}
  tile.select %sums[%x] to %x top %x into %list count %count : !sums into !list count !count
  return
}

// -----

!sums = memref<?x?xf32>
!list = memref<?x?xf32>
!count = memref<?xi32>
func.func @select_list(%x: index, %sums: !sums, %list: !list, %count: !count) {
  // expected-error @below {{'tile.select' op expects a list of integers of rank 2, got 'memref<?x?xf32>'}}
  tile.select %sums[%x] to %x top %x into %list count %count : !sums into !list count !count
  return
}

// -----

!sums = memref<?x?xf32>
!list = memref<?x?xi32>
!count = memref<?x?xi32>
func.func @select_count(%x: index, %sums: !sums, %list: !list, %count: !count) {
  // expected-error @below {{'tile.select' op expects counts that are integers of rank 1, got 'memref<?x?xi32>'}}
  tile.select %sums[%x] to %x top %x into %list count %count : !sums into !list count !count
  return
}
