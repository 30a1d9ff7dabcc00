// Walks become loops over the tiles that a mask admits, with a clause for those where it hides nothing.
// RUN: attn-opt %s --trim-walks --cse | FileCheck %s
// RUN: attn-opt %s --trim-walks --cse | attn-opt | FileCheck %s

!q = memref<?x?x32x128xbf16>
!view = !tile.view<128 x bf16>
!scores = tensor<128x64xf32>

func.func private @in_bounds(index, index, index, index, index, index) -> i1

// Queries stand at the end of the keys: nothing is visible behind the last row, and what is visible exists, so that the
// length needs no comparison of its own.

// CHECK-LABEL: func.func @causal_end
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index, %[[NQ:[a-z0-9]+]]: index, %[[NK:[a-z0-9]+]]: index
// CHECK: %[[OFFSET:.*]] = arith.subi %[[NK]], %[[NQ]]
// CHECK: %[[POS:.*]] = arith.addi %[[ROW]], %[[OFFSET]]
// CHECK: %[[LAST:.*]] = arith.addi %[[POS]], %c128
// CHECK: %[[KEYS:.*]] = arith.minsi %[[NK]], %[[LAST]]
// CHECK: %[[TILES:.*]] = arith.ceildivsi %[[KEYS]], %c64
// CHECK: %[[END:.*]] = arith.maxsi %[[TILES]], %c0
// CHECK: %[[SEEN:.*]] = arith.addi %[[POS]], %c1
// CHECK: %[[SEEN_TILES:.*]] = arith.floordivsi %[[SEEN]], %c64
// CHECK: %[[FREE:.*]] = arith.maxsi %[[SEEN_TILES]], %c0
// CHECK: scf.for %[[T:.*]] = %c0 to %[[END]] step %c1 iter_args
// CHECK:   %[[COL:.*]] = arith.muli %[[T]], %c64
// CHECK:   tile.mask %{{.*}} by [@causal] rows %{{.*}}[%[[ROW]]] cols %{{.*}}[%[[COL]]] unless %[[T]] in[%c0 to %[[FREE]]]
func.func @causal_end(%row: index, %nq: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// Rows that are the four heads of a token: 32 tokens stand in a tile, and the last of them sees 32 keys beyond those
// that stand before the first. The tile begins with a token, since its row is a multiple of four.

// CHECK-LABEL: func.func @causal_group
// CHECK-SAME: %[[BLOCK:[a-z0-9]+]]: index, %[[NQ:[a-z0-9]+]]: index, %[[NK:[a-z0-9]+]]: index
// CHECK: %[[OFFSET:.*]] = arith.subi %[[NK]], %[[NQ]]
// CHECK: %[[ROW:.*]] = arith.muli %[[BLOCK]], %c128
// CHECK: %[[TOKEN:.*]] = arith.floordivsi %[[ROW]], %c4
// CHECK: %[[POS:.*]] = arith.addi %{{.*}}, %{{.*}}
// CHECK: %[[LAST:.*]] = arith.addi %[[POS]], %c32
// CHECK: %[[KEYS:.*]] = arith.minsi %[[NK]], %[[LAST]]
// CHECK: %[[TILES:.*]] = arith.ceildivsi %[[KEYS]], %c64
// CHECK: %[[END:.*]] = arith.maxsi %[[TILES]], %c0
// CHECK: %[[SEEN:.*]] = arith.addi %[[POS]], %c1
// CHECK: %[[SEEN_TILES:.*]] = arith.floordivsi %[[SEEN]], %c64
// CHECK: %[[FREE:.*]] = arith.maxsi %[[SEEN_TILES]], %c0
// CHECK: scf.for %[[T:.*]] = %c0 to %[[END]] step %c1 iter_args
// CHECK:   tile.mask %{{.*}} by [@causal] rows %{{.*}}[%[[ROW]]] {{.*}} unless %[[T]] in[%c0 to %[[FREE]]]
func.func @causal_group(%block: index, %nq: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c128 = arith.constant 128 : index
  %offset = arith.subi %nk, %nq : index
  %row = arith.muli %block, %c128 : index
  %rows = arith.muli %nq, %c4 : index
  %query = tile.view %q[%b, %h] length %rows packed 4 position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// Three heads to a token: a tile of 128 rows may begin and end inside one, and holds 43 or 44 tokens.

// CHECK-LABEL: func.func @causal_group_of_three
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index
// CHECK: %[[TOKEN:.*]] = arith.floordivsi %[[ROW]], %c3
// CHECK: %[[LAST_ROW:.*]] = arith.addi %[[ROW]], %c127
// CHECK: %[[LAST:.*]] = arith.floordivsi %[[LAST_ROW]], %c3
// CHECK: scf.for %[[T:.*]] = %c0
func.func @causal_group_of_three(%row: index, %nr: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %query = tile.view %q[%b, %h] length %nr packed 3 : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// At the start, rows may lie behind the keys: both comparisons are needed, and rows that do not exist see nothing.

// CHECK-LABEL: func.func @causal_start
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index, %[[NQ:[a-z0-9]+]]: index, %[[NK:[a-z0-9]+]]: index
// CHECK: %[[EXIST:.*]] = arith.minsi %[[NK]], %[[NQ]]
// CHECK: %[[LAST:.*]] = arith.addi %[[ROW]], %c128
// CHECK: %[[KEYS:.*]] = arith.minsi %[[EXIST]], %[[LAST]]
// CHECK: %[[END:.*]] = arith.ceildivsi %[[KEYS]], %c64
// CHECK: %[[SEEN:.*]] = arith.addi %[[ROW]], %c1
// CHECK: %[[FULL:.*]] = arith.minsi %[[SEEN]], %[[NK]]
// CHECK: %[[FULL_TILES:.*]] = arith.floordivsi %[[FULL]], %c64
// CHECK: %[[FREE:.*]] = arith.maxsi %[[FULL_TILES]], %c0
// CHECK: scf.for %[[T:.*]] = %c0 to %[[END]] step %c1
// CHECK:   tile.mask %{{.*}} by [@causal, @in_bounds] {{.*}} unless %[[T]] in[%c0 to %[[FREE]]]
func.func @causal_start(%row: index, %nq: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %query = tile.view %q[%b, %h] length %nq : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// A window has a beginning and a second border. The parameters of the functions that stay are those that stay.

// CHECK-LABEL: func.func @window_left_4095
// CHECK-SAME: %[[ROW:[a-z0-9]+]]: index, %[[NQ:[a-z0-9]+]]: index, %[[NK:[a-z0-9]+]]: index
// CHECK: %[[POS:.*]] = arith.addi %[[ROW]], %{{.*}} : index
// CHECK: %[[OLDEST:.*]] = arith.addi %[[POS]], %c-4095
// CHECK: %[[BEGIN:.*]] = arith.maxsi %[[OLDEST]], %c0
// CHECK: %[[FIRST:.*]] = arith.floordivsi %[[BEGIN]], %c64
// CHECK: %[[END:.*]] = arith.maxsi %{{.*}}, %[[FIRST]]
// CHECK: %[[HIDDEN:.*]] = arith.addi %[[NK]], %c-4096
// CHECK: %[[HIDDEN_ROWS:.*]] = arith.addi %[[POS]], %c-3968
// CHECK: %[[BORDER:.*]] = arith.minsi %[[HIDDEN]], %[[HIDDEN_ROWS]]
// CHECK: arith.ceildivsi %[[BORDER]], %c64
// CHECK: scf.for %[[T:.*]] = %[[FIRST]] to %[[END]] step %c1
// CHECK:   tile.mask %{{.*}} by [@window](%c4095 : index) {{.*}} unless %[[T]] in[%{{.*}} to %{{.*}}]
func.func @window_left_4095(%row: index, %nq: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %window_left = arith.constant 4095 : index
  %wider = arith.constant 5000 : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @window, @in_bounds, @window](%window_left, %wider : index, index)
        rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// Given at launch, a window may be any number: what depends on it is computed in 64 bits and cut off.

// CHECK-LABEL: func.func @window_at_launch
// CHECK-SAME: %[[W:[a-z0-9]+]]: index
// CHECK: %[[WIDE:.*]] = arith.index_cast %[[W]] : index to i64
// CHECK: %[[MOST:.*]] = arith.maxsi %[[WIDE]], %c-1099511627776_i64
// CHECK: %[[CUT:.*]] = arith.minsi %[[MOST]], %c1099511627776_i64
// CHECK: arith.subi %{{.*}}, %[[CUT]] : i64
// CHECK: scf.for
func.func @window_at_launch(%w: index, %q: !q, %k: !q, %b: index, %h: index, %row: index, %nq: index, %nk: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@window, @in_bounds](%w : index) rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// A length per sequence is loaded once, before the loop.

// CHECK-LABEL: func.func @prefix_lens
// CHECK-SAME: %[[LENS:[a-z0-9]+]]: memref<?xi32>, %[[B:[a-z0-9]+]]: index
// CHECK: %[[LEN:.*]] = memref.load %[[LENS]][%[[B]]]
// CHECK: arith.index_cast %[[LEN]] : i32 to index
// CHECK: scf.for
// CHECK-NOT: memref.load
// CHECK: tile.mask %{{.*}} by [@prefix, @in_bounds](%[[LENS]] : memref<?xi32>)
func.func @prefix_lens(%lens: memref<?xi32>, %b: index, %q: !q, %k: !q, %h: index, %row: index, %nq: index, %nk: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@prefix, @in_bounds](%lens : memref<?xi32>) rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// Without a mask of its own a kernel still has a last tile that the length cuts.

// CHECK-LABEL: func.func @no_mask
// CHECK-SAME: %[[NK:[a-z0-9]+]]: index
// CHECK: %[[END:.*]] = arith.ceildivsi %[[NK]], %c64
// CHECK: %[[WHOLE:.*]] = arith.floordivsi %[[NK]], %c64
// CHECK: %[[FREE:.*]] = arith.maxsi %[[WHOLE]], %c0
// CHECK: scf.for %[[T:.*]] = %c0 to %[[END]] step %c1
// CHECK:   tile.mask %{{.*}} by [@in_bounds] {{.*}} unless %[[T]] in[%c0 to %[[FREE]]]
func.func @no_mask(%nk: index, %q: !q, %k: !q, %b: index, %h: index, %row: index, %nq: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %query = tile.view %q[%b, %h] length %nq : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// A static length that tiles divide needs no mask at all; the twin with one key more does.

// CHECK-LABEL: func.func @whole_tiles
// CHECK: scf.for %{{.*}} = %c0 to %c4 step %c1
// CHECK-NOT: tile.mask
// CHECK: scf.yield
func.func @whole_tiles(%q: !q, %k: !q, %b: index, %h: index, %row: index, %nq: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %nk = arith.constant 256 : index
  %query = tile.view %q[%b, %h] length %nq : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}
// CHECK-LABEL: func.func @one_key_more
// CHECK: scf.for %[[T:.*]] = %c0 to %c5 step %c1
// CHECK: tile.mask %{{.*}} by [@in_bounds] {{.*}} unless %[[T]] in[%c0 to %c4]
func.func @one_key_more(%q: !q, %k: !q, %b: index, %h: index, %row: index, %nq: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %nk = arith.constant 257 : index
  %query = tile.view %q[%b, %h] length %nq : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r : !scores
}

// However the user spells it, a mask has the same bounds: the three loops share them.

// CHECK-LABEL: func.func @spellings
// CHECK: scf.for %[[T:.*]] = %c0 to %[[END:.*]] step %c1
// CHECK: by [@causal] {{.*}} unless %[[T]] in[%c0 to %[[FREE:.*]]] :
// CHECK: scf.for %[[T2:.*]] = %c0 to %[[END]] step %c1
// CHECK: by [@not_later] {{.*}} unless %[[T2]] in[%c0 to %[[FREE]]] :
// CHECK: scf.for %[[T3:.*]] = %c0 to %[[END]] step %c1
// CHECK: by [@old_enough] {{.*}} unless %[[T3]] in[%c0 to %[[FREE]]] :
func.func @spellings(%row: index, %nq: index, %nk: index, %q: !q, %k: !q, %b: index, %h: index, %s: !scores) -> !scores {
  %c0 = arith.constant 0 : index
  %offset = arith.subi %nk, %nq : index
  %query = tile.view %q[%b, %h] length %nq position %offset : !q -> !view
  %keys = tile.view %k[%b, %h] length %nk : !q -> !view
  %r1 = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %s) : !view -> (!scores) {
    %m = tile.mask %x by [@causal, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  %r2 = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %r1) : !view -> (!scores) {
    %m = tile.mask %x by [@not_later, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  %r3 = tile.walk %col in %keys[%c0 to %nk] step 64 iter_args(%x = %r2) : !view -> (!scores) {
    %m = tile.mask %x by [@old_enough, @in_bounds] rows %query[%row] cols %keys[%col] : !scores, !view, !view
    tile.yield %m : !scores
  }
  return %r3 : !scores
}

// A walk without a mask visits its whole range; the column is a pure function of the tile's number.

// CHECK-LABEL: func.func @walk_alone
// CHECK-SAME: %[[FROM:[a-z0-9]+]]: index, %[[TO:[a-z0-9]+]]: index
// CHECK: %[[SOME:.*]] = arith.cmpi slt, %[[FROM]], %[[TO]]
// CHECK: %[[FIRST:.*]] = arith.floordivsi %[[FROM]], %c32
// CHECK: %[[TILES:.*]] = arith.ceildivsi %[[TO]], %c32
// CHECK: %[[END:.*]] = arith.select %[[SOME]], %[[TILES]], %[[FIRST]]
// CHECK: scf.for %[[T:.*]] = %[[FIRST]] to %[[END]] step %c1 iter_args(%[[A:.*]] =
// CHECK:   %[[COL:.*]] = arith.muli %[[T]], %c32
// CHECK:   %[[NEXT:.*]] = arith.addi %[[A]], %[[COL]]
// CHECK:   scf.yield %[[NEXT]]
func.func @walk_alone(%from: index, %to: index, %keys: !view, %zero: index) -> index {
  %r = tile.walk %col in %keys[%from to %to] step 32 iter_args(%a = %zero) : !view -> (index) {
    %next = arith.addi %a, %col : index
    tile.yield %next : index
  }
  return %r : index
}

func.func private @causal(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %visible = arith.cmpi sle, %kv, %q : index
  return %visible : i1
}
func.func private @not_later(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %true = arith.constant true
  %later = arith.cmpi sgt, %kv, %q : index
  %visible = arith.xori %later, %true : i1
  return %visible : i1
}
func.func private @old_enough(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index) -> i1 {
  %zero = arith.constant 0 : i32
  %age = arith.subi %q, %kv : index
  %age_i32 = arith.index_cast %age : index to i32
  %visible = arith.cmpi sge, %age_i32, %zero : i32
  return %visible : i1
}
func.func private @window(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %window_left: index) -> i1 {
  %past = arith.cmpi sle, %kv, %q : index
  %age = arith.subi %q, %kv : index
  %near = arith.cmpi sle, %age, %window_left : index
  %visible = arith.andi %past, %near : i1
  return %visible : i1
}
func.func private @prefix(%b: index, %h: index, %row: index, %column: index, %q: index, %kv: index, %lens: memref<?xi32>) -> i1 {
  %len_i32 = memref.load %lens[%b] : memref<?xi32>
  %len = arith.index_cast %len_i32 : i32 to index
  %past = arith.cmpi sle, %kv, %q : index
  %shared = arith.cmpi slt, %kv, %len : index
  %visible = arith.ori %past, %shared : i1
  return %visible : i1
}
