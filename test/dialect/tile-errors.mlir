// What the tile dialect refuses, with its sentences.
// RUN: attn-opt %s -split-input-file -verify-diagnostics

func.func @step(%keys: !tile.view<64 x f16>, %n: index) {
  // expected-error @below {{'tile.walk' op expects a positive step, got 0}}
  tile.walk %col in %keys[%n to %n] step 0 iter_args() : !tile.view<64 x f16> -> () {
    tile.yield
  }
  return
}

// -----

func.func @walk_results(%keys: !tile.view<64 x f16>, %n: index, %x: f32) {
  // expected-error @below {{'tile.walk' op expects results of the types of its initial values}}
  %r = "tile.walk"(%keys, %n, %n, %x) <{step = 64 : i64}> ({
  ^body(%col: index, %y: f32):
    tile.yield %y : f32
  }) : (!tile.view<64 x f16>, index, index, f32) -> index
  return
}

// -----

func.func @walk_end(%keys: !tile.view<64 x f16>, %n: index) {
  // expected-error @below {{'tile.walk' op expects its body to end in tile.yield}}
  "tile.walk"(%keys, %n, %n) <{step = 64 : i64}> ({
  ^body(%col: index):
    %sum = arith.addi %col, %col : index
  }) : (!tile.view<64 x f16>, index, index) -> ()
  return
}

// -----

func.func @walk_yield(%keys: !tile.view<64 x f16>, %n: index, %x: f32) {
  // expected-error @below {{'tile.walk' op expects its body to yield the types of its results}}
  %r = tile.walk %col in %keys[%n to %n] step 64 iter_args(%y = %x) : !tile.view<64 x f16> -> (f32) {
    tile.yield %col : index
  }
  return
}

// -----

func.func @yield_outside(%x: f32) {
  // expected-error @below {{'tile.yield' op expects parent op 'tile.walk'}}
  tile.yield %x : f32
}

// -----

func.func @walk_types(%keys: !tile.view<64 x f16>, %n: index, %x: f32) {
  // expected-error @below {{expects one type per loop-carried value, got 2 types for 1 values}}
  %r = tile.walk %col in %keys[%n to %n] step 64 iter_args(%y = %x) : !tile.view<64 x f16> -> (f32, f32) {
    tile.yield %y : f32
  }
  return
}

// -----

func.func @walk_without_in(%keys: !tile.view<64 x f16>, %n: index) {
  // expected-error @below {{expected 'in'}}
  tile.walk %col over %keys[%n to %n] step 64 iter_args() : !tile.view<64 x f16> -> () {
    tile.yield
  }
  return
}

// -----

func.func @walk_step_word(%keys: !tile.view<64 x f16>, %n: index) {
  // expected-error @below {{expected 'step'}}
  tile.walk %col in %keys[%n to %n] by 64 iter_args() : !tile.view<64 x f16> -> () {
    tile.yield
  }
  return
}

// -----

func.func @walk_in_what(%n: index) {
  // expected-error @below {{'tile.walk' op operand #0 must be A sequence of rows in global memory, of `columns` elements each, but got 'index'}}
  tile.walk %col in %n[%n to %n] step 64 iter_args() : index -> () {
    tile.yield
  }
  return
}

// -----

func.func @program(%x: f32) {
  // expected-note @-1 {{prior use here}}
  // expected-error @below {{use of value '%x' expects different type than prior uses: 'index' vs 'f32'}}
  %a = tile.program %x
  return
}

// -----

func.func @program_names(%x: index) {
  // expected-error @below {{operation defines 1 results but was provided 2 to bind}}
  %a, %b = tile.program %x
  return
}

// -----

func.func @view_element(%q: memref<?x?x4x64xf16>, %n: index) {
  // expected-error @below {{'tile.view' op expects rows of 'f16' like its base, got 'bf16'}}
  %v = tile.view %q[%n, %n] length %n : memref<?x?x4x64xf16> -> !tile.view<64 x bf16>
  return
}

// -----

func.func @view_columns(%q: memref<?x?x4x64xf16>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (batch, seq, heads, 128), or without the last for one column, got 'memref<?x?x4x64xf16>'}}
  %v = tile.view %q[%n, %n] length %n : memref<?x?x4x64xf16> -> !tile.view<128 x f16>
  return
}

// -----

func.func @view_rank(%q: memref<?x?x4xf32>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (batch, seq, heads, 2), or without the last for one column, got 'memref<?x?x4xf32>'}}
  %v = tile.view %q[%n, %n] length %n : memref<?x?x4xf32> -> !tile.view<2 x f32>
  return
}

// -----

func.func @dot_rank(%a: tensor<64xf16>, %b: tensor<64x64xf16>) {
  // expected-error @below {{'tile.dot' op expects tiles of rank 2}}
  %c = tile.dot %a, %b : tensor<64xf16>, tensor<64x64xf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_mixed(%a: tensor<64x64xf16>, %b: tensor<64x64xbf16>) {
  // expected-error @below {{'tile.dot' op expects operands of one 16-bit type, got 'f16' and 'bf16'}}
  %c = tile.dot %a, %b : tensor<64x64xf16>, tensor<64x64xbf16> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_wide(%a: tensor<64x64xf32>) {
  // expected-error @below {{'tile.dot' op expects operands of one 16-bit type, got 'f32' and 'f32'}}
  %c = tile.dot %a, %a : tensor<64x64xf32>, tensor<64x64xf32> -> tensor<64x64xf32>
  return
}

// -----

func.func @dot_result(%a: tensor<64x64xf16>) {
  // expected-error @below {{'tile.dot' op expects a product in f32, got 'f16'}}
  %c = tile.dot %a, %a : tensor<64x64xf16>, tensor<64x64xf16> -> tensor<64x64xf16>
  return
}

// -----

// The columns of the first are the rows of the second.
func.func @dot_inner(%a: tensor<64x32xf16>, %b: tensor<64x16xf16>) {
  // expected-error @below {{'tile.dot' op expects a product of 64x16 over 64, got 'tensor<64x16xf32>' from 'tensor<64x32xf16>' and 'tensor<64x16xf16>'}}
  %c = tile.dot %a, %b : tensor<64x32xf16>, tensor<64x16xf16> -> tensor<64x16xf32>
  return
}

// -----

// With `trans_b`, columns of both; the product has the rows of both.
func.func @dot_shape(%a: tensor<64x32xf16>, %b: tensor<48x32xf16>) {
  // expected-error @below {{'tile.dot' op expects a product of 64x48 over 32, got 'tensor<64x32xf32>' from 'tensor<64x32xf16>' and 'tensor<48x32xf16>'}}
  %c = tile.dot %a, trans_b %b : tensor<64x32xf16>, tensor<48x32xf16> -> tensor<64x32xf32>
  return
}

// -----

func.func @dot_acc(%a: tensor<64x64xf16>, %acc: tensor<64x32xf32>) {
  // expected-error @below {{'tile.dot' op expects an accumulator of 'tensor<64x64xf32>', got 'tensor<64x32xf32>'}}
  %c = tile.dot %a, %a into %acc : tensor<64x32xf32>, tensor<64x64xf16>, tensor<64x64xf16> -> tensor<64x64xf32>
  return
}

// -----

!shared = tensor<64x64xf32, #tile.shared<swizzle = 128, slab = 32>>
func.func @dot_place(%a: tensor<64x64xf16>) {
  // expected-error @below {{'tile.dot' op expects its result in registers}}
  %c = tile.dot %a, %a : tensor<64x64xf16>, tensor<64x64xf16> -> !shared
  return
}

// -----

func.func @convert_shape(%a: tensor<64x64xf16>) {
  // expected-error @below {{'tile.convert' op expects the same elements on both sides, got 'tensor<64x64xf16>' and 'tensor<64x32xf16>'}}
  %c = tile.convert %a : tensor<64x64xf16> -> tensor<64x32xf16>
  return
}

// -----

func.func @convert_element(%a: tensor<64x64xf32>) {
  // expected-error @below {{'tile.convert' op expects the same elements on both sides, got 'tensor<64x64xf32>' and 'tensor<64x64xf16>'}}
  %c = tile.convert %a : tensor<64x64xf32> -> tensor<64x64xf16>
  return
}

// -----

// A value keeps its type where the elements keep theirs.
func.func @reduce(%s: tensor<64x64xf32>, %m: tensor<64xf32>) {
  // expected-error @below {{'tile.reduce' op failed to verify that all of {init, result} have same type}}
  %n = "tile.reduce"(%s, %m) <{kind = 0 : i32}> : (tensor<64x64xf32>, tensor<64xf32>) -> tensor<32xf32>
  return
}

// -----

// expected-error @below {{failed to parse Tile_AccAttr parameter 'atom' which is to be a `::attn::tile::Atom`}}
// expected-error @below {{expected valid keyword or string}}
func.func @atom(%p: tensor<64x64xbf16, #tile.acc<4, warps = 4>>)

// -----

func.func @pending_type(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>) {
  %p = tile.dot_start %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> !tile.pending<tensor<64x32xf32>>
  // expected-error @below {{'tile.dot_wait' op expects a tile of 'tensor<64x32xf32>', got 'tensor<64x64xf32>'}}
  %s = tile.dot_wait %p leaving 0 : !tile.pending<tensor<64x32xf32>> -> tensor<64x64xf32>
  return
}

// -----

func.func @waited_twice(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>) {
  %p = tile.dot_start %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> !tile.pending<tensor<64x32xf32>>
  // expected-error @below {{'tile.dot_wait' op expects a product that nothing else waits for}}
  %s = tile.dot_wait %p leaving 0 : !tile.pending<tensor<64x32xf32>> -> tensor<64x32xf32>
  // expected-note @below {{the other wait}}
  %t = tile.dot_wait %p leaving 0 : !tile.pending<tensor<64x32xf32>> -> tensor<64x32xf32>
  return
}

// -----

func.func @leaving(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>) {
  %p = tile.dot_start %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> !tile.pending<tensor<64x32xf32>>
  // expected-error @below {{'tile.dot_wait' op expects to leave 0 or more products running, got -1}}
  %s = "tile.dot_wait"(%p) <{leaving = -1 : i64}> : (!tile.pending<tensor<64x32xf32>>) -> tensor<64x32xf32>
  return
}

// -----

func.func @read_before_wait(%q: tensor<64x64xf16>, %k: tensor<32x64xf16>) {
  %p = tile.dot_start %q, trans_b %k : tensor<64x64xf16>, tensor<32x64xf16> -> !tile.pending<tensor<64x32xf32>>
  // A product in flight is no tile: it cannot be read.
  // expected-error @below {{'arith.negf' op operand #0 must be floating-point-like, but got '!tile.pending<tensor<64x32xf32>>'}}
  %s = arith.negf %p : !tile.pending<tensor<64x32xf32>>
  return
}

// -----

func.func @start_inner(%q: tensor<64x64xf16>, %k: tensor<32x48xf16>) {
  // expected-error @below {{'tile.dot_start' op expects a product of 64x32 over 48, got 'tensor<64x32xf32>' from 'tensor<64x64xf16>' and 'tensor<32x48xf16>'}}
  %p = tile.dot_start %q, trans_b %k : tensor<64x64xf16>, tensor<32x48xf16> -> !tile.pending<tensor<64x32xf32>>
  return
}

// -----

func.func @role_warps() {
  // expected-error @below {{'tile.roles' op expects warps in fours, got 6}}
  tile.roles load warps = 4 registers = 24 {
  } compute warps = 6 registers = 240 {
  }
  return
}

// -----

func.func @role_registers() {
  // expected-error @below {{'tile.roles' op expects registers to be a multiple of 8 from 24 to 256, got 16}}
  tile.roles load warps = 4 registers = 16 {
  } compute warps = 8 registers = 240 {
  }
  return
}

// -----

func.func @role_tile(%o: tensor<64x64xf32>, %out: !tile.view<64 x f32>, %row: index) {
  tile.roles load warps = 4 registers = 24 {
  } compute warps = 8 registers = 240 {
    // expected-error @below {{'tile.store' op expects no tile from outside its role, got one of 'tensor<64x64xf32>'}}
    tile.store %o, %out[%row] : tensor<64x64xf32>, !tile.view<64 x f32>
  }
  return
}

// -----

func.func @view_starts_rank(%q: memref<?x?x4x64xf16>, %s: memref<?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (total, heads, 64), or without the last for one column, got 'memref<?x?x4x64xf16>'}}
  %v = tile.view %q[%n, %n] length %n starts %s : memref<?x?x4x64xf16> starts memref<?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_pages_rank(%q: memref<?x16x4xf16>, %t: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (pages, page_size, heads, 64), or without the last for one column, got 'memref<?x16x4xf16>'}}
  %v = tile.view %q[%n, %n] length %n through %t : memref<?x16x4xf16> through memref<?x?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_packed(%q: memref<?x?x4x64xf16>, %n: index) {
  // expected-error @below {{'tile.view' op expects at least 1 head in a group, got 0}}
  %v = tile.view %q[%n, %n] length %n packed 0 : memref<?x?x4x64xf16> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_two_positions(%q: memref<?x?x4x64xf16>, %p: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects a first position or a list of positions, got both}}
  %v = tile.view %q[%n, %n] length %n position %n positions %p : memref<?x?x4x64xf16> positions memref<?x?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_two_places(%q: memref<?x4x64xf16>, %s: memref<?xi32>, %t: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects sequences behind one another or in pages, got both}}
  %v = tile.view %q[%n, %n] length %n starts %s through %t : memref<?x4x64xf16> starts memref<?xi32> through memref<?x?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_page_size(%q: memref<?x?x4x64xf16>, %t: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects pages of a static size, got 'memref<?x?x4x64xf16>'}}
  %v = tile.view %q[%n, %n] length %n through %t : memref<?x?x4x64xf16> through memref<?x?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_starts(%q: memref<?x4x64xf16>, %s: memref<?xf32>, %n: index) {
  // expected-error @below {{'tile.view' op expects starts to be integers of rank 1, got 'memref<?xf32>'}}
  %v = tile.view %q[%n, %n] length %n starts %s : memref<?x4x64xf16> starts memref<?xf32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_rows(%q: memref<?x?x4x64xf16>, %r: memref<?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects rows to be integers of rank 2, got 'memref<?xi32>'}}
  %v = tile.view %q[%n, %n] length %n rows %r : memref<?x?x4x64xf16> rows memref<?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_positions(%q: memref<?x4x64xf16>, %p: memref<?x?xi32>, %s: memref<?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects positions to be integers of rank 1, got 'memref<?x?xi32>'}}
  %v = tile.view %q[%n, %n] length %n positions %p starts %s : memref<?x4x64xf16> positions memref<?x?xi32> starts memref<?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_table(%q: memref<?x16x4x64xf16>, %t: memref<?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects the table of pages to be integers of rank 2 or 3, got 'memref<?xi32>'}}
  %v = tile.view %q[%n, %n] length %n through %t : memref<?x16x4x64xf16> through memref<?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @view_runs(%q: memref<?x16x4x64xf16>, %t: memref<?x?x3xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects runs of pages to be pairs (first page, number of pages), got 'memref<?x?x3xi32>'}}
  %v = tile.view %q[%n, %n] length %n through %t : memref<?x16x4x64xf16> through memref<?x?x3xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @concat_one(%a: !tile.view<64 x f16>) {
  // expected-error @below {{'tile.concat' op expects two parts or more, got 1}}
  %v = tile.concat %a : !tile.view<64 x f16> -> !tile.view<64 x f16>
  return
}

// -----

func.func @concat_types(%a: !tile.view<64 x f16>, %b: !tile.view<32 x f16>) {
  // expected-error @below {{'tile.concat' op expects parts of one type, '!tile.view<64 x f16>', got '!tile.view<32 x f16>'}}
  %v = tile.concat %a, %b : !tile.view<64 x f16>, !tile.view<32 x f16> -> !tile.view<64 x f16>
  return
}

// -----

func.func @locate_step(%n: index, %s: memref<?xi32>) {
  // expected-error @below {{'tile.locate' op expects a positive step, got 0}}
  %b, %r = tile.locate %n in %s step 0 : memref<?xi32>
  return
}

// -----

func.func @locate_packed(%n: index, %s: memref<?xi32>) {
  // expected-error @below {{'tile.locate' op expects a positive number of rows to each token, got 0}}
  %b, %r = tile.locate %n in %s step 16 packed 0 : memref<?xi32>
  return
}

// -----

func.func @locate_rank(%n: index, %s: memref<?x?xi32>) {
  // expected-error @below {{'tile.locate' op expects starts to be integers of rank 1, got 'memref<?x?xi32>'}}
  %b, %r = tile.locate %n in %s step 64 : memref<?x?xi32>
  return
}

// -----

func.func @held_rank(%n: index, %s: memref<?x?xi32>) {
  // expected-error @below {{'tile.held' op expects runs to be integers of rank 3, got 'memref<?x?xi32>'}}
  %p = tile.held %s[%n] most %n : memref<?x?xi32>
  return
}

// -----

func.func @held_pairs(%n: index, %s: memref<?x?x3xi32>) {
  // expected-error @below {{'tile.held' op expects runs of pages to be pairs (first page, number of pages), got 'memref<?x?x3xi32>'}}
  %p = tile.held %s[%n] most %n : memref<?x?x3xi32>
  return
}

// -----

func.func @workspace_sizes(%n: index) {
  // expected-error @below {{'tile.workspace' op expects a size for each of 2 dynamic dimensions, got 1}}
  %w = tile.workspace[%n] sizes %n : memref<?x?x4xf32>
  return
}

// -----

func.func @workspace_layout(%n: index) {
  // expected-error @below {{'tile.workspace' op expects a contiguous tensor, got 'memref<?x4xf32, strided<[?, 1]>>'}}
  %w = tile.workspace[%n] sizes %n : memref<?x4xf32, strided<[?, 1]>>
  return
}

// -----

func.func @columns_element(%v: !tile.view<64 x f32>, %n: index) {
  // expected-error @below {{'tile.columns' op expects columns of 'f32', got 'f16'}}
  %c = tile.columns %v[%n] : !tile.view<64 x f32> -> !tile.view<32 x f16>
  return
}

// -----

func.func @columns_number(%v: !tile.view<64 x f32>, %n: index) {
  // expected-error @below {{'tile.columns' op expects a multiple of 8 columns that divides 64, got 24}}
  %c = tile.columns %v[%n] : !tile.view<64 x f32> -> !tile.view<24 x f32>
  return
}

// -----

func.func @member_elements(%x: index, %list: memref<?xf32>) {
  // expected-error @below {{'tile.member' op expects a list of integers, got 'memref<?xf32>'}}
  %m = tile.member %x of %list from %x to %x : memref<?xf32>
  return
}

// -----

func.func @member_row(%x: index, %list: memref<?x?x?xi32>) {
  // expected-error @below {{'tile.member' op expects 2 row indices for a list of numbers, or 1 and a last dimension of 2 for a list of ranges, got 1 and 'memref<?x?x?xi32>'}}
  %m = tile.member %x of %list[%x] from %x to %x : memref<?x?x?xi32>
  return
}

// -----

func.func @collect_most(%a: index) {
  // expected-error @below {{'tile.collect' op expects a list of 1 to 32768 places, got 0}}
  %l = tile.collect %a to %a most 0 {
  }
  return
}

// -----

func.func @mark_outside(%a: index) {
  // expected-error @below {{'tile.mark' op expects to stand in a tile.collect}}
  tile.mark visible %a to %a
  return
}

// -----

func.func @each_outside(%a: index) {
  // expected-error @below {{'tile.each' op expects to stand in a tile.collect}}
  tile.each %i in [%a to %a] {
  }
  return
}

// -----

func.func @common_outside() {
  // expected-error @below {{'tile.common' op expects to stand in a tile.collect}}
  tile.common visible {
  }
  return
}

// -----

func.func @common_of_one_thread(%a: index) {
  %l = tile.collect %a to %a most 32 {
    tile.each %i in [%a to %a] {
      // expected-error @below {{'tile.common' op expects not to stand in a tile.each: all threads meet in it}}
      tile.common hidden {
      }
    }
  }
  return
}

// -----

func.func @part_of_pages(%pool: memref<?x?x16x8x64xf16, strided<[?, ?, ?, ?, 1]>>, %table: memref<?x?xi32>, %n: index) {
  // expected-error @below {{'tile.view' op expects a part, or rows without a batch, where rows are a stride apart}}
  %x = tile.view %pool[%n, %n] length %n part %n through %table : memref<?x?x16x8x64xf16, strided<[?, ?, ?, ?, 1]>> through memref<?x?xi32> -> !tile.view<64 x f16>
  return
}

// -----

func.func @no_stack(%o: memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (parts, batch, seq, heads, 64), or without the last for one column, got 'memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>>'}}
  %x = tile.view %o[%n, %n] length %n part %n : memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>> -> !tile.view<64 x f16>
  return
}

// -----

func.func @with_a_batch(%o: memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>>, %n: index) {
  // expected-error @below {{'tile.view' op expects a base of shape (total, heads, 64), or without the last for one column, got 'memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>>'}}
  %x = tile.view %o[%n, %n] length %n alone : memref<?x?x8x64xf16, strided<[?, ?, ?, 1]>> -> !tile.view<64 x f16>
  return
}
