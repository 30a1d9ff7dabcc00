// What trim-walks refuses, and what it says about masks that it cannot see through.
// RUN: attn-opt %s --trim-walks --split-input-file --verify-diagnostics

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func private @even_product(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %c2 = arith.constant 2 : index
  %c0 = arith.constant 0 : index
  %product = arith.muli %kv, %q : index
  %rest = arith.remsi %product, %c2 : index
  %visible = arith.cmpi eq, %rest, %c0 : index
  return %visible : i1
}
func.func @not_affine(%q: memref<?x?x32x128xbf16>, %b: index, %h: index, %nq: index, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %query = tile.view %q[%b, %h] length %nq : memref<?x?x32x128xbf16> -> !view
  %keys = tile.view %q[%b, %h] length %nk : memref<?x?x32x128xbf16> -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-remark @+1 {{@even_product has terms that are not affine in the positions: every visited tile is masked}}
    %m = tile.mask %x by [@even_product, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @past_or_even(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %c2 = arith.constant 2 : index
  %c0 = arith.constant 0 : index
  %product = arith.muli %kv, %q : index
  %rest = arith.remsi %product, %c2 : index
  %even = arith.cmpi eq, %rest, %c0 : index
  %past = arith.cmpi sle, %kv, %q : index
  %visible = arith.ori %past, %even : i1
  return %visible : i1
}
func.func @partly_affine(%q: memref<?x?x32x128xbf16>, %b: index, %h: index, %nq: index, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %query = tile.view %q[%b, %h] length %nq : memref<?x?x32x128xbf16> -> !view
  %keys = tile.view %q[%b, %h] length %nk : memref<?x?x32x128xbf16> -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-remark @+1 {{@past_or_even has terms that are not affine in the positions: tiles that only they decide are masked}}
    %m = tile.mask %x by [@past_or_even] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @visible(index, index, index, index, index, index) -> i1
func.func @no_body(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-remark @+1 {{@visible has no body: every visited tile is masked}}
    %m = tile.mask %x by [@visible] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @causal(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func @no_position(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-remark @+1 {{@causal asks for positions that the views do not state: every visited tile is masked}}
    %m = tile.mask %x by [@causal] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @before(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %n: index) -> i1 {
  %visible = arith.cmpi slt, %column, %n : index
  return %visible : i1
}
func.func @not_before(%query: !view, %keys: !view, %nk: index, %row: index, %list: memref<?xindex>, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %n = memref.load %list[%col] : memref<?xindex>
    // expected-remark @+1 {{@before uses values that are not known before the walk: every visited tile is masked}}
    %m = tile.mask %x by [@before](%n : index) rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func @no_function(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects functions, got @missing}}
    %m = tile.mask %x by [@missing] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
// expected-note @+1 {{defined here}}
func.func private @short(index, index, index, index) -> i1
func.func @wrong_function(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects @short to be a function (b, h, row, column, q, kv, parameters...) -> i1, got '(index, index, index, index) -> i1'}}
    %m = tile.mask %x by [@short] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @before(index, index, index, index, index, index, i32) -> i1
func.func @wrong_parameters(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects parameters for @before of types ('i32'), got ('index')}}
    %m = tile.mask %x by [@before](%nk : index) rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @too_many_parameters(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects no parameters beyond those of its functions, got 1 more}}
    %m = tile.mask %x by [@in_bounds](%nk : index) rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @two_masks(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-note @+1 {{the other one}}
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    // expected-error @+1 {{expects to be the only mask of its walk}}
    %n = tile.mask %m by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %n : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @other_columns(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects the columns of the walked view, at the column of the walk}}
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %query[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @other_step(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 32 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects a tile of as many columns as the step of its walk, 32, got 'tensor<128x64xf32>'}}
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @moving_rows(%query: !view, %keys: !view, %nk: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects rows that are known before the walk}}
    %m = tile.mask %x by [@in_bounds] rows %query[%col] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// -----

!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>
func.func private @in_bounds(index, index, index, index, index, index) -> i1
func.func @clause_too_early(%query: !view, %keys: !view, %nk: index, %row: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    // expected-error @+1 {{expects no unless clause before its walk is trimmed}}
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] unless %col in [%c0 to %nk] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}
